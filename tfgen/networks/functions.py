"""The network of a generator run by hand: pure functions over a Sequential, the state an argument and a result.

`prefill` reads a batch of texts, `step` reads one token a row. `Recurrent` is the same as one object.

Axis letters: B batch, T time, V vocabulary, U units.
"""

from typing import Any

import keras
import tensorflow as tf

from tfgen.networks.recurrent import Recurrent, State


def zero_state(network: keras.Sequential, batch_size: Any) -> State:
    """Give the state in which every text begins.

    Args:
        network: A network that passes `check`.
        batch_size: B, an int or a scalar int tensor.

    Returns:
        For each recurrent layer its states, zeros (B, U) in the layer's compute dtype.
    """
    return Recurrent(network).start((), batch_size)


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
    return Recurrent(network).features(ids, state, mask)


def logits_of(network: keras.Sequential, rows: tf.Tensor) -> tf.Tensor:
    """Apply the head without its softmax.

    Args:
        network: A network that passes `check`.
        rows: What `features` gave, (..., U).

    Returns:
        Logits (..., V), float32 (float64 in a float64 network).
    """
    return Recurrent(network).logits(rows)


def prefill(
    network: keras.Sequential, ids: tf.Tensor, lengths: tf.Tensor | None, state: State
) -> tuple[tf.Tensor, State]:
    """Read a batch of texts of different lengths.

    Args:
        network: A network that passes `check`.
        ids: Int (B, T), padded on the right.
        lengths: Int (B,), how many ids of each row are real: at least 1. None: all are.
        state: The state before the first token.

    Returns:
        Logits (B, V) of the token after each row's last one, and the state there.
    """
    model = Recurrent(network)
    rows, state = model.read(ids, lengths, state)
    last = rows[:, -1] if lengths is None else tf.gather(rows, lengths - 1, axis=1, batch_dims=1)
    return model.logits(last), state


def step(network: keras.Sequential, ids: tf.Tensor, state: State) -> tuple[tf.Tensor, State]:
    """Read one token a row.

    Args:
        network: A network that passes `check`.
        ids: Int (B,).
        state: The state before the token.

    Returns:
        Logits (B, V) of the next token, and the state after this one.
    """
    return Recurrent(network).step(ids, state)
