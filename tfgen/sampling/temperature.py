"""Sharper or flatter: temperature, fixed or by entropy."""

import math
from typing import Any

import tensorflow as tf

from tfgen.sampling.transform import NEVER, Transform, scalar, wide
from tfgen.terms.settings import PLAIN, Range


class Temperature(Transform):
    """Divides the logits by a temperature: below 1 sharper, above 1 flatter (Ackley, Hinton and Sejnowski 1985).

    The probability of token i becomes p_i^(1/t) / sum_j p_j^(1/t). At 0 only the likeliest token is left (the first
    one of equals); at infinity all tokens that are not minus infinity are equally likely.

    Args:
        t: Scalar, at least 0.

    Raises:
        InputError: `t` is negative or not a number.

    >>> Temperature(0.5)([[0.0, 1.0]]).numpy()
    array([[-2.,  0.]], dtype=float32)
    """

    t: tf.Tensor

    def __init__(self, t: Any) -> None:
        self.t = scalar("temperature", t, tf.float64, PLAIN["temperature"])

    @property
    def leaves_one(self) -> bool:
        """Whether it is known to be 0."""
        return not tf.is_symbolic_tensor(self.t) and bool(self.t == 0)

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        return _at_temperature(logits, self.t)


class DynamicTemperature(Transform):
    """A temperature that follows the entropy: `low` where the network is sure, `high` where it knows nothing.

    t = low + (high - low) (H / ln V)^exponent, with H the entropy of the distribution in nats and V the number of
    tokens that are allowed (entropy-based sampling of llama.cpp, 2024).

    Args:
        low: Scalar, at least 0.
        high: Scalar, at least 0.
        exponent: Scalar, above 0.

    Raises:
        InputError: A setting is out of its range.
    """

    low: tf.Tensor
    high: tf.Tensor
    exponent: tf.Tensor

    def __init__(self, low: Any, high: Any, exponent: Any = 1.0) -> None:
        self.low = scalar("low", low, tf.float64, Range(at_least=0, at_most=math.inf))
        self.high = scalar("high", high, tf.float64, Range(at_least=0, at_most=math.inf))
        self.exponent = scalar("exponent", exponent, tf.float64, Range(above=0))

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        log_p = tf.nn.log_softmax(wide(logits))
        entropy = -tf.reduce_sum(tf.math.multiply_no_nan(log_p, tf.exp(log_p)), axis=-1, keepdims=True)
        allowed = tf.reduce_sum(tf.cast(log_p > NEVER, tf.float64), axis=-1, keepdims=True)
        share = tf.clip_by_value(tf.math.divide_no_nan(entropy, tf.math.log(allowed)), 0.0, 1.0)
        along = share**self.exponent
        # Not low + (high - low) * along, which is NaN where one of them is infinite.
        t = tf.math.multiply_no_nan(self.low, 1 - along) + tf.math.multiply_no_nan(self.high, along)
        return _at_temperature(logits, t)


def _at_temperature(logits: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    """Divide by a temperature, a scalar or (..., 1)."""
    logits64 = wide(logits)
    likeliest = tf.reduce_max(logits64, axis=-1, keepdims=True)
    first = tf.one_hot(tf.argmax(logits64, axis=-1), tf.shape(logits64)[-1], on_value=True, off_value=False)
    left = (logits64 > NEVER) & ((t > 0) | first)
    # The maximum goes to 0 first, so that no temperature overflows it; the rest may fall to minus infinity.
    return tf.cast(tf.where(left, tf.math.divide_no_nan(logits64 - likeliest, t), NEVER), logits.dtype)
