"""One block of a transformer: each token looks at those before it, and then at what it has found.

Axis letters: B batch, T time, W window, U units, H heads, D units of a head, C contexts.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

_SLOPE, _CUBIC = math.sqrt(2 / math.pi), 0.044715


def _twice_gelu(x: tf.Tensor) -> tf.Tensor:
    return x * (1 + tf.tanh(x * (_SLOPE + _SLOPE * _CUBIC * tf.square(x))))


@tf.custom_gradient
def twice_gelu(x: tf.Tensor) -> Any:
    """Give 2 x times the normal distribution's share below x, by its tanh approximation (Hendrycks and Gimpel 2016,
    arXiv:1606.08415), with a gradient that has the tanh already: few passes over what is the largest array of a block.
    """
    square = tf.square(x)
    share = 1 + tf.tanh(x * (_SLOPE + _SLOPE * _CUBIC * square))

    def gradient(of_result: tf.Tensor) -> tf.Tensor:
        slope = x * (_SLOPE + 3 * _SLOPE * _CUBIC * square)
        return of_result * (share * (1 + (2 - share) * slope))

    return x * share, gradient


def _gradient_of_twice_gelu(x: tf.Tensor, of_result: tf.Tensor) -> tf.Tensor:
    square = tf.square(x)
    share = 1 + tf.tanh(x * (_SLOPE + _SLOPE * _CUBIC * square))
    slope = x * (_SLOPE + 3 * _SLOPE * _CUBIC * square)
    return of_result * (share * (1 + (2 - share) * slope))


_compiled_twice_gelu = tf.function(_twice_gelu, jit_compile=True, autograph=False, reduce_retracing=True)
_compiled_gradient = tf.function(_gradient_of_twice_gelu, jit_compile=True, autograph=False, reduce_retracing=True)


@tf.custom_gradient
def compiled_twice_gelu(x: tf.Tensor) -> Any:
    """Give what `twice_gelu` does, in one pass each way, which XLA compiles anew for each shape, and keeps for ever."""
    return _compiled_twice_gelu(x), lambda of_result: _compiled_gradient(x, of_result)


def _normal(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Give features of mean 0 and variance 1, (..., U), and what they were multiplied with, (..., 1)."""
    centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
    factor = tf.math.rsqrt(tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True) + 1e-5)
    return centred * factor, factor


