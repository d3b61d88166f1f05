"""Against saying the same passage again: DRY and forbidden n-grams, over a window of the text.

Both keep the window and, for each of its places, how many tokens before it repeat the end of the text: one more token
moves all of them on at once, whatever the length of a passage. Windows are kept in rooms of a few sizes and the numbers
are tensors, so that a compiled loop takes other windows and lengths without compiling again.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.errors import InputError, whole_number
from tfgen.sampling.transform import Transform, mask, narrow, scalar, wide
from tfgen.support import wording
from tfgen.support.rooms import power_of_two
from tfgen.terms.settings import Range, array
from tfgen.vocabulary.vocabulary import END, PADDING, UNKNOWN, Vocabulary

MOST_WINDOW, MOST_LENGTH = 2**16, 2**10
"""How far a transform looks back at most, and up to which length it compares passages: memory and work are linear in
the window at each token, and in their product where a text is begun."""

_LEAST_ROOM = 64

# The tokens of the window, and for each of its places how many tokens before it repeat the end of the text.
_Memory = tuple[tf.Tensor, tf.Tensor]


class _LookingBack(Transform):
    """Keeps the last tokens of each row and what they repeat, both int32 (B, W), padded on the left with 0.

    W is `room`, of which the last `window` places count.
    """

    window: tf.Tensor
    room: int

    def _longest(self) -> tf.Tensor:
        """Give up to which length repeats are measured."""
        raise NotImplementedError

    def _breaks(self, tokens: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        """Tell which tokens (B, W) of V end a passage; the padding before a text is none that could be repeated."""
        return tokens == PADDING

    def start(self, history: tf.Tensor, size: int) -> _Memory:
        """Keep the end of the text so far, and find what it repeats."""
        last = history[:, -self.room :]
        padded = tf.pad(last, [[0, 0], [self.room - tf.shape(last)[1], 0]])
        tokens = tf.where(self._before() >= 0, padded, PADDING)
        repeated = _repeated(tokens, self._breaks(tokens, size))
        return tokens, tf.minimum(repeated, tf.maximum(tf.minimum(self._before(), self._longest()), 0))

    def update(self, state: _Memory, ids: tf.Tensor, logits: tf.Tensor) -> _Memory:
        """Move on by one token a row: a repeat before a place goes on if the same token follows there."""
        tokens, repeated = state
        new, before = ids[:, tf.newaxis], self._before()
        goes_on = (tokens == new) & ~self._breaks(new, tf.shape(logits)[-1])
        longest = tf.minimum(before, self._longest())  # and no longer than what the window has
        moved = tf.where(before >= 0, tf.concat([tokens[:, 1:], new], axis=1), PADDING)
        return moved, tf.where(goes_on, tf.minimum(repeated + 1, longest), 0)

    def _before(self) -> tf.Tensor:
        """Give how many places of the window are before each place of the room (W,); below 0 outside the window."""
        return tf.range(self.room) - (self.room - self.window)


class NoRepeatNgram(_LookingBack):
    """Forbids every token that would complete an n-gram which the text already has (Paulus et al. 2017,
    arXiv:1705.04304). A text in which every token would complete one ends there.

    Args:
        n: From 1 to the window, and at most 1,024.
        window: How many tokens it looks back, at most 65,536.

    Raises:
        InputError: `n` or `window` is out of its range.
    """

    n: tf.Tensor

    def __init__(self, n: int, window: int = 1024) -> None:
        window = whole_number("window", window, 1, MOST_WINDOW)
        self.window, self.room = tf.constant(window), _room_of(window)
        self.n = tf.constant(whole_number("n", n, 1, min(window, MOST_LENGTH)))

    @property
    def hard(self) -> bool:
        """Whether it rules tokens out for good: it does."""
        return True

    def _longest(self) -> tf.Tensor:
        return self.n - 1

    def apply(self, logits: tf.Tensor, state: _Memory) -> tf.Tensor:
        """Forbid by the text so far (B, W), and what it repeats (B, W)."""
        tokens, repeated = state
        repeats = (tokens > END) & (repeated >= self.n - 1)  # an end may come again
        forbidden = _largest_by_token(tokens, tf.cast(repeats, tf.int32), tf.shape(logits)[-1]) > 0
        return mask(logits, ~forbidden)


class DRY(_LookingBack):
    """Penalises the token that would go on with a passage which the text already has ("don't repeat yourself").

    If the last L tokens have occurred before and were then followed by token i, the logit of i falls by
    multiplier * base^(L - allowed_length) for the largest such L, as soon as L reaches `allowed_length` (p-e-w, 2024,
    in text-generation-webui). Unlike a penalty by counts it leaves single characters alone.

    Args:
        multiplier: Scalar, at least 0 and at most a million; 0 does nothing.
        base: Scalar, from 1 to 1,000.
        allowed_length: Scalar int, at least 1: repeats shorter than this are free. 2 suits words; characters want about
            a word and a half.
        breakers: Tokens that end a passage: no repeat is followed across one. Looked up when it meets a vocabulary.
        window: How many tokens it looks back, at most 65,536.
        longest: Repeats are measured up to this length, at most the window and 1,024.
        breaker_ids: Ids of tokens that end a passage too.

    Raises:
        InputError: A setting is out of its range.
    """

    multiplier: tf.Tensor
    base: tf.Tensor
    allowed_length: tf.Tensor
    breakers: tuple[str, ...]
    breaker_ids: tf.Tensor
    longest: tf.Tensor

    def __init__(
        self,
        multiplier: Any = 0.8,
        base: Any = 1.75,
        allowed_length: Any = 8,
        breakers: Sequence[str] = ("\n",),
        window: int = 1024,
        longest: int = 48,
        breaker_ids: Any = (),
    ) -> None:
        self.multiplier = scalar("multiplier", multiplier, tf.float64, Range(at_least=0, at_most=1e6))
        self.base = scalar("base", base, tf.float64, Range(at_least=1, at_most=1e3))
        self.allowed_length = scalar("allowed_length", allowed_length, tf.int32, Range(at_least=1, whole=True))
        if not isinstance(breakers, Sequence) or not all(isinstance(token, str) for token in breakers):
            raise InputError(f"breakers must be a sequence of tokens; received {wording.shown(breakers)}.")
        self.breakers = tuple(breakers)
        ids = array(breaker_ids)
        if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
            raise InputError(f"breaker_ids must be a sequence of ids; received {wording.shown(breaker_ids)}.")
        # Filled up to a size of few, with what breaks anyway.
        room = power_of_two(ids.size) if ids.size else 0
        self.breaker_ids = tf.constant(np.pad(ids.astype(np.int32), (0, room - ids.size), constant_values=PADDING))
        window = whole_number("window", window, 1, MOST_WINDOW)
        self.window, self.room = tf.constant(window), _room_of(window)
        self.longest = tf.constant(whole_number("longest", longest, 1, min(window, MOST_LENGTH)))

    def bind(self, vocabulary: Vocabulary) -> "DRY":
        """Look up the breakers, which are ids from there on; one that the vocabulary does not have cannot occur."""
        known = [i for i in self.breaker_ids.numpy().tolist() if i != PADDING]
        breakers = {vocabulary.normalized(token) for token in self.breakers}
        found = [i for i, token in enumerate(vocabulary.tokens) if i > UNKNOWN and token in breakers]
        ids = tuple(sorted({*known, *found}))
        return DRY(
            self.multiplier, self.base, self.allowed_length, (), int(self.window), int(self.longest), breaker_ids=ids
        )

    def _longest(self) -> tf.Tensor:
        return self.longest

    def _breaks(self, tokens: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        known = tf.where((self.breaker_ids > PADDING) & (self.breaker_ids < size), self.breaker_ids, PADDING)
        broken = tf.scatter_nd(known[:, tf.newaxis], tf.ones_like(known), [size]) > 0
        return super()._breaks(tokens, size) | tf.gather(broken, tokens)

    def apply(self, logits: tf.Tensor, state: _Memory) -> tf.Tensor:
        """Penalise by the text so far (B, W), and what it repeats (B, W)."""
        tokens, repeated = state
        excess = repeated - self.allowed_length
        counts = (excess >= 0) & (tokens > END)

        def penalised() -> tf.Tensor:
            power = self.base ** tf.cast(tf.maximum(excess, 0), tf.float64)
            penalty = tf.where(counts, self.multiplier * power, 0.0)
            return narrow(wide(logits) - _largest_by_token(tokens, penalty, tf.shape(logits)[-1]), logits.dtype)

        # Most steps repeat nothing, and there are many places to look at.
        return tf.cond(tf.reduce_any(counts), penalised, lambda: narrow(wide(logits), logits.dtype))


def _room_of(window: int) -> int:
    return max(power_of_two(window), _LEAST_ROOM)


def _repeated(tokens: tf.Tensor, breaks: tf.Tensor) -> tf.Tensor:
    """Give for each place (B, W) how many tokens before it repeat the end of the text, whose last one is at W - 1.

    Blocks of 1, 2, 4, ... tokens are numbered, the same ones alike (Karp, Miller and Rosenberg 1972), so that a repeat
    of any length is found in as many comparisons as its length has binary digits.
    """
    rows, room = tf.shape(tokens)[0], tokens.shape[1]
    places = tf.range(room)
    # Each is like nothing else: what ends a passage, and a block that would begin before the window.
    alone = -1 - tf.reshape(tf.range(tf.cast(rows, tf.int64) * room), [rows, room])
    blocks = [_numbered(tf.where(breaks, alone, tf.cast(tokens, tf.int64)))]
    while 2 ** len(blocks) <= min(room, MOST_LENGTH):
        last, half = blocks[-1], 2 ** (len(blocks) - 1)
        pairs = last[:, :-half] * 2**32 + last[:, half:]
        blocks.append(_numbered(tf.concat([alone[:, :half], pairs], axis=1)))
    repeated = tf.zeros_like(tokens)
    for block, length in reversed([(block, 2**i) for i, block in enumerate(blocks)]):
        here = places - 1 - repeated
        at_end = tf.gather(block, room - 1 - repeated, batch_dims=1)
        same = (here >= 0) & (tf.gather(block, tf.maximum(here, 0), batch_dims=1) == at_end)
        repeated += tf.where(same, length, 0)
    return repeated


def _numbered(keys: tf.Tensor) -> tf.Tensor:
    """Number keys of any kind: int64, the same ones alike, fewer than there are places."""
    return tf.reshape(tf.unique(tf.reshape(keys, [-1]), tf.int64).idx, tf.shape(keys))


def _largest_by_token(tokens: tf.Tensor, values: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Give the largest value of each token, at least 0: tokens and values (B, W) to (B, V)."""
    rows = tf.shape(tokens)[0]
    segments = tokens + tf.range(rows)[:, tf.newaxis] * size
    largest = tf.math.unsorted_segment_max(tf.reshape(values, [-1]), tf.reshape(segments, [-1]), rows * size)
    return tf.reshape(tf.maximum(largest, tf.zeros([], values.dtype)), [rows, size])
