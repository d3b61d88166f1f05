"""The network: a plain stateful `keras.Sequential`, and two pure functions that run it with the state as a value.

`prefill` reads a batch of texts, `step` reads one token a row. Both take the recurrent state as an argument and give
the new one back; neither touches the state that a stateful layer keeps for training. Logits come from the head's kernel
and bias, never from the logarithm of its softmax.

Axis letters: B batch, T time, V vocabulary, U units.
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from tfgen import errors
from tfgen.networks.building import CELLS

NO_NUMBERS = "the network gives no numbers: its weights are damaged, or its training has diverged."

# A nest of tensors: for each recurrent layer the list of its states, each (B, U), as Keras orders them.
State = list[list[tf.Tensor]]

_RECURRENT = (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)
_PER_TIMESTEP = (keras.layers.Embedding, keras.layers.Dense, keras.layers.Dropout, keras.layers.LayerNormalization)


def check(network: keras.Sequential) -> None:
    """Refuse a network that `prefill` and `step` cannot run.

    Raises:
        InputError: Names the layer and what is supported.
    """
    if not isinstance(network, keras.Sequential) or not network.built or not network.layers:
        raise errors.InputError(
            f"the network must be a built keras.Sequential (start it with keras.Input); received {network!r}."
        )
    for layer in network.layers:
        _check_layer(layer)
    if (len(network.input_shape), len(network.output_shape)) != (2, 3):
        shapes = f"{network.input_shape} to {network.output_shape}"
        raise errors.InputError(f"the network must map ids (B, T) to (B, T, V); received one from {shapes}.")
    head = network.layers[-1]
    if not isinstance(head, keras.layers.Dense) or head.activation is not keras.activations.softmax:
        raise errors.InputError(
            f"the last layer must be Dense(V, activation='softmax'); received {named(head)}. Keras' losses take "
            "the logits from a softmax by themselves."
        )
    for layer in network.layers:
        if getattr(layer, "quantization_mode", None):
            raise errors.InputError(f"{named(layer)} is quantized; give the network as it was before.")


def _check_layer(layer: Any) -> None:
    if not isinstance(layer, _RECURRENT + _PER_TIMESTEP):
        names = ", ".join(kind.__name__ for kind in _RECURRENT + _PER_TIMESTEP)
        raise errors.InputError(f"cannot step through {named(layer)}; supported layers are {names}.")
    if isinstance(layer, keras.layers.LayerNormalization) and list(layer.axis) not in ([-1], [2]):
        raise errors.InputError(f"{named(layer)} must have axis=-1: other axes run over time; received {layer.axis}.")
    if not isinstance(layer, _RECURRENT):
        return
    if not layer.return_sequences:
        raise errors.InputError(f"{named(layer)} must have return_sequences=True, so that every timestep predicts.")
    for option in ("go_backwards", "unroll", "return_state"):
        if getattr(layer, option):
            raise errors.InputError(f"{named(layer)} has {option}=True, which cannot be stepped; set it to False.")


def named(layer: Any) -> str:
    """Name a layer in a message."""
    return f"the layer {layer.name!r} ({type(layer).__name__})"


def recurrent_layers(network: keras.Sequential) -> list[Any]:
    """Give the recurrent layers, first to last."""
    return [layer for layer in network.layers if isinstance(layer, _RECURRENT)]


def shape(network: keras.Sequential) -> dict[str, Any]:
    """Say in the terms of `build` what a network is: of its first recurrent layer and its embedding, if it has any."""
    recurrent = recurrent_layers(network)
    embeddings = [layer.output_dim for layer in network.layers if isinstance(layer, keras.layers.Embedding)]
    dropouts = [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)]
    names = {name: kind for kind, name in CELLS.items()}
    return {
        "cell": names.get(type(recurrent[0]).__name__, "") if recurrent else "",
        "units": recurrent[0].units if recurrent else 0,
        "layers": len(recurrent),
        "dropout": dropouts[0] if dropouts else 0.0,
        "weight_drop": getattr(recurrent[0], "weight_drop", 0.0) if recurrent else 0.0,
        "embedding": embeddings[0] if embeddings else None,
    }


def vocabulary_size(network: keras.Sequential) -> int:
    """Give V, the number of outputs of the head."""
    return network.layers[-1].units


def zero_state(network: keras.Sequential, batch_size: Any) -> State:
    """Give the state in which every text begins.

    Args:
        network: A network that passes `check`.
        batch_size: B, an int or a scalar int tensor.

    Returns:
        For each recurrent layer its states, zeros (B, U) in the layer's compute dtype.
    """
    return [layer.get_initial_state(batch_size) for layer in recurrent_layers(network)]


def features(
    network: keras.Sequential, ids: tf.Tensor, state: State, mask: tf.Tensor | None = None
) -> tuple[tf.Tensor, State]:
    """Run all layers but the head over whole texts, in inference mode.

    Args:
        network: A network that passes `check`.
        ids: Int (B, T).
        state: The state before the first token, see `zero_state`.
        mask: Bool (B, T), False where a row is padded on the right; the state of a row stops there. None: no padding.

    Returns:
        What the head reads, (B, T, U), and the state after each row's last token.
    """
    x, states, new_state = ids, iter(state), []
    for layer in network.layers[:-1]:
        if isinstance(layer, _RECURRENT):
            _, x, states_of_layer = layer.inner_loop(_read(layer, x), next(states), mask, training=False)
            x = tf.cast(x, layer.compute_dtype)
            new_state.append([tf.cast(s, layer.compute_dtype) for s in states_of_layer])
        else:
            x = layer(x, training=False)
    return x, new_state


def logits_of(network: keras.Sequential, rows: tf.Tensor) -> tf.Tensor:
    """Apply the head without its softmax.

    Args:
        network: A network that passes `check`.
        rows: What `features` gave, (..., U).

    Returns:
        Logits (..., V), float32 (float64 in a float64 network).
    """
    head = network.layers[-1]
    logits = keras.ops.matmul(rows, tf.cast(head.kernel, rows.dtype))
    if head.bias is not None:
        logits += tf.cast(head.bias, rows.dtype)
    return tf.cast(logits, tf.float64 if rows.dtype == tf.float64 else tf.float32)


def prefill(
    network: keras.Sequential, ids: tf.Tensor, lengths: tf.Tensor | None, state: State
) -> tuple[tf.Tensor, State]:
    """Read a batch of texts of different lengths.

    Args:
        network: A network that passes `check`.
        ids: Int (B, T), padded on the right.
        lengths: Int (B,), how many ids of each row are real: at least 1 (cuDNN accepts no empty row). None: all are.
        state: The state before the first token.

    Returns:
        Logits (B, V) of the token after each row's last one, and the state there.
    """
    if lengths is None:
        rows, state = features(network, ids, state)
        return logits_of(network, rows[:, -1]), state
    mask = tf.sequence_mask(lengths, tf.shape(ids)[1])
    rows, state = features(network, ids, state, mask)
    last = tf.gather(rows, lengths - 1, axis=1, batch_dims=1)
    return logits_of(network, last), state


def step(network: keras.Sequential, ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
    """Read one token a row.

    Args:
        network: A network that passes `check`.
        ids: Int (B,).
        state: The state before the token.

    Returns:
        Logits (B, V) of the next token, and the state after this one.
    """
    x, states, new_state = ids, iter(state), []
    for layer in network.layers[:-1]:
        if isinstance(layer, keras.layers.Dropout):
            continue  # Nothing is dropped here, and a layer that drops along rows refuses what has no T.
        if isinstance(layer, _RECURRENT):
            x, states_of_layer = _step(layer, x, next(states))
            new_state.append(states_of_layer)
        else:
            x = layer(x, training=False)
    return logits_of(network, x), new_state


def _read(layer: Any, inputs: tf.Tensor) -> tf.Tensor:
    return layer.read(inputs) if hasattr(layer, "read") else inputs


def _step(layer: Any, inputs: tf.Tensor, state: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
    if hasattr(layer, "step"):
        return layer.step(inputs, state)
    # The cell, not the layer: a layer with T = 1 would nest a second loop per character.
    output, state = layer.cell(inputs, state, training=False)
    return output, list(state)


def with_batch_size(network: keras.Sequential, batch_size: int | None, dtype: str | None = None) -> keras.Sequential:
    """Rebuild a network for another batch size, with the same weights.

    Args:
        network: A network that passes `check`.
        batch_size: B of a stateful network; None makes it start every batch from the zero state.
        dtype: The dtype policy of all layers; None leaves to each its own.

    Returns:
        A new Sequential; recurrent layers are stateful exactly when `batch_size` is given.
    """
    rebuilt = [keras.Input(shape=(None,), batch_size=batch_size, dtype="int32", name="ids")]
    for layer in network.layers:
        config = layer.get_config()
        if isinstance(layer, _RECURRENT):
            config["stateful"] = batch_size is not None
        if dtype is not None:
            config["dtype"] = dtype
        rebuilt.append(type(layer).from_config(config))
    twin = keras.Sequential(rebuilt, name=network.name)
    twin.set_weights(network.get_weights())
    return twin


def training_state(network: keras.Sequential) -> Sequence[Any]:
    """Give the variables, each (B, U), in which stateful layers carry their state from batch to batch while training.

    They are in no `variables` and in no saved file of Keras.
    """
    return [variable for layer in recurrent_layers(network) if layer.stateful for variable in layer.states or ()]
