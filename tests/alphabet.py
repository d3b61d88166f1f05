"""A fake network that knows the alphabet: after each letter it wants the next one, so that tests assert words.

Its logits fall by 10 with each letter further on, so that it has a second choice, a third, and so on; its state is how
many letters of a row are left before it wants the end of text. It computes the same in a batch of any size.
"""

import string

import numpy as np
import tensorflow as tf

from tfgen import decoding, sampling
from tfgen.vocabulary import END, PADDING, RESERVED, UNKNOWN

FIRST = len(RESERVED)
V = FIRST + len(string.ascii_lowercase)
SIGNS = {PADDING: "_", UNKNOWN: "?", END: "."}

GREEDY = (sampling.Temperature(0.0),)
ALLOWED = np.isin(np.arange(V), [PADDING, UNKNOWN], invert=True)  # as for every network
ENDLESS = 10**6


def ids_of(text):
    """Give the ids of letters.

    >>> ids_of("abz")
    array([ 3,  4, 28], dtype=int32)
    """
    return np.array([FIRST + string.ascii_lowercase.index(letter) for letter in text], np.int32)


def text_of(ids):
    """Spell ids: letters, "." for the end of text, "_" for padding, "?" for unknown.

    >>> text_of([3, 4, 2, 0])
    'ab._'
    """
    return "".join(SIGNS[i] if i in SIGNS else string.ascii_lowercase[i - FIRST] for i in np.asarray(ids).tolist())


def step(ids, left):
    """Want the letter after this one, or the end of text when no letters are left: logits (B, V) and `left - 1`."""
    ahead = (np.arange(V - FIRST, dtype=np.int32) - (ids[:, tf.newaxis] - FIRST + 1)) % (V - FIRST)
    end = tf.where(left > 0, -1000.0, 1000.0)[:, tf.newaxis]
    other = tf.fill([tf.shape(ids)[0], END], -1000.0)  # padding and unknown
    return tf.concat([other, end, -10 * tf.cast(ahead, tf.float32)], axis=1), left - 1


def begin(texts, left=ENDLESS, seed=0):
    """Give the value to write from after texts, of which only the last letters matter.

    Args:
        texts: B texts; a string is B texts of one letter.
        left: How many letters follow before the end of text, one number or one a row.
        seed: See `sampling.row_seeds`.
    """
    last = tf.constant(ids_of([text[-1] for text in texts]))
    logits, state = step(last, tf.broadcast_to(tf.constant(left, tf.int32), tf.shape(last)))
    return decoding.begin(logits, state, tf.constant(sampling.row_seeds(seed, len(texts))))


@tf.function(reduce_retracing=True)
def _decode(allowed, sampler, state, length):
    return decoding.decode(step, allowed, sampler, state, length)


def write(state, length, sampler=GREEDY, allowed=ALLOWED):
    """Write up to `length` letters: the value to go on from, and a text a row as `text_of` spells it."""
    state, ids = _decode(tf.constant(allowed), sampler, state, tf.constant(length))
    return state, [text_of(row) for row in ids]
