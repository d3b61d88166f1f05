"""A steady surprise: Mirostat, a controller that keeps the text neither boring nor confused."""

from typing import Any

import tensorflow as tf

from tfgen.sampling.transform import Transform, mask, scalar, wide
from tfgen.terms.settings import Range

_NATS_PER_BIT = 0.6931471805599453


class Mirostat(Transform):
    """Cuts off tokens that are too surprising, and moves the cut so that the mean surprise comes to a target.

    Tokens of a surprise above mu are left out, but never the likeliest; after each draw mu falls by rate * (its
    surprise - target). Version 2 of Basu et al. 2021, arXiv:2007.14966; mu begins at twice the target.

    Args:
        target: Scalar, above 0 and at most 64: bits per token.
        rate: Scalar, above 0 and at most 1.

    Raises:
        InputError: A setting is out of its range.
    """

    target: tf.Tensor
    rate: tf.Tensor

    def __init__(self, target: Any = 2.0, rate: Any = 0.1) -> None:
        self.target = scalar("target", target, tf.float64, Range(above=0, at_most=64))
        self.rate = scalar("rate", rate, tf.float64, Range(above=0, at_most=1))

    def start(self, history: tf.Tensor, size: int) -> tf.Tensor:
        """Give mu (B,), in bits."""
        return tf.fill(tf.shape(history)[:1], 2 * self.target)

    def apply(self, logits: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """Cut by mu (B,)."""
        surprise = _surprise(logits)
        least = tf.reduce_min(surprise, axis=-1, keepdims=True)
        return mask(logits, surprise <= tf.maximum(state[:, tf.newaxis], least))

    def update(self, state: tf.Tensor, ids: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Move mu by the surprise of what was drawn."""
        drawn = tf.gather(_surprise(logits), ids, axis=-1, batch_dims=1)
        # A finished row draws padding, whose surprise is infinite: it stays where it is.
        step = tf.where(tf.math.is_finite(drawn), drawn - self.target, 0.0)
        return state - self.rate * step


def _surprise(logits: tf.Tensor) -> tf.Tensor:
    """Give -log2 p, float64, infinite where a token cannot come."""
    return -tf.nn.log_softmax(wide(logits)) / _NATS_PER_BIT
