"""Sharper or flatter: temperature, fixed or by entropy."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.sampling.transform import NEVER, Transform, scalar, wide
from tfgen.support import wording
from tfgen.support.rooms import power_of_two
from tfgen.terms.settings import PLAIN, Range


class Temperature(Transform):
    """Divides the logits by a temperature: below 1 sharper, above 1 flatter (Ackley, Hinton and Sejnowski 1985).

    The probability of token i becomes p_i^(1/t) / sum_j p_j^(1/t). At 0 only the likeliest token is left (the first
    one of equals); at infinity all tokens that are not minus infinity are equally likely.

    Args:
        t: Scalar, at least 0; or one for each row of a batch, (B,).

    Raises:
        InputError: `t` is negative or not a number, or there is no row.

    >>> Temperature(0.5)([[0.0, 1.0]]).numpy()
    array([[-2.,  0.]], dtype=float32)
    >>> Temperature([0.5, 1.0])([[0.0, 1.0], [0.0, 1.0]]).numpy().tolist()
    [[-2.0, 0.0], [-1.0, 0.0]]
    """

    t: tf.Tensor

    def __init__(self, t: Any) -> None:
        several = isinstance(t, (list, tuple)) or np.ndim(t) == 1 if not tf.is_tensor(t) else t.shape.rank == 1
        self.t = _of_rows(t) if several else scalar("temperature", t, tf.float64, PLAIN["temperature"])

    @property
    def rows(self) -> int | None:
        """B, where each row has its own; None for one of all rows."""
        return self.t.shape[0] if self.t.shape.rank else None

    @property
    def leaves_one(self) -> bool:
        """Whether it is known to be 0."""
        return not tf.is_symbolic_tensor(self.t) and bool(tf.reduce_all(self.t == 0))

    def in_rooms(self) -> "Temperature":
        """Give it with room for as many rows as a compiled loop has, see `Transform.in_rooms`."""
        if self.rows is None:
            return self
        room = power_of_two(self.rows)
        return Temperature(tf.pad(self.t, [[0, room - self.rows]], constant_values=1.0))

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        return _at_temperature(logits, self.t if self.rows is None else self.t[:, tf.newaxis])


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


def _of_rows(t: Any) -> tf.Tensor:
    """Give the temperatures of rows (B,).

    Raises:
        InputError: There is none, or one is out of the range.
    """
    if tf.is_symbolic_tensor(t):
        return tf.cast(t, tf.float64)
    if not len(t):
        raise InputError(f"temperature must be a number, or one for each row; received {wording.shown(t)}.")
    return tf.stack([scalar("temperature", each, tf.float64, PLAIN["temperature"]) for each in t])


def _at_temperature(logits: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
    """Divide by a temperature, a scalar or (..., 1)."""
    logits64 = wide(logits)
    likeliest = tf.reduce_max(logits64, axis=-1, keepdims=True)
    first = tf.one_hot(tf.argmax(logits64, axis=-1), tf.shape(logits64)[-1], on_value=True, off_value=False)
    left = (logits64 > NEVER) & ((t > 0) | first)
    # The maximum goes to 0 first, so that no temperature overflows it; the rest may fall to minus infinity.
    return tf.cast(tf.where(left, tf.math.divide_no_nan(logits64 - likeliest, t), NEVER), logits.dtype)
