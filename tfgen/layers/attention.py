"""Attention: a decoder looks at what an encoder has read, and each place counts by how well it fits.

Axis letters: B batch, T time of the decoder, S places of the memory, D features of the memory, U units.
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgen.errors import InputError, whole_number


class Memory(NamedTuple):
    """What was read, as attention looks at it: multiplied once, and not again for each token.

    Attributes:
        keys: (B, S, Q), what a query of Q features is compared with.
        values: (B, S, U), what each place says.
        mask: Bool (B, S), False where there is nothing.
    """

    keys: tf.Tensor
    values: tf.Tensor
    mask: tf.Tensor


@keras.saving.register_keras_serializable(package="tfgen")
class Attention(keras.layers.Layer):
    """Global attention with a multiplicative score (Luong et al. 2015, arXiv:1508.04025, equations 5 to 8).

    For a query q and the places m of a memory it gives tanh(W [c; q]), where c is the mean of the places, each weighed
    by softmax(q A m). Places that the memory's mask hides weigh nothing.

    It is called as `keras.layers.Attention` is: `Attention(64)([queries, memory])`, (B, T, Q) and (B, S, D) to
    (B, T, U); masks come with the tensors, or as `mask=[None, mask_of_the_memory]`. To step it, look at the memory
    once with `memory`, and `attend` to that with each query.

    Args:
        units: U.
        seed: Makes the initial weights the same in every run; None draws them anew.
        **kwargs: As for `keras.layers.Layer`.
    """

    def __init__(self, units: int, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = whole_number("units", units, 1)
        self.seed = None if seed is None else whole_number("seed", seed, 0, most=2**63 - 1)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make the weights: A (D, Q), and W in its two parts, (D, U) for c and (Q, U) for q."""
        if len(input_shape) != 2 or {len(shape) for shape in input_shape} != {3}:
            raise InputError(
                f"attention takes queries (B, T, Q) and a memory (B, S, D); received the shapes {input_shape}."
            )
        (*_, queries), (*_, places) = input_shape
        self.score_kernel = self._kernel("score_kernel", (places, queries), 0)
        self.context_kernel = self._kernel("context_kernel", (places, self.units), 1)
        self.query_kernel = self._kernel("query_kernel", (queries, self.units), 2)

    def _kernel(self, name: str, shape: tuple[int, int], number: int) -> Any:
        seed = None if self.seed is None else (self.seed + number) % 2**63
        return self.add_weight(name=name, shape=shape, initializer=keras.initializers.GlorotUniform(seed))

    def memory(self, places: tf.Tensor, mask: tf.Tensor | None = None) -> Memory:
        """Look at a memory once.

        Args:
            places: (B, S, D).
            mask: Bool (B, S), False where there is nothing; None: there is something everywhere.
        """
        places = tf.cast(places, self.compute_dtype)
        mask = tf.ones(tf.shape(places)[:2], tf.bool) if mask is None else tf.cast(mask, tf.bool)
        return Memory(places @ self._cast(self.score_kernel), places @ self._cast(self.context_kernel), mask)

    def attend(self, queries: tf.Tensor, memory: Memory) -> tuple[tf.Tensor, tf.Tensor]:
        """Look at a memory with queries.

        Args:
            queries: (B, T, Q), or (B, Q) for one step.
            memory: From `memory`.

        Returns:
            The outputs, (B, T, U) or (B, U); and the weights of the places, (B, T, S) or (B, S), which sum to 1.
        """
        queries = tf.cast(queries, self.compute_dtype)
        if queries.shape.rank == 2:
            output, weights = self.attend(queries[:, tf.newaxis], memory)
            return output[:, 0], weights[:, 0]
        scores = tf.matmul(queries, memory.keys, transpose_b=True)
        # The least number and not minus infinity: a row without any place has equal weights, and no NaN.
        scores = tf.where(memory.mask[:, tf.newaxis], scores, scores.dtype.min)
        weights = tf.nn.softmax(scores)
        return tf.tanh(weights @ memory.values + queries @ self._cast(self.query_kernel)), weights

    def call(self, inputs: Any, mask: Any = None, return_attention_scores: bool = False) -> Any:
        """Attend to a memory, see the class.

        Args:
            inputs: Queries (B, T, Q), and the memory (B, S, D).
            mask: For each a bool (B, T) and (B, S), or None.
            return_attention_scores: Whether to give the weights (B, T, S) too.
        """
        queries, places = inputs
        output, weights = self.attend(queries, self.memory(places, None if mask is None else mask[1]))
        return (output, weights) if return_attention_scores else output

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Give the mask of the queries."""
        return None if mask is None else mask[0]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Give (B, T, U)."""
        return (*input_shape[0][:-1], self.units)

    def _cast(self, weight: Any) -> tf.Tensor:
        return tf.cast(weight.value, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Give the arguments of the constructor."""
        return {**super().get_config(), "units": self.units, "seed": self.seed}
