"""From logits to the next token: transforms that reshape a distribution, and the selector that draws from it.

A transform is a small immutable value that maps logits (..., V) to logits (..., V); minus infinity means "never". Its
settings are tensors, so a compiled loop takes new ones without compiling again, and `tf.function` sees only which
transforms there are and in which order. A sampler is a plain sequence of transforms, applied in that order.

Axis letters: B batch, T time, V vocabulary, N new tokens.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tfgen import errors

# One call of the random generator gives the draws of this many steps of one row.
_BLOCK = 256


class Temperature(tf.experimental.ExtensionType):
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
        self.t = _setting("temperature", t, tf.float64, at_least=0)

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        wide = tf.cast(logits, tf.float64)
        likeliest = tf.reduce_max(wide, axis=-1, keepdims=True)
        # The maximum goes to 0 first, so that no finite temperature overflows it; the rest may fall to -inf.
        scaled = tf.math.divide_no_nan(wide - likeliest, self.t)
        allowed = tf.where(tf.math.is_inf(wide), _NEVER, scaled)
        first = tf.one_hot(tf.argmax(wide, axis=-1), tf.shape(wide)[-1], on_value=True, off_value=False)
        greedy = tf.where(first, tf.zeros_like(wide), _NEVER)
        return tf.cast(tf.where(self.t > 0, allowed, greedy), logits.dtype)


class TopK(tf.experimental.ExtensionType):
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
        self.k = _setting("top_k", k, tf.int32, at_least=1)

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        last = tf.minimum(self.k, tf.shape(logits)[-1]) - 1
        return _keep_from(logits, tf.gather(_descending(logits), last, axis=-1)[..., tf.newaxis])


class TopP(tf.experimental.ExtensionType):
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
        self.p = _setting("top_p", p, tf.float64, above=0, at_most=1)

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        descending = _descending(logits)
        before = tf.cumsum(tf.nn.softmax(tf.cast(descending, tf.float64)), axis=-1, exclusive=True)
        nucleus = tf.where(before < self.p, descending, logits.dtype.max)
        kept = _keep_from(logits, tf.reduce_min(nucleus, axis=-1, keepdims=True))
        # The sum of all but the last can round to 1, so that p = 1 is said apart.
        return tf.where(self.p < 1, kept, logits)


class MinP(tf.experimental.ExtensionType):
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
        self.p = _setting("min_p", p, tf.float64, at_least=0, at_most=1)

    def __call__(self, logits: Any) -> tf.Tensor:
        """Give logits of the same shape and dtype."""
        logits = tf.convert_to_tensor(logits)
        wide = tf.cast(logits, tf.float64)
        threshold = tf.reduce_max(wide, axis=-1, keepdims=True) + tf.math.log(self.p)
        return tf.where(wide >= threshold, logits, tf.cast(_NEVER, logits.dtype))


Transform = Callable[[Any], tf.Tensor]
_NEVER = np.float64("-inf")


def default_chain(
    temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None, min_p: float | None = None
) -> tuple[Transform, ...]:
    """Give the transforms of the plain settings, in the order temperature, top-k, top-p, min-p (as Hugging Face).

    Args:
        temperature: See `Temperature`.
        top_k: See `TopK`; None or 0 leaves it out.
        top_p: See `TopP`; None leaves it out.
        min_p: See `MinP`; None leaves it out.

    Raises:
        InputError: A setting is outside its range.
    """
    chain: list[Transform] = [Temperature(temperature)]
    if top_k:
        chain.append(TopK(top_k))
    if top_p is not None:
        chain.append(TopP(top_p))
    if min_p is not None:
        chain.append(MinP(min_p))
    return tuple(chain)


def apply(transforms: Sequence[Transform], logits: tf.Tensor) -> tf.Tensor:
    """Apply transforms in the order given.

    Args:
        transforms: The sampler.
        logits: (B, V).

    Returns:
        Logits (B, V) of the same dtype.
    """
    for transform in transforms:
        logits = transform(logits)
    return logits


def select(logits: tf.Tensor, uniforms: tf.Tensor) -> tf.Tensor:
    """Draw one token a row by inverting the cumulative distribution (Devroye 1986, chapter III.2).

    One uniform number decides one token, and a token of probability zero has no number that decides for it.

    Args:
        logits: (B, V); at least one is finite in each row.
        uniforms: float64 (B,), in [0, 1).

    Returns:
        Ids, int32 (B,).
    """
    cumulative = tf.cumsum(tf.nn.softmax(tf.cast(logits, tf.float64)), axis=-1)
    # Scaled by the sum as it was rounded, so that the last interval ends exactly at 1.
    thresholds = uniforms[:, tf.newaxis] * cumulative[:, -1:]
    return tf.reduce_sum(tf.cast(cumulative <= thresholds, tf.int32), axis=-1)


def row_seeds(seed: int | Sequence[int], rows: int) -> np.ndarray:
    """Give each row of a batch its own source of draws.

    Args:
        seed: One number for the batch: row r draws from (seed, r). Or one number a row: each draws from (its seed, 0),
            so that a text can be had again alone.
        rows: B.

    Returns:
        int64 (B, 2).

    Raises:
        InputError: A seed is no integer of 64 bits, or their number is not B.
    """
    seeds = np.atleast_1d(np.asarray(seed))
    fits = seeds.ndim == 1 and seeds.dtype.kind in "iu" and np.array_equal(seeds.astype(np.int64), seeds)
    if not fits:
        raise errors.InputError(f"a seed must be an integer that fits 64 bits; received {seed!r}.")
    if np.ndim(seed) == 0:
        return np.stack([np.full(rows, seeds[0], np.int64), np.arange(rows, dtype=np.int64)], axis=1)
    if len(seeds) != rows:
        raise errors.InputError(f"there must be one seed, or one for each of {rows} rows; received {len(seeds)} seeds.")
    return np.stack([seeds.astype(np.int64), np.zeros(rows, np.int64)], axis=1)


def draws(seeds: tf.Tensor, first: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Give the uniform numbers of `count` steps from step `first` on; each is a function of (row's seed, step) alone.

    Args:
        seeds: int64 (B, 2), see `row_seeds`.
        first: Scalar int32, the first step.
        count: Scalar int32.

    Returns:
        float64 (count, B), in [0, 1), from the Philox generator (Salmon et al. 2011).
    """
    first_block = first // _BLOCK
    blocks = (first + count - 1) // _BLOCK - first_block + 1
    numbers = tf.cast(first_block + tf.range(blocks), tf.int64)
    # The key of block n of a row is (its seed, its row * 2^32 + n).
    places = seeds[:, 1:] * 2**32 + numbers
    keys = tf.stack([tf.broadcast_to(seeds[:, :1], tf.shape(places)), places], axis=-1)

    def draw_block(key: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_uniform([_BLOCK], seed=key, dtype=tf.float64, alg="philox")

    uniforms = tf.map_fn(draw_block, tf.reshape(keys, [-1, 2]), fn_output_signature=tf.TensorSpec([_BLOCK], tf.float64))
    rows = tf.reshape(uniforms, [tf.shape(seeds)[0], blocks * _BLOCK])
    start = first - first_block * _BLOCK
    return tf.transpose(rows[:, start : start + count])


def _descending(logits: tf.Tensor) -> tf.Tensor:
    return tf.sort(logits, axis=-1, direction="DESCENDING")


def _keep_from(logits: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    return tf.where(logits >= threshold, logits, tf.cast(_NEVER, logits.dtype))


def _setting(
    name: str,
    value: Any,
    dtype: tf.DType,
    *,
    at_least: float = -np.inf,
    above: float = -np.inf,
    at_most: float = np.inf,
) -> tf.Tensor:
    """Check a scalar setting where its value is known, and make it a tensor."""
    if tf.is_symbolic_tensor(value) if tf.is_tensor(value) else False:
        return tf.cast(value, dtype)
    number = np.asarray(value)
    whole = not dtype.is_integer or number.dtype.kind in "iu"
    fits = number.ndim == 0 and number.dtype.kind in "iuf" and whole
    if not fits or not at_least <= number <= at_most or not number > above:
        bounds = [f"at least {at_least}"] * (at_least > -np.inf) + [f"above {above}"] * (above > -np.inf)
        bounds += [f"at most {at_most}"] * (at_most < np.inf)
        kind = "a whole number" if dtype.is_integer else "a number"
        raise errors.InputError(f"{name} must be {kind}, {' and '.join(bounds)}; received {value!r}.")
    return tf.constant(np.minimum(number, dtype.max) if dtype.is_integer else number, dtype)
