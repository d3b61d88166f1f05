"""Against saying the same token again: penalties by what has occurred."""

from typing import Any

import tensorflow as tf

from tfgen.sampling.transform import Transform, narrow, scalar, wide
from tfgen.terms.settings import PLAIN, Range
from tfgen.vocabulary.vocabulary import END


class _Counting(Transform):
    """Keeps how often each token has occurred, int32 (B, V); padding and ends of text do not count."""

    def start(self, history: tf.Tensor, size: int) -> tf.Tensor:
        """Count the text so far."""
        counts = tf.math.bincount(history, minlength=size, maxlength=size, axis=-1)
        return tf.where(tf.range(size) > END, counts, 0)

    def update(self, state: tf.Tensor, ids: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Count one token a row."""
        counted = tf.where(ids > END, ids, -1)  # which one_hot makes a row of zeros
        return state + tf.one_hot(counted, tf.shape(state)[1], dtype=tf.int32)


class RepetitionPenalty(_Counting):
    """Makes tokens that have occurred less likely: their log-probability is multiplied (Keskar et al. 2019,
    arXiv:1909.05858).

    The formula divides positive logits and multiplies negative ones, which depends on where zero happens to lie; it is
    applied to logarithms of probabilities here, which are never positive.

    Args:
        penalty: Scalar, above 0 and at most a million: 1 does nothing, above 1 penalises.

    Raises:
        InputError: `penalty` is out of its range.
    """

    penalty: tf.Tensor

    def __init__(self, penalty: Any) -> None:
        self.penalty = scalar("repetition_penalty", penalty, tf.float64, PLAIN["repetition_penalty"])

    def apply(self, logits: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """Penalise by counts (B, V)."""
        log_p = tf.nn.log_softmax(wide(logits))
        return narrow(tf.where(state > 0, log_p * self.penalty, log_p), logits.dtype)


class FrequencyPenalty(_Counting):
    """Takes a number from a token's logit for each time it has occurred (OpenAI's `frequency_penalty`).

    Args:
        penalty: Scalar, at most a million to either side; 0 does nothing.

    Raises:
        InputError: `penalty` is out of its range.
    """

    penalty: tf.Tensor

    def __init__(self, penalty: Any) -> None:
        self.penalty = scalar("frequency_penalty", penalty, tf.float64, Range(at_least=-1e6, at_most=1e6))

    def apply(self, logits: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """Penalise by counts (B, V)."""
        return narrow(wide(logits) - self.penalty * tf.cast(state, tf.float64), logits.dtype)


class PresencePenalty(_Counting):
    """Takes a number from the logit of each token that has occurred (OpenAI's `presence_penalty`).

    Args:
        penalty: Scalar, at most a million to either side; 0 does nothing.

    Raises:
        InputError: `penalty` is out of its range.
    """

    penalty: tf.Tensor

    def __init__(self, penalty: Any) -> None:
        self.penalty = scalar("presence_penalty", penalty, tf.float64, Range(at_least=-1e6, at_most=1e6))

    def apply(self, logits: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """Penalise by counts (B, V)."""
        return narrow(wide(logits) - self.penalty * tf.cast(state > 0, tf.float64), logits.dtype)
