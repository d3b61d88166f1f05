"""A language model that knows the alphabet: after each letter it wants the next one, so that tests assert words.

Its logits fall by 10 with each letter further on, so that it has a second choice, a third, and so on; its state is how
many letters of a row are left before it wants the end of text. It computes the same in a batch of any size.
"""

import functools
import string

import numpy as np
import tensorflow as tf

from tfgen import sampling
from tfgen.sampling import chain
from tfgen.vocabulary.vocabulary import END, PADDING, RESERVED, UNKNOWN
from tfgen.writing import loop
from tfgen.writing.compiled import CompiledLoop

FIRST = len(RESERVED)
V = FIRST + len(string.ascii_lowercase)
SIGNS = {PADDING: "_", UNKNOWN: "?", END: "."}

GREEDY = (sampling.Temperature(0.0),)
WARM = sampling.default_chain(12.0, top_k=8, top_p=0.95)
WITH_MEMORY = (
    sampling.RepetitionPenalty(1.1),
    sampling.FrequencyPenalty(0.5),
    sampling.NoRepeatNgram(3, window=40),
    sampling.DRY(5.0, 1.5, 2, window=40, longest=10),
    sampling.Temperature(15.0),
    sampling.Mirostat(2.0),
)
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


def begin(texts, left=ENDLESS, seed=0, sampler=GREEDY):
    """Give the value to write from after texts, of which the network sees only the last letters.

    Args:
        texts: B texts; a string is B texts of one letter.
        left: How many letters follow before the end of text, one number or one a row.
        seed: See `sampling.row_seeds`.
        sampler: That will write.
    """
    rows = [ids_of(text) for text in texts]
    last = tf.constant([row[-1] for row in rows])
    logits, state = step(last, tf.broadcast_to(tf.constant(left, tf.int32), tf.shape(last)))
    history = np.zeros([len(rows), max(map(len, rows))], np.int32)
    for padded, row in zip(history, rows, strict=True):
        padded[len(padded) - len(row) :] = row
    states = chain.start(sampler, tf.constant(history), V)
    return loop.begin(logits, state, states, tf.constant(sampling.row_seeds(seed, len(rows))))


class Alphabet:
    """The model, see `tfgen.networks.LanguageModel`: after any prompt it never wants the end."""

    size, dtype, supports_jit, context = V, tf.float32, True, ()

    def start(self, context, rows):
        return tf.fill([rows], ENDLESS)

    def read(self, ids, lengths, state, context):
        places = state[:, tf.newaxis] - tf.range(tf.shape(ids)[1])
        return tf.stack([ids, places], axis=-1), state - (tf.shape(ids)[1] if lengths is None else lengths)

    def logits(self, features):
        logits, _ = step(tf.reshape(features[..., 0], [-1]), tf.reshape(features[..., 1], [-1]))
        return tf.reshape(logits, tf.concat([tf.shape(features)[:-1], [V]], axis=0))

    def step(self, ids, state, context):
        return step(ids, state)

    def fingerprint(self, salt=b""):
        return "alphabet"


@functools.cache
def compiled(allowed):
    """The loop over it, with these tokens allowed, as bytes."""
    return CompiledLoop(Alphabet(), np.frombuffer(allowed, bool))


def write(state, length, sampler=GREEDY, allowed=ALLOWED, min_length=0):
    """Write up to `length` letters: the value to go on from, and a text a row as `text_of` spells it."""
    state, record = compiled(allowed.tobytes()).write(sampler, state, length, min_length)
    return state, [text_of(row) for row in record["ids"]]


def written(texts, length, sampler=GREEDY, *, left=ENDLESS, seed=0, allowed=ALLOWED, min_length=0):
    """Write up to `length` letters after texts, see `begin` and `write`: a text a row."""
    return write(begin(texts, left, seed, sampler), length, sampler, allowed, min_length)[1]


def search(texts, length, width, *, left=ENDLESS, sampler=(), allowed=ALLOWED, min_length=0, length_penalty=0.0):
    """Search for the likeliest texts: for each of P texts the beams as `text_of` spells them, and scores (P, K)."""
    rows = [text for text in texts for _ in range(width)]
    state = begin(rows, np.repeat(np.broadcast_to(left, len(texts)), width), sampler=sampler)
    found, scores = compiled(allowed.tobytes()).search(sampler, state, length, min_length, width, length_penalty)
    return [[text_of(beam) for beam in beams] for beams in found], scores
