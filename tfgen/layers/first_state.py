"""From a feature vector to the state in which a decoder begins.

Axis letters: B batch, S places, D features, P parts of a summary, U units.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgen.errors import InputError, whole_number
from tfgen.layers.recurrence import State
from tfgen.support import wording

PARTS = 4
"""How many parts the summary of a sequence has."""

# Fewer features than this are not normalised: of one, nothing would be left; of two, which is the larger.
_FEW = 4


def summary(encoded: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """Give one vector a row of what an encoder has read.

    Args:
        encoded: A vector a row, (B, D), or a sequence, (B, S, D).
        mask: Bool (B, S) of a sequence, False where there is nothing; None: there is something everywhere.

    Returns:
        In parts, (B, P, D): the vector itself, P = 1; of a sequence its first place, its last, its mean and its
        maximum, P = 4: what a reader in both directions remembers lies at the ends, what a picture shows anywhere.
    """
    if encoded.shape.rank == 2:
        return encoded[:, tf.newaxis]
    mask = tf.ones(tf.shape(encoded)[:2], tf.bool) if mask is None else tf.cast(mask, tf.bool)
    weights = tf.cast(mask, encoded.dtype)[..., tf.newaxis]
    mean = tf.math.divide_no_nan(tf.reduce_sum(encoded * weights, axis=1), tf.reduce_sum(weights, axis=1))
    largest = tf.reduce_max(tf.where(mask[..., tf.newaxis], encoded, encoded.dtype.min), axis=1)
    largest = tf.where(tf.reduce_any(mask, axis=1)[:, tf.newaxis], largest, tf.zeros_like(largest))
    here = tf.cast(mask, tf.int32)
    first = tf.argmax(here, axis=1, output_type=tf.int32)
    last = tf.shape(here)[1] - 1 - tf.argmax(here[:, ::-1], axis=1, output_type=tf.int32)
    ends = tf.gather(encoded, tf.stack([first, last], axis=1), axis=1, batch_dims=1)
    return tf.concat([ends, mean[:, tf.newaxis], largest[:, tf.newaxis]], axis=1)


@keras.saving.register_keras_serializable(package="tfgen")
class FirstState(keras.layers.Layer):
    """Turns a summary (B, P, D) into the first states of recurrent layers, one linear map for all of them.

    Each part of the summary is normalised first, by itself (Ba et al. 2016, arXiv:1607.06450; scale and shift are left
    to the map). The first state of a layer is its output, and is squashed by tanh as every output is; an LSTM's cell is
    not. Otherwise large features would drive all units into saturation in the first steps, where nothing of the source
    reaches the text and no gradient comes back.

    Args:
        sizes: For each layer the units of each of its states.
        seed: Makes the initial weights the same in every run; None draws them anew.
        **kwargs: As for `keras.layers.Layer`.
    """

    def __init__(self, sizes: Sequence[Sequence[int]], seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(sizes, (list, tuple)) or not all(isinstance(each, (list, tuple)) for each in sizes):
            raise InputError(f"sizes must be a list of lists of units; received {wording.shown(sizes)}.")
        self.sizes = [[whole_number("units", units, 1) for units in each] for each in sizes]
        self._normalised = keras.layers.LayerNormalization(center=False, scale=False, dtype=self.dtype_policy)
        self.seed = None if seed is None else whole_number("seed", seed, 0, most=2**63 - 1)
        drawn = keras.initializers.GlorotUniform(self.seed)
        self._projected = keras.layers.Dense(
            sum(map(sum, self.sizes)), kernel_initializer=drawn, dtype=self.dtype_policy
        )

    def build(self, input_shape: Any) -> None:
        """Make the weights for summaries of this shape."""
        if input_shape[-1] >= _FEW:
            self._normalised.build(input_shape)
        self._projected.build((input_shape[0], input_shape[1] * input_shape[2]))

    def call(self, inputs: Any) -> list[State]:
        """Give, for each layer, its states (B, U)."""
        parts = self._normalised(inputs) if self._normalised.built else inputs
        flat = self._projected(keras.ops.reshape(parts, (-1, parts.shape[1] * parts.shape[2])))
        states = iter(tf.split(flat, [units for each in self.sizes for units in each], axis=1))
        return [[next(states) if i else tf.tanh(next(states)) for i in range(len(each))] for each in self.sizes]

    def get_config(self) -> dict[str, Any]:
        """Give the arguments of the constructor."""
        return {**super().get_config(), "sizes": self.sizes, "seed": self.seed}
