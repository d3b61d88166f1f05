"""A table of n-grams as a Keras layer: what it holds is counted, not trained.

Axis letters: B batch, T time, V vocabulary, K tokens of the longest context, N its contexts, E its n-grams.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgen.errors import InputError, whole_number
from tfgen.support import wording


@keras.saving.register_keras_serializable(package="tfgen")
class NGrams(keras.layers.Layer):
    """Ids (B, T) to the probabilities (B, T, V) of each next token, from the K tokens before it.

    The arrays are those of `tfgen.ngrams.tables.Tables`, weights that are not trained: `set_weights(tables.arrays)`.

    Attributes:
        vocabulary_size: V.
        order: K + 1.
    """

    def __init__(
        self,
        vocabulary_size: int,
        order: int,
        nodes: int,
        entries: int,
        most_children: Sequence[int],
        most_entries: Sequence[int],
        **kwargs: Any,
    ) -> None:
        """Make empty tables.

        Args:
            vocabulary_size: V.
            order: How many tokens the longest n-grams have.
            nodes: How many contexts of all lengths there are, N + 1.
            entries: How many n-grams of at least two tokens there are, E + 1.
            most_children: For each depth (K,), how many children a node above it has at most.
            most_entries: For each depth (K,), how many n-grams a context has at most.
            **kwargs: As for `keras.layers.Layer`.

        Raises:
            InputError: A number is out of its range.
        """
        super().__init__(**{**kwargs, "trainable": False})
        self.vocabulary_size = whole_number("vocabulary_size", vocabulary_size, 1)
        self.order = whole_number("order", order, 1, most=64)
        self._nodes = whole_number("nodes", nodes, 2)
        self._entries = whole_number("entries", entries, 1)
        self._most_children = self._per_depth("most_children", most_children)
        self._most_entries = self._per_depth("most_entries", most_entries)

    def _per_depth(self, name: str, numbers: Any) -> list[int]:
        if not isinstance(numbers, (list, tuple)) or len(numbers) != self.order - 1:
            raise InputError(f"{name} must be a list of {self.order - 1} numbers; received {wording.shown(numbers)}.")
        return [whole_number(f"each of {name}", number, 0, most=self.vocabulary_size) for number in numbers]

    @property
    def ngrams(self) -> int:
        """How many n-grams of at least two tokens there are."""
        return self._entries - 1

    def build(self, input_shape: Any = None) -> None:
        """Make the arrays."""
        ids = np.min_scalar_type(self.vocabulary_size - 1).name
        self._base = self._array("base", self.vocabulary_size, "float32")
        self._oldest = self._array("oldest", self._nodes, ids)
        self._children = self._array("children", self._nodes + 1, "int32")
        self._ranges = self._array("entries", self._nodes + 1, "int32")
        self._backoff = self._array("backoff", self._nodes, "float32")
        self._following = self._array("following", self._entries, ids)
        self._shares = self._array("shares", self._entries, "float32")
        # What is added to while a text is read, see `tfgen.ngrams.adaptive`; nothing is looked up in them here.
        self._array("totals", self._nodes, "int32")
        self._array("discounts", (self.order, 3), "float32")
        self.built = True

    def _array(self, name: str, shape: int | tuple[int, ...], dtype: str) -> Any:
        shape = shape if isinstance(shape, tuple) else (shape,)
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False, autocast=False
        )

    def call(self, inputs: Any) -> Any:
        """Give probabilities (B, T, V), each row read from its beginning."""
        ids = tf.cast(inputs, tf.int32)
        return self.probabilities(self.nodes(tf.pad(ids, [[0, 0], [self.order - 1, 0]])))

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Give (B, T, V)."""
        return (*input_shape, self.vocabulary_size)

    def nodes(self, ids: tf.Tensor) -> tf.Tensor:
        """Look up contexts.

        Args:
            ids: Int32 (B, K + T): texts, and the K tokens before them.

        Returns:
            The contexts of each next token, int32 (B, T, K): its last token, its last two tokens, and so on.
        """
        steps = tf.shape(ids)[1] - (self.order - 1)
        node, found = tf.zeros_like(ids[:, :steps]), []
        for back, most in enumerate(self._most_children):
            first = self.order - 1 - back
            node = self._child(node, ids[:, first : first + steps], most)
            found.append(node)
        return tf.stack(found, axis=-1) if found else tf.zeros([tf.shape(ids)[0], steps, 0], tf.int32)

    def _child(self, node: tf.Tensor, token: tf.Tensor, most: int) -> tf.Tensor:
        """Go from nodes to those of their children that a token leads to; from all others to the last node."""
        first, last = tf.gather(self._children, node), tf.gather(self._children, node + 1)
        at = first[..., tf.newaxis] + tf.range(most)
        here = tf.gather(self._oldest, tf.minimum(at, self._nodes - 1))
        hit = (tf.cast(here, tf.int32) == token[..., tf.newaxis]) & (at < last[..., tf.newaxis])
        return tf.minimum(tf.reduce_min(tf.where(hit, at, self._nodes), axis=-1), self._nodes - 1)

    def probabilities(self, nodes: tf.Tensor, compiled: bool = False) -> tf.Tensor:
        """Give the distributions of contexts.

        Args:
            nodes: What `nodes` gave for them, (..., K).
            compiled: Whether XLA may compile it, which takes no shapes that depend on values; it is slower elsewhere.

        Returns:
            Float32 (..., V).
        """
        outer, nodes = tf.shape(nodes)[:-1], tf.reshape(nodes, [-1, self.order - 1])
        backoff = tf.gather(self._backoff, nodes)
        p = tf.reduce_prod(backoff, axis=1, keepdims=True) * tf.convert_to_tensor(self._base)
        if self.order > 1:
            weights = tf.math.cumprod(backoff, axis=1, exclusive=True, reverse=True)
            places, shares = self._in_windows(nodes, weights) if compiled else self._one_by_one(nodes, weights)
            rows = tf.shape(nodes)[0]
            summed = tf.math.unsorted_segment_sum(shares, places, rows * self.vocabulary_size)
            p += tf.reshape(summed, [rows, self.vocabulary_size])
        return tf.reshape(p, tf.concat([outer, [self.vocabulary_size]], 0))

    def _one_by_one(self, nodes: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Give where in (B V) each n-gram of some contexts (B, K) adds to the distribution, and how much."""
        nodes = tf.reshape(nodes, [-1])
        ranges = tf.ragged.range(tf.gather(self._ranges, nodes), tf.gather(self._ranges, nodes + 1))
        at, context = ranges.flat_values, ranges.value_rowids()
        row = tf.cast(context // (self.order - 1), tf.int32)
        shares = tf.gather(self._shares, at) * tf.gather(tf.reshape(weights, [-1]), context)
        return row * self.vocabulary_size + tf.cast(tf.gather(self._following, at), tf.int32), shares

    def _in_windows(self, nodes: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Give the same as `_one_by_one`, with as many places for each context as any of its length needs."""
        first, last = tf.gather(self._ranges, nodes), tf.gather(self._ranges, nodes + 1)
        at = [first[:, depth, tf.newaxis] + tf.range(most) for depth, most in enumerate(self._most_entries)]
        inside = tf.concat([each < last[:, depth, tf.newaxis] for depth, each in enumerate(at)], axis=1)
        of_depth = np.repeat(np.arange(self.order - 1), self._most_entries)
        at = tf.minimum(tf.concat(at, axis=1), self._entries - 1)
        shares = tf.where(inside, tf.gather(self._shares, at) * tf.gather(weights, of_depth, axis=1), 0.0)
        row = tf.range(tf.shape(nodes)[0])[:, tf.newaxis]
        return row * self.vocabulary_size + tf.cast(tf.gather(self._following, at), tf.int32), shares

    def load_own_variables(self, store: Any) -> None:
        """Read the arrays of a file.

        Raises:
            InputError: They are no tables: something in them points elsewhere.
        """
        super().load_own_variables(store)
        for offsets, first, last in ((self._children, 1, self._nodes - 1), (self._ranges, 0, self._entries - 1)):
            values = keras.ops.convert_to_numpy(offsets)
            if values[0] != first or values[-1] != last or (np.diff(values) < 0).any():
                raise InputError(f"the n-grams of the layer {self.name!r} are damaged; count the text again.")
        for tokens in (self._oldest, self._following):
            if keras.ops.convert_to_numpy(tokens).max() >= self.vocabulary_size:
                raise InputError(f"the layer {self.name!r} has n-grams of unknown tokens; count the text again.")

    def get_config(self) -> dict[str, Any]:
        """Give the constructor's arguments as plain JSON types."""
        config = super().get_config()
        del config["trainable"]
        return {
            **config,
            "vocabulary_size": self.vocabulary_size,
            "order": self.order,
            "nodes": self._nodes,
            "entries": self._entries,
            "most_children": self._most_children,
            "most_entries": self._most_entries,
        }
