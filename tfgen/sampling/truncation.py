"""Cutting off the tail: top-k, top-p, min-p, typical, epsilon and top-n-sigma sampling; and the top: XTC."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.sampling.transform import NEVER, Transform, mask, narrow, scalar, wide
from tfgen.terms.settings import PLAIN, Range

# XLA, which knows all shapes, sorts slowly and compares quickly: up to so many tokens are compared each with each.
_COMPARED = 512


class TopK(Transform):
    """Keeps the k likeliest tokens (Fan, Lewis and Dauphin 2018, arXiv:1805.04833), and those as likely as the k-th.

    Args:
        k: Scalar int, at least 1; above V it keeps all.

    Raises:
        InputError: `k` is below 1 or no whole number.

    >>> TopK(2)([[0.0, 1.0, 2.0]]).numpy()
    array([[-inf,   1.,   2.]], dtype=float32)
    """

    k: tf.Tensor

    def __init__(self, k: Any) -> None:
        self.k = scalar("top_k", k, tf.int64, PLAIN["top_k"])

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        return mask(logits, _leading(logits, tf.ones_like(logits, tf.int32), self.k))


class TopP(Transform):
    """Keeps the likeliest tokens whose probabilities first sum to p (nucleus, Holtzman et al. 2019, arXiv:1904.09751).

    The token that crosses p is kept, so at least one is; tokens as likely as the last one kept are kept too.

    Args:
        p: Scalar, above 0 and at most 1; 1 keeps all.

    Raises:
        InputError: `p` is outside its range.

    >>> TopP(0.7)([[0.0, 1.0, 2.0]]).numpy()
    array([[-inf,   1.,   2.]], dtype=float32)
    """

    p: tf.Tensor

    def __init__(self, p: Any) -> None:
        self.p = scalar("top_p", p, tf.float64, PLAIN["top_p"])

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        # The sum of all but the last can round to 1, so p = 1 is a case of its own.
        return mask(logits, _leading(logits, tf.nn.softmax(wide(logits)), self.p) | (self.p >= 1))


class MinP(Transform):
    """Keeps the tokens at least p times as likely as the likeliest one (Nguyen et al. 2024, arXiv:2407.01082).

    Args:
        p: Scalar, at least 0 and at most 1; 0 keeps all, 1 the likeliest.

    Raises:
        InputError: `p` is outside its range.

    >>> MinP(0.2)([[0.0, 1.0, 2.0]]).numpy()
    array([[-inf,   1.,   2.]], dtype=float32)
    """

    p: tf.Tensor

    def __init__(self, p: Any) -> None:
        self.p = scalar("min_p", p, tf.float64, PLAIN["min_p"])

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        likeliest = tf.reduce_max(wide(logits), axis=-1, keepdims=True)
        return mask(logits, wide(logits) >= likeliest + tf.math.log(self.p))


class Typical(Transform):
    """Keeps the tokens whose surprise is nearest to the expected one, until they sum to p (Meister et al. 2022,
    arXiv:2202.00666).

    Tokens that are as near as the last one kept are kept too.

    Args:
        p: Scalar, above 0 and at most 1; 1 keeps all.

    Raises:
        InputError: `p` is outside its range.

    >>> Typical(0.5)([[0.0, 1.0, 1.1, 3.0]]).numpy()
    array([[-inf, -inf, -inf,   3.]], dtype=float32)
    """

    p: tf.Tensor

    def __init__(self, p: Any) -> None:
        self.p = scalar("typical_p", p, tf.float64, PLAIN["typical_p"])

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        log_p = tf.nn.log_softmax(wide(logits))
        probability = tf.exp(log_p)
        entropy = -tf.reduce_sum(tf.math.multiply_no_nan(log_p, probability), axis=-1, keepdims=True)
        nearness = -tf.abs(log_p + entropy)
        return mask(logits, _leading(nearness, probability, self.p) | (self.p >= 1))


class Epsilon(Transform):
    """Keeps the tokens of at least a given probability, and always the likeliest (Hewitt et al. 2022,
    arXiv:2210.15191).

    Args:
        epsilon: Scalar, at least 0 and at most 1; 0 keeps all, 1 the likeliest.

    Raises:
        InputError: `epsilon` is outside its range.

    >>> Epsilon(0.1)([[0.0, 1.0, 2.0]]).numpy()
    array([[-inf,   1.,   2.]], dtype=float32)
    """

    epsilon: tf.Tensor

    def __init__(self, epsilon: Any) -> None:
        self.epsilon = scalar("epsilon", epsilon, tf.float64, Range(at_least=0, at_most=1))

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        probability = tf.nn.softmax(wide(logits))
        likeliest = tf.reduce_max(probability, axis=-1, keepdims=True)
        return mask(logits, probability >= tf.minimum(self.epsilon, likeliest))


class TopNSigma(Transform):
    """Keeps the tokens whose logits lie within n standard deviations of the largest (Tang et al. 2024,
    arXiv:2411.07641).

    The deviation is that of all logits that are possible, so that the temperature does not matter for what is kept.

    Args:
        n: Scalar, above 0 and at most 10^6.

    Raises:
        InputError: `n` is outside its range.

    >>> TopNSigma(1.0)([[0.0, 1.0, 2.0]]).numpy()
    array([[-inf, -inf,   2.]], dtype=float32)
    """

    n: tf.Tensor

    def __init__(self, n: Any) -> None:
        self.n = scalar("top_n_sigma", n, tf.float64, Range(above=0, at_most=1e6))

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        largest = tf.reduce_max(wide(logits), axis=-1, keepdims=True)
        possible = wide(logits) > NEVER
        below = tf.where(possible, largest - wide(logits), tf.zeros([], tf.float64))
        count = tf.reduce_sum(tf.cast(possible, tf.float64), axis=-1, keepdims=True)
        mean = tf.math.divide_no_nan(tf.reduce_sum(below, axis=-1, keepdims=True), count)
        squares = tf.where(possible, tf.square(below - mean), tf.zeros([], tf.float64))
        deviation = tf.sqrt(tf.math.divide_no_nan(tf.reduce_sum(squares, axis=-1, keepdims=True), count))
        return mask(logits, below <= self.n * deviation)


class XTC(Transform):
    """Leaves out the top choices, with a given probability at each token: of those of at least a threshold all but the
    least likely ("exclude top choices", by the author of DRY; llama.cpp's sampler of this name, pull request 9742).

    A coin that is thrown at each token, and a token drawn by its side, are together a draw from the mean of the two
    distributions. That is what this gives, without a coin: excluded tokens are less likely by the probability, and the
    rest shares what they leave. So it stands last, after temperature and cuts, where llama.cpp has it before the
    temperature. Tokens as likely as the least one kept are kept too.

    Args:
        probability: Scalar, from 0, which does nothing, to 1.
        threshold: Scalar, from 0 to 1; above 0.5 it does nothing, for there is at most one such token.

    Raises:
        InputError: A setting is outside its range.

    >>> tf.nn.softmax(XTC(0.5, 0.15)(tf.math.log([[0.5, 0.3, 0.2]]))).numpy().round(3)
    array([[0.25, 0.15, 0.6 ]], dtype=float32)
    """

    probability: tf.Tensor
    threshold: tf.Tensor

    def __init__(self, probability: Any = 0.5, threshold: Any = 0.1) -> None:
        self.probability = scalar("xtc_probability", probability, tf.float64, Range(at_least=0, at_most=1))
        self.threshold = scalar("xtc_threshold", threshold, tf.float64, Range(at_least=0, at_most=1))

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        p = tf.nn.softmax(wide(logits))
        # Logits tell which are as likely: of equal ones no probability is rounded otherwise.
        top = (p >= self.threshold) & (p > 0)
        least = tf.reduce_min(tf.where(top, wide(logits), wide(logits).dtype.max), axis=-1, keepdims=True)
        excluded = top & (wide(logits) > least)
        left = tf.reduce_sum(tf.where(excluded, tf.zeros([], tf.float64), p), axis=-1, keepdims=True)
        more = tf.math.log((1 - self.probability) * left + self.probability) - tf.math.log(left)
        return narrow(wide(logits) + tf.where(excluded, tf.math.log(1 - self.probability), more), logits.dtype)


def _leading(keys: tf.Tensor, weights: tf.Tensor, limit: tf.Tensor) -> tf.Tensor:
    """Tell which tokens lead: those of strictly larger keys weigh less than `limit` together.

    Equal keys lead or fall together, and the largest leads always. Keys, weights and the answer are (..., V), the limit
    is a scalar.
    """
    if limit.dtype.is_floating:  # smaller numbers are 0 to TensorFlow
        limit = tf.maximum(limit, np.finfo(limit.dtype.as_numpy_dtype).tiny)
    if keys.shape.is_fully_defined() and keys.shape[-1] <= _COMPARED:
        ahead = keys[..., tf.newaxis] > keys[..., tf.newaxis, :]
        weights_ahead = tf.where(ahead, weights[..., tf.newaxis], tf.zeros([], weights.dtype))
        return tf.cast(tf.reduce_sum(weights_ahead, axis=-2), limit.dtype) < limit
    ranked = tf.math.top_k(keys, tf.shape(keys)[-1])
    before = tf.cumsum(tf.gather(weights, ranked.indices, batch_dims=-1, axis=-1), axis=-1, exclusive=True)
    leading = tf.where(tf.cast(before, limit.dtype) < limit, ranked.values, keys.dtype.max)
    return keys >= tf.reduce_min(leading, axis=-1, keepdims=True)