@tf.custom_gradient
def normalized(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> Any:
    """Normalise features (..., U), with a gradient in fewer passes than that of each operation."""
    normal, factor = _normal(x)

    def gradient(of_result: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        of_normal, texts = of_result * scale, list(range(x.shape.rank - 1))
        along = tf.reduce_mean(of_normal * normal, axis=-1, keepdims=True)
        of_x = factor * (of_normal - tf.reduce_mean(of_normal, axis=-1, keepdims=True) - normal * along)
        return of_x, tf.reduce_sum(of_result * normal, axis=texts), tf.reduce_sum(of_result, axis=texts)

    return normal * scale + offset, gradient


class Normalization(keras.layers.Layer):
    """Normalises the features of each token (Ba et al. 2016, arXiv:1607.06450), with GPT-2's epsilon of 1e-5."""

    def build(self, input_shape: Any) -> None:
        """Make scale and offset (U,)."""
        self.scale = self.add_weight(name="scale", shape=input_shape[-1:], initializer="ones")
        self.offset = self.add_weight(name="offset", shape=input_shape[-1:], initializer="zeros")

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Map (..., U) to the same shape."""
        scale, offset = (tf.cast(each.value, inputs.dtype) for each in (self.scale, self.offset))
        if training:
            return normalized(inputs, scale, offset)
        normal, _ = _normal(inputs)
        return normal * scale + offset


class Block(keras.layers.Layer):
    """x + attention(norm(x)), and of that y + GELU(norm(y) W) V, as in GPT-2 (Radford et al. 2019).

    Queries, keys and values are one product. Kernels are normal with a deviation of 0.02; those that add to x begin
    smaller by the square root of how many do so.

    Args:
        heads: H.
        layers: How many blocks there are in all.
        dropout: See `tfgen.layers.Transformer`.
        seed: Of the first weights and of dropout.
        **kwargs: As for `keras.layers.Layer`.
    """

    def __init__(self, heads: int, layers: int, dropout: float, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.heads, self._depth, self.dropout, self._seed = heads, layers, dropout, seed
        self._generator = keras.random.SeedGenerator(seed) if dropout else None
        self.norm_1 = Normalization(name="norm_1", dtype=self.dtype_policy)
        self.norm_2 = Normalization(name="norm_2", dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        """Make the weights for (..., U)."""
        units = input_shape[-1]
        self.norm_1.build(input_shape)
        self.norm_2.build(input_shape)
        self.attention = self._linear("attention", 0, units, 3 * units)
        self.projection = self._linear("projection", 1, units, units, adds=True)
        self.wide = self._linear("wide", 2, units, 4 * units)
        self.narrow = self._linear("narrow", 3, 4 * units, units, adds=True)

    def _linear(self, name: str, number: int, inputs: int, outputs: int, adds: bool = False) -> tuple[Any, Any]:
        seed = None if self._seed is None else (self._seed + number) % 2**63
        deviation = 0.02 / math.sqrt(2 * self._depth) if adds else 0.02
        initializer = keras.initializers.RandomNormal(stddev=deviation, seed=seed)
        kernel = self.add_weight(name=f"{name}_kernel", shape=(inputs, outputs), initializer=initializer)
        return kernel, self.add_weight(name=f"{name}_bias", shape=(outputs,), initializer="zeros")

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Read rows (B, T, U), each from its beginning."""
        length = tf.shape(inputs)[1]
        queries, keys, values = tf.unstack(tf.transpose(self._split(inputs), [2, 0, 3, 1, 4]))  # (B, H, T, D) each
        scores = tf.matmul(queries * (inputs.shape[-1] // self.heads) ** -0.5, keys, transpose_b=True)
        # Added and not chosen: its gradient is for nothing.
        later = tf.where(tf.range(length)[:, tf.newaxis] >= tf.range(length), 0.0, scores.dtype.min / 2)
        weights = tf.nn.softmax(scores + tf.cast(later, scores.dtype))
        attended = tf.transpose(self._drop(weights, training) @ values, [0, 2, 1, 3])
        x = inputs + self._drop(self._multiply(self.projection, tf.reshape(attended, tf.shape(inputs))), training)
        # TensorFlow keeps every graph in which a gradient of one's own was traced.
        activation = _activation_of(inputs.shape[1]) if training else _twice_gelu
        return x + self._drop(self._found(x, activation), training)

    def read(
        self, inputs: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, seen: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Read tokens in contexts that have been begun.

        Args:
            inputs: (B, C, T, U).
            keys: Those that are kept, (B, C, W, U).
            values: Likewise.
            seen: Bool (B, C, T, W + T), which of the kept ones and of these each token sees.

        Returns:
            The outputs (B, C, T, U), and the keys and values of these tokens, likewise.
        """
        queries, new_keys, new_values = tf.split(self._multiply(self.attention, self.norm_1(inputs)), 3, axis=-1)
        keys = self._of_heads(tf.concat([keys, new_keys], axis=2))
        values = self._of_heads(tf.concat([values, new_values], axis=2))
        scores = tf.einsum("bcqhd,bckhd->bchqk", self._of_heads(self._scaled(queries)), keys)
        weights = tf.nn.softmax(tf.where(seen[:, :, tf.newaxis], scores, scores.dtype.min))
        attended = tf.reshape(tf.einsum("bchqk,bckhd->bcqhd", weights, values), tf.shape(inputs))
        return self._added(inputs, attended), new_keys, new_values

    def step(
        self, inputs: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, here: tf.Tensor, seen: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Read one token in contexts that have been begun.

        Args:
            inputs: (B, C, U).
            keys: Those that are kept, (B, C, W, U).
            values: Likewise.
            here: Bool (B, C, W), where those of this token are to be kept.
            seen: Bool (B, C, W), which the token sees, itself among them.

        Returns:
            The output (B, C, U), and all keys and values.
        """
        query, key, value = tf.split(self._multiply(self.attention, self.norm_1(inputs)), 3, axis=-1)
        keys = tf.where(here[..., tf.newaxis], key[:, :, tf.newaxis], keys)
        values = tf.where(here[..., tf.newaxis], value[:, :, tf.newaxis], values)
        scores = tf.einsum("bchd,bckhd->bchk", self._of_heads(self._scaled(query)), self._of_heads(keys))
        weights = tf.nn.softmax(tf.where(seen[:, :, tf.newaxis], scores, scores.dtype.min))
        attended = tf.einsum("bchk,bckhd->bchd", weights, self._of_heads(values))
        return self._added(inputs, tf.reshape(attended, tf.shape(inputs))), keys, values

    def _split(self, inputs: tf.Tensor) -> tf.Tensor:
        """Give queries, keys and values, (B, T, 3, H, D)."""
        units = inputs.shape[-1]
        parts = self._multiply(self.attention, self.norm_1(inputs))
        shape = tf.shape(inputs)
        return tf.reshape(parts, [shape[0], shape[1], 3, self.heads, units // self.heads])

    def _scaled(self, queries: tf.Tensor) -> tf.Tensor:
        return queries * (queries.shape[-1] // self.heads) ** -0.5

    def _of_heads(self, x: tf.Tensor) -> tf.Tensor:
        """Turn (..., U) into (..., H, D)."""
        return tf.reshape(x, tf.concat([tf.shape(x)[:-1], [self.heads, x.shape[-1] // self.heads]], axis=0))

    def _added(self, inputs: tf.Tensor, attended: tf.Tensor) -> tf.Tensor:
        x = inputs + self._multiply(self.projection, attended)
        return x + self._found(x, _twice_gelu)

    def _found(self, x: tf.Tensor, activation: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
        # The kernel is halved, which is smaller than what it is multiplied with.
        return self._multiply(self.narrow, activation(self._multiply(self.wide, self.norm_2(x))), 0.5)

    def _multiply(self, linear: tuple[Any, Any], x: tf.Tensor, factor: float | None = None) -> tf.Tensor:
        kernel, bias = (tf.cast(each.value, x.dtype) for each in linear)
        kernel = kernel if factor is None else kernel * factor
        # One product of two matrices, whatever the axes before the last.
        flat = tf.nn.bias_add(tf.reshape(x, [-1, x.shape[-1]]) @ kernel, bias)
        return tf.reshape(flat, tf.concat([tf.shape(x)[:-1], [kernel.shape[-1]]], axis=0))

    def _drop(self, x: tf.Tensor, training: bool) -> tf.Tensor:
        return keras.random.dropout(x, self.dropout, seed=self._generator) if training and self.dropout else x


def _activation_of(length: int | None) -> Callable[[tf.Tensor], tf.Tensor]:
    """Give what to train with: where all rows have one length, there are so few shapes that XLA may compile it."""
    return twice_gelu if length is None else compiled_twice_gelu
