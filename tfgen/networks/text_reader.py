"""A network of the user's own that reads texts: strings go in.

Axis letters: B batch, S places, D features.
"""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.support import wording
from tfgen.vocabulary.vocabulary import END, PADDING, OnUnknown, Vocabulary


@keras.saving.register_keras_serializable(package="tfgen")
class TextReader(keras.Model):
    """A network from ids (B, S) to a vector a text, (B, D), or a sequence, (B, S, D), that is given texts.

    It is called with strings (B,), or with the ids (B, S) that `ids` gives. Each text is closed by an end of text, so
    that the empty one is a text too.

    Attributes:
        vocabulary: Text to ids.
    """

    def __init__(self, vocabulary: Vocabulary, network: keras.Model, **kwargs: Any) -> None:
        """Put the vocabulary before the network, whose layers and weights become those of this one.

        Args:
            vocabulary: Of the texts that it reads.
            network: From ids, an integer (B, S) of any B and S, to (B, D) or (B, S, D). Short texts are padded on the
                right with the id 0, which it must not read: a sequence comes with its mask, as that of
                `keras.layers.Embedding(..., mask_zero=True)`.
            **kwargs: As for `keras.Model`.

        Raises:
            InputError: The vocabulary is none, or the network reads something else.
        """
        check_vocabulary(vocabulary)
        _check_network(network)
        super().__init__(inputs=network.inputs[0], outputs=network.outputs[0], **kwargs)
        self.vocabulary = vocabulary
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
            "network": keras.saving.serialize_keras_object(keras.Model(self.inputs[0], self.outputs[0])),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> TextReader:
        """Make the reader that `get_config` described; it has fresh weights."""
        config = dict(config)
        network = keras.saving.deserialize_keras_object(config.pop("network"), custom_objects=custom_objects)
        config.pop("dtype", None)  # the layers have theirs
        return cls(Vocabulary.from_config(config.pop("vocabulary")), network, **config)


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


def check_vocabulary(vocabulary: Any) -> None:
    """Refuse what is no vocabulary.

    Raises:
        InputError: It is none.
    """
    if not isinstance(vocabulary, Vocabulary):
        raise InputError(f"the vocabulary must be a tfgen.Vocabulary; received {wording.shown(vocabulary)}.")


def _check_network(network: Any) -> None:
    if not isinstance(network, keras.Model) or not hasattr(network, "output_shape") or not network.built:
        raise InputError(
            "the network must be a Keras model that knows its input, keras.Input((None,), dtype='int32'); received "
            f"{wording.shown(network)}."
        )
    read = [(tensor.dtype, tuple(tensor.shape)) for tensor in network.inputs]
    if len(read) != 1 or "int" not in read[0][0] or read[0][1] != (None, None):
        shown = " and ".join(f"{dtype} {shape}" for dtype, shape in read)
        raise InputError(
            "the network must read ids, keras.Input((None,), dtype='int32'), texts of any length; received one that "
            f"reads {shown}."
        )
    if len(network.outputs) != 1:
        raise InputError(
            f"the network must give one vector a text, or a sequence; received one with {len(network.outputs)} outputs."
        )
