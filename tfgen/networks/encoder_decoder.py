"""An encoder before a network of text: what was read makes the first state, and is what attention looks at.

Axis letters: B batch, T time, V vocabulary, S places of a source, D features of a place, P parts of a summary.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.layers import stepping
from tfgen.layers.attention import Attention
from tfgen.layers.first_state import PARTS, FirstState, summary
from tfgen.layers.recurrence import State
from tfgen.networks import recurrent
from tfgen.networks.chain import check_plain
from tfgen.support import wording


class Encoded(NamedTuple):
    """What an encoder has read.

    Attributes:
        summary: (B, P, D), of which the first state is made.
        memory: What attention looks at; () where there is no attention.
    """

    summary: Any
    memory: Any


@keras.saving.register_keras_serializable(package="tfgen")
class EncoderDecoder(keras.Model):
    """A source and a text to probabilities: `(source, ids)`, ids (B, T), to (B, T, V).

    The encoder reads the source (Sutskever et al. 2014, arXiv:1409.3215). A vector a row, (B, D), makes the first state
    of the decoder's recurrent layers; of a sequence, (B, S, D), its ends, mean and maximum do. With attention the last
    of the decoder's features look at that sequence before the head reads them.

    Attributes:
        encoder: Any Keras model from a source to (B, D) or (B, S, D), with the mask of its places if it has one.
        decoder: A Sequential from ids to probabilities, as a language model has it; it is not stateful.
        first_state: From the summary to the decoder's first state; None for one without recurrent layers.
        attention: The layer between the decoder's features and its head, or None.
        summary_shape: (B, P, D).
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Sequential,
        *,
        attention: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Join an encoder and a decoder.

        Args:
            encoder: See the attribute; it may be trained already, and frozen.
            decoder: See the attribute.
            attention: Whether the decoder attends to the places of the source.
            seed: Makes the initial weights of what joins them the same in every run; None draws them anew.
            **kwargs: As for `keras.Model`.

        Raises:
            InputError: They do not go together; the message says why.
        """
        super().__init__(**kwargs)
        recurrent.check(decoder)
        check_plain(decoder)
        encoded = _encoded_shape(encoder)
        if not isinstance(attention, bool):
            raise InputError(f"attention is True or False; received {wording.shown(attention)}.")
        if attention and len(encoded) == 2:
            raise InputError(
                f"attention looks at places, (B, S, D), and the encoder gives one vector a row, {_shape(encoded)}: "
                "give attention=False, or an encoder whose last layer keeps the places."
            )
        begun = recurrent.recurrent_layers(decoder)
        if any(layer.stateful for layer in begun):
            raise InputError("a network with an encoder begins every row with its source: give batch_size=None.")
        if not begun and not attention:
            raise InputError("nothing of the source would reach the text: the decoder has no recurrent layer.")
        self.encoder = encoder
        self.decoder = decoder
        self.attention = Attention(_features(decoder), seed, dtype=self.dtype_policy) if attention else None
        sizes = [_sizes(layer) for layer in begun]
        self.first_state = FirstState(sizes, seed, dtype=self.dtype_policy) if sizes else None
        self._build(encoded, _features(decoder))

    def _build(self, encoded: tuple[int | None, ...], features: int) -> None:
        width = int(encoded[-1] or 0)
        self.summary_shape = (None, 1 if len(encoded) == 2 else PARTS, width)
        if self.first_state:
            self.first_state.build(self.summary_shape)
        if self.attention:
            self.attention.build([(None, None, features), (None, None, width)])
        self.built = True

    @property
    def source(self) -> Any:
        """What the encoder takes, a nest of `tf.TensorSpec` with its names, whose first axis is B."""
        inputs = self.encoder.inputs if isinstance(self.encoder, keras.Sequential) else self.encoder.input
        inputs = inputs[0] if isinstance(inputs, list) and len(inputs) == 1 else inputs
        return tf.nest.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype, tensor.name), inputs)

    def encode(self, source: Any, training: bool = False) -> Encoded:
        """Read sources.

        Args:
            source: As `source` says, of B rows.
            training: Whether dropout drops.
        """
        encoded = self.encoder(source, training=training)
        mask = getattr(encoded, "_keras_mask", None) if encoded.shape.rank == 3 else None
        encoded = tf.cast(encoded, self.compute_dtype)
        memory = self.attention.memory(encoded, mask) if self.attention else ()
        return Encoded(summary(encoded, mask), memory)

    def beginning(self, encoded: Encoded) -> list[State]:
        """Give the states of the decoder's recurrent layers before the first token, each (B, U)."""
        return self.first_state(encoded.summary) if self.first_state else []

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Map `(source, ids)` to the probabilities of each next token (B, T, V)."""
        source, x = inputs
        encoded = self.encode(source, training)
        states = iter(self.beginning(encoded))
        for layer in self.decoder.layers[:-1]:
            if stepping.is_recurrent(layer):
                x = layer(x, initial_state=next(states), training=training)
            else:
                x = layer(x, training=training) if layer._call_has_training_arg else layer(x)
        if self.attention:
            x, _ = self.attention.attend(x, encoded.memory)
        return self.decoder.layers[-1](x)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Give (B, T, V)."""
        return (*input_shape[1], recurrent.vocabulary_size(self.decoder))

    def get_config(self) -> dict[str, Any]:
        """Give the constructor's arguments as plain JSON types."""
        return {
            "name": self.name,
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "attention": self.attention is not None,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> EncoderDecoder:
        """Make the network that `get_config` described; it has fresh weights."""
        config = dict(config)
        parts = {
            part: keras.saving.deserialize_keras_object(config.pop(part), custom_objects=custom_objects)
            for part in ("encoder", "decoder")
        }
        dtype = keras.saving.deserialize_keras_object(config.pop("dtype"))
        return cls(**parts, **config, dtype=dtype)

    def get_build_config(self) -> None:
        """Say nothing: the constructor builds everything."""


def _sizes(layer: Any) -> list[int]:
    """Give the units of each state of a recurrent layer."""
    sizes = layer.state_size
    return list(sizes) if isinstance(sizes, (list, tuple)) else [sizes]


def _features(decoder: keras.Sequential) -> int:
    """Give the number of features that the head reads."""
    return int(decoder.layers[-1].kernel.shape[0])


def _encoded_shape(encoder: Any) -> tuple[int | None, ...]:
    """Give the shape of what an encoder gives.

    Raises:
        InputError: It is no encoder.
    """
    if not isinstance(encoder, keras.Model) or not hasattr(encoder, "output_shape") or not encoder.built:
        raise InputError(
            "the encoder must be a Keras model that knows its input (a Sequential that starts with keras.Input, or "
            f"keras.Model(inputs, outputs)); received {wording.shown(encoder)}."
        )
    if sizes := {tensor.shape[0] for tensor in encoder.inputs} - {None}:
        raise InputError(
            f"the encoder must read batches of any size; received one of batch_size {min(sizes)}: make its keras.Input "
            "without batch_size."
        )
    if carrying := [layer.name for layer in encoder._flatten_layers() if getattr(layer, "stateful", False)]:
        raise InputError(
            f"the encoder must begin each source anew; received one in which {wording.listing(carrying)} carries its "
            "state from batch to batch: make it with stateful=False."
        )
    shape = encoder.output_shape
    if not isinstance(shape, tuple) or len(shape) not in (2, 3) or not isinstance(shape[-1], int):
        raise InputError(
            "the encoder must give one vector a row, (B, D), or a sequence of them, (B, S, D), D a number; received "
            f"one that gives {_shape(shape)}."
        )
    return shape


def _shape(shape: Any) -> str:
    if isinstance(shape, tuple) and all(isinstance(size, int | None) for size in shape):
        return f"({', '.join('B' if not i else str(size or '?') for i, size in enumerate(shape))})"
    return f"several tensors, of {wording.shown(shape)}"
