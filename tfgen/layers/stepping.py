"""How a layer is read and stepped, its state a value: one that remembers does so itself, all others have no state.

A layer of a user's own takes part in writing if it has the methods of `Stepped`; Keras' own layers are wrapped here,
and this is the one place that lists them.

Axis letters: B batch, T time, D features, U units.
"""

from typing import Any, Protocol, runtime_checkable

import keras
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.layers.recurrence import State
from tfgen.layers.transformer import Transformer

CELLS = {"lstm": "LSTM", "gru": "GRU", "rnn": "SimpleRNN"}
"""The names of cells for those who build a network, and the layers that they stand for."""

TRANSFORMER = "transformer"
"""The name for a network that is no recurrent one, but has a `layers.Transformer`."""

_RECURRENT = (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)
_PER_TIMESTEP = (keras.layers.Embedding, keras.layers.Dense, keras.layers.Dropout, keras.layers.LayerNormalization)


@runtime_checkable
class Stepped(Protocol):
    """A layer that can be read and stepped, in inference mode."""

    def first_state(self, rows: Any) -> State:
        """Give the state of so many rows, an int or a scalar int tensor, before their first token."""

    def read(self, inputs: tf.Tensor, state: State, mask: tf.Tensor | None = None) -> tuple[tf.Tensor, State]:
        """Read sequences.

        Args:
            inputs: (B, T) or (B, T, D).
            state: Before the first timestep.
            mask: Bool (B, T), False where a row is padded on the right; its state stops there. None: no padding.

        Returns:
            The outputs (B, T, ...), and the state after each row.
        """

    def step(self, inputs: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        """Read one timestep, (B,) or (B, D): the output (B, ...), and the state after it."""


class _Recurrent:
    """A recurrent layer of Keras' own, by its cell and its loop."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    def first_state(self, rows: Any) -> State:
        return self._layer.get_initial_state(rows)

    def read(self, inputs: tf.Tensor, state: State, mask: tf.Tensor | None = None) -> tuple[tf.Tensor, State]:
        _, outputs, state = self._layer.inner_loop(inputs, state, mask, training=False)
        return cast(self._layer, outputs, state)

    def step(self, inputs: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        # The cell, not the layer: a layer with T = 1 would nest a second loop per token.
        output, state = self._layer.cell(inputs, state, training=False)
        return output, list(state)


class _PerTimestep:
    """A layer that treats each timestep by itself."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    def first_state(self, rows: Any) -> State:
        return []

    def read(self, inputs: tf.Tensor, state: State, mask: tf.Tensor | None = None) -> tuple[tf.Tensor, State]:
        return self._layer(inputs, training=False), state

    def step(self, inputs: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        return self._layer(inputs, training=False), state


class _Nothing:
    """A layer that does nothing but in training; one that drops along rows would refuse what has no T."""

    def first_state(self, rows: Any) -> State:
        return []

    def read(self, inputs: tf.Tensor, state: State, mask: tf.Tensor | None = None) -> tuple[tf.Tensor, State]:
        return inputs, state

    def step(self, inputs: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
        return inputs, state


def stepped(layer: Any) -> Stepped:
    """Give a layer as one that can be read and stepped.

    Raises:
        InputError: It cannot be; the message names it and says which can.
    """
    _check_options(layer)
    if isinstance(layer, Stepped):
        return layer
    if is_recurrent(layer):
        return _Recurrent(layer)
    if isinstance(layer, keras.layers.Dropout):
        return _Nothing()
    if isinstance(layer, _PER_TIMESTEP):
        return _PerTimestep(layer)
    names = ", ".join(kind.__name__ for kind in _RECURRENT + _PER_TIMESTEP)
    raise InputError(
        f"cannot step through {named(layer)}; supported layers are {names}, and layers of your own with the methods "
        "first_state, read and step (see tfgen.layers.Stepped)."
    )


def _check_options(layer: Any) -> None:
    """Refuse options that make a layer of a supported class one that cannot be stepped."""
    if isinstance(layer, keras.layers.LayerNormalization) and list(layer.axis) not in ([-1], [2]):
        raise InputError(f"{named(layer)} must have axis=-1: other axes run over time; received {layer.axis}.")
    if getattr(layer, "quantization_mode", None):
        raise InputError(f"{named(layer)} is quantized; give the network as it was before.")
    if not is_recurrent(layer):
        return
    if not layer.return_sequences:
        raise InputError(f"{named(layer)} must have return_sequences=True, so that every timestep predicts.")
    for option in ("go_backwards", "unroll", "return_state"):
        if getattr(layer, option):
            raise InputError(f"{named(layer)} has {option}=True, which cannot be stepped; set it to False.")


def unwrapped(layers: list[Any]) -> list[Any]:
    """Give what layers do to each timestep: without `TimeDistributed` around one, and a softmax after the head."""
    layers = [within(layer) for layer in layers]
    if len(layers) < 2 or not is_softmax(layers[-1]) or isinstance(layers[-1], keras.layers.Dense):
        return layers
    if is_softmax(layers[-2]):
        raise InputError(f"{named(layers[-2])} has a softmax, and another one follows it: remove one of them.")
    return layers[:-1]


def is_softmax(layer: Any) -> bool:
    """Whether what a layer gives is a softmax along the last axis."""
    layer = within(layer)
    if isinstance(layer, keras.layers.Softmax):
        return layer.axis in (-1, 2)
    return getattr(layer, "activation", None) is keras.activations.softmax


def within(layer: Any) -> Any:
    """Give the layer that works on each timestep: what a `TimeDistributed` holds, or the layer itself."""
    is_wrapped = isinstance(layer, keras.layers.TimeDistributed)
    return layer.layer if is_wrapped and isinstance(layer.layer, _PER_TIMESTEP) else layer


def check_head(layer: Any) -> None:
    """Refuse a last layer that gives no logits of the vocabulary, and no softmax of them.

    Raises:
        InputError: Names it, and says what it must be.
    """
    heads = (keras.activations.softmax, keras.activations.linear)
    if not isinstance(layer, keras.layers.Dense) or layer.activation not in heads:
        raise InputError(
            f"the last layer must be Dense(V, activation='softmax'), or a Dense(V) whose logits are compiled with "
            f"from_logits=True; received {named(layer)}."
        )


def is_recurrent(layer: Any) -> bool:
    """Whether a layer is one of Keras' recurrent layers or of ours, which are subclasses of them."""
    return isinstance(layer, _RECURRENT)


def named(layer: Any) -> str:
    """Name a layer in a message."""
    return f"the layer {layer.name!r} ({type(layer).__name__})"


def cast(layer: Any, outputs: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
    """Give what Keras' loop has computed in the layer's compute dtype: a mask may have widened it."""
    return tf.cast(outputs, layer.compute_dtype), [tf.cast(each, layer.compute_dtype) for each in state]


def description(layers: list[Any]) -> dict[str, Any]:
    """Describe layers in the terms of `tfgen.networks.build`: the first recurrent one, dropout, and the embedding."""
    for layer in layers:
        if isinstance(layer, Transformer):
            sizes = {name: getattr(layer, name) for name in ("layers", "heads", "window", "dropout")}
            return {
                "cell": TRANSFORMER,
                "units": layer.positions.shape[1],
                "weight_drop": 0.0,
                "embedding": None,
            } | sizes
    recurrent = [layer for layer in layers if is_recurrent(layer)]
    embeddings = [layer.output_dim for layer in layers if isinstance(layer, keras.layers.Embedding)]
    dropouts = [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)]
    first = recurrent[0] if recurrent else None
    cells = {name: cell for cell, name in CELLS.items()}
    return {
        "cell": cells.get(type(first).__name__, ""),
        "units": first.units if first else 0,
        "layers": len(recurrent),
        "dropout": dropouts[0] if dropouts else 0.0,
        "weight_drop": getattr(first, "weight_drop", 0.0),
        "embedding": embeddings[0] if embeddings else None,
    }
