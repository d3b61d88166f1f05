"""Against saying the same passage again: DRY and forbidden n-grams, over a window of the text."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.errors import InputError, whole_number
from tfgen.sampling.transform import Transform, mask, narrow, scalar, wide
from tfgen.support import wording
from tfgen.terms.settings import Range, array
from tfgen.vocabulary.vocabulary import END, PADDING, UNKNOWN, Vocabulary


class _LookingBack(Transform):
    """Keeps the last `window` tokens of each row, int32 (B, W), padded on the left with 0."""

    window: int

    def start(self, history: tf.Tensor, size: int) -> tf.Tensor:
        """Keep the end of the text so far."""
        padded = tf.pad(history, [[0, 0], [self.window, 0]])
        return padded[:, -self.window :]

    def update(self, state: tf.Tensor, ids: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Move on by one token a row."""
        return tf.concat([state[:, 1:], ids[:, tf.newaxis]], axis=1)


class NoRepeatNgram(_LookingBack):
    """Forbids every token that would complete an n-gram which the text already has (Paulus et al. 2017,
    arXiv:1705.04304). A text in which every token would complete one ends there.

    Args:
        n: At least 1; part of the structure of a sampler.
        window: How many tokens it looks back.

    Raises:
        InputError: `n` or `window` is out of its range.
    """

    n: int

    def __init__(self, n: int, window: int = 1024) -> None:
        self.window = whole_number("window", window, 1, 2**16)
        self.n = whole_number("n", n, 1, self.window)

    @property
    def hard(self) -> bool:
        """Whether it rules tokens out for good: it does."""
        return True

    def apply(self, logits: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """Forbid by the text so far (B, W)."""
        places = self.window - self.n + 1  # of n-grams in the window
        repeats = state[:, self.n - 1 :] > END  # an end may come again
        for back in range(1, self.n):
            before = state[:, self.n - 1 - back : self.n - 1 - back + places]
            repeats &= (before == state[:, -back, tf.newaxis]) & (before != PADDING)
        forbidden = _largest_by_token(state[:, self.n - 1 :], tf.cast(repeats, tf.int32), tf.shape(logits)[-1]) > 0
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
        breakers: Tokens that end a passage: no repeat is followed across one. Kept from the text they are in.
        window: How many tokens it looks back.
        longest: Repeats are measured up to this length.

    Raises:
        InputError: A setting is out of its range.
    """

    multiplier: tf.Tensor
    base: tf.Tensor
    allowed_length: tf.Tensor
    breakers: tuple[str, ...]
    breaker_ids: tf.Tensor
    longest: int

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
        self.breaker_ids = tf.constant(ids.astype(np.int32))
        self.window = whole_number("window", window, 1, 2**16)
        self.longest = whole_number("longest", longest, 1, self.window)

    def bind(self, vocabulary: Vocabulary) -> "DRY":
        """Look up the breakers; one that the vocabulary does not have cannot occur."""
        ids = [i for i, token in enumerate(vocabulary.tokens) if i > UNKNOWN and token in self.breakers]
        return DRY(
            self.multiplier, self.base, self.allowed_length, self.breakers, self.window, self.longest, tuple(ids)
        )

    def start(self, history: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Keep the end of the text so far, and for each of its places how many tokens before it repeat that end."""
        tokens = super().start(history, size)
        return tokens, self._repeated(tokens)

    def apply(self, logits: tf.Tensor, state: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
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

    def update(
        self, state: tuple[tf.Tensor, tf.Tensor], ids: tf.Tensor, logits: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Move on by one token a row: a repeat before a place goes on if the same token follows there."""
        tokens, repeated = state
        new = ids[:, tf.newaxis]
        goes_on = (tokens == new) & ~self._breaks(new)
        longest = tf.minimum(tf.range(self.window), self.longest)  # and no longer than what the window has
        return super().update(tokens, ids, logits), tf.where(goes_on, tf.minimum(repeated + 1, longest), 0)

    def _repeated(self, tokens: tf.Tensor) -> tf.Tensor:
        """Give for each place (B, W) how many tokens before it repeat the end of the text."""
        end = tokens[:, : -self.longest - 1 : -1]  # the last tokens, backwards (B, L)
        # before[:, w] are the tokens before place w, backwards: (B, W, L)
        places = tf.range(self.window)[:, tf.newaxis] + self.longest - 1 - tf.range(self.longest)
        before = tf.gather(tf.pad(tokens, [[0, 0], [self.longest, 0]]), places, axis=1)
        same = (before == end[:, tf.newaxis]) & ~self._breaks(end)[:, tf.newaxis]
        return tf.reduce_sum(tf.math.cumprod(tf.cast(same, tf.int32), axis=-1), axis=-1)

    def _breaks(self, tokens: tf.Tensor) -> tf.Tensor:
        """Tell which tokens end a passage; the padding before a text is none that could be repeated."""
        return tf.reduce_any(tokens[..., tf.newaxis] == self.breaker_ids, axis=-1) | (tokens == PADDING)


def _largest_by_token(tokens: tf.Tensor, values: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Give the largest value of each token, at least 0: tokens and values (B, W) to (B, V)."""
    rows = tf.shape(tokens)[0]
    segments = tokens + tf.range(rows)[:, tf.newaxis] * size
    largest = tf.math.unsorted_segment_max(tf.reshape(values, [-1]), tf.reshape(segments, [-1]), rows * size)
    return tf.reshape(tf.maximum(largest, tf.zeros([], values.dtype)), [rows, size])
