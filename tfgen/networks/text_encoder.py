"""A network that reads a text in both directions: what a decoder translates, or steers by.

Axis letters: B batch, S places, U units.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgen.errors import InputError, check_choice, real_number, whole_number
from tfgen.layers import keras_layers
from tfgen.layers.bidirectional import Bidirectional
from tfgen.layers.stepping import CELLS
from tfgen.support import wording
from tfgen.vocabulary.vocabulary import END, PADDING, OnUnknown, Vocabulary


@keras.saving.register_keras_serializable(package="tfgen")
class TextEncoder(keras.Model):
    """Texts to what was read at each place (B, S, 2 U): an embedding, and recurrent layers in both directions.

    It is called with strings (B,), or with the ids (B, S) that `ids` gives. Each text is closed by an end of text, so
    that the empty one is a text too.

    Attributes:
        vocabulary: Text to ids.
        cell: "lstm", "gru" or "rnn".
        units: U.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        *,
        cell: str = "lstm",
        units: int = 128,
        layers: int = 1,
        embedding: int = 64,
        dropout: float = 0.0,
        seed: int | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        """Make it with fresh weights; see `text_encoder`."""
        if seed is not None:
            whole_number("seed", seed, 0, most=2**63 - 1)
        policy = keras.dtype_policies.get(dtype)
        if not isinstance(vocabulary, Vocabulary):
            raise InputError(f"the vocabulary must be a tfgen.Vocabulary; received {wording.shown(vocabulary)}.")
        check_choice("cell", cell, [*CELLS])
        whole_number("units", units, 1)
        real_number("dropout", dropout, at_least=0, below=1)
        self._settings = {
            "cell": cell,
            "units": units,
            "layers": whole_number("layers", layers, 1),
            "embedding": whole_number("embedding", embedding, 1),
            "dropout": dropout,
            "seed": seed,
            "dtype": policy.name,
        }
        kind = getattr(keras_layers, CELLS[cell])
        ids = keras.Input((None,), dtype="int32", name="ids")
        uniform = keras.initializers.RandomUniform(-0.05, 0.05, seed=seed)
        x = keras.layers.Embedding(
            len(vocabulary), embedding, embeddings_initializer=uniform, mask_zero=True, dtype=policy
        )(ids)
        for i in range(layers):
            of_layer = None if seed is None else (seed + 1 + i) % 2**63
            reader = kind(
                units,
                return_sequences=True,
                kernel_initializer=keras.initializers.GlorotUniform(of_layer),
                recurrent_initializer=keras.initializers.Orthogonal(seed=of_layer),
                dtype=policy,
            )
            x = Bidirectional(reader, dtype=policy)(x)
            if dropout:
                x = keras.layers.SpatialDropout1D(dropout, seed=of_layer, dtype=policy)(x)
        super().__init__(inputs=ids, outputs=x, **kwargs)
        self.vocabulary = vocabulary
        self.cell, self.units = cell, units
        self._reader = _Reader(vocabulary)

    def ids_from_text(self) -> keras.layers.Layer:
        """Give the Keras layer that cuts and looks up strings; a SavedModel must track it, for its table."""
        return self._reader.ids_from_text

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Read texts, strings (B,) or ids (B, S); a token of a string outside the vocabulary is read as unknown."""
        if not keras.backend.is_keras_tensor(inputs):
            inputs = tf.convert_to_tensor(inputs)
            inputs = self._reader(inputs) if inputs.dtype == tf.string else inputs
        return super().__call__(inputs, *args, **kwargs)

    def ids(self, texts: list[str], unknown: OnUnknown = "error") -> np.ndarray[Any, np.dtype[np.int32]]:
        """Give the ids that the network reads, int32 (B, S), padded on the right.

        Args:
            texts: B of them.
            unknown: What a token outside the vocabulary does: "error", "skip" it, or read it as "unknown".

        Raises:
            InputError: A text has unknown tokens and `unknown` is "error".
        """
        rows = [[*self.vocabulary.encode(text, unknown), END] for text in texts]
        ids = np.full((len(rows), max(map(len, rows), default=1)), PADDING, np.int32)
        for row, of_text in zip(ids, rows, strict=True):
            row[: len(of_text)] = of_text
        return ids

    def get_config(self) -> dict[str, Any]:
        """Give the constructor's arguments as plain JSON types."""
        return {
            "name": self.name,
            "trainable": self.trainable,
            "vocabulary": self.vocabulary.get_config(),
            **self._settings,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> TextEncoder:
        """Make the encoder that `get_config` described; it has fresh weights."""
        config = dict(config)
        return cls(Vocabulary.from_config(config.pop("vocabulary")), **config)


class _Reader:
    """Strings (B,) to ids (B, S), in a graph too; no layer, for a vocabulary is saved with the encoder already."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    @functools.cached_property
    def ids_from_text(self) -> Any:
        with tf.init_scope():
            return self._vocabulary.text_vectorization(ragged=True)

    def __call__(self, texts: tf.Tensor) -> tf.Tensor:
        ends = tf.fill([tf.shape(texts)[0], 1], END)
        return tf.concat([tf.cast(self.ids_from_text(texts), tf.int32), ends], axis=1).to_tensor()


def text_encoder(
    vocabulary: Vocabulary,
    *,
    cell: str = "lstm",
    units: int = 128,
    layers: int = 1,
    embedding: int = 64,
    dropout: float = 0.0,
    seed: int | None = None,
) -> TextEncoder:
    """Make an untrained encoder of texts, for `TextGenerator.build(..., encoder=...)`.

    Args:
        vocabulary: Of the texts that it reads.
        cell: "lstm", "gru" or "rnn".
        units: U, of each layer and direction.
        layers: How many recurrent layers.
        embedding: Size of the learned embedding of the tokens.
        dropout: Share of a layer's outputs that is dropped while training, the same units at each place of a row.
        seed: Makes the initial weights and the dropout draws the same in every run; None draws them anew.

    Raises:
        InputError: A setting is out of its range.
    """
    return TextEncoder(
        vocabulary, cell=cell, units=units, layers=layers, embedding=embedding, dropout=dropout, seed=seed
    )
