"""Layers stepped one after another, the state a value: what `tfgen.networks.Recurrent` does, in NumPy.

Axis letters: B batch, V vocabulary, U units.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfgen.portable.layers import Layer, check_types

Array = npt.NDArray[Any]
State = list[list[Array]]
_Step = Callable[[Array, list[Array]], tuple[Array, list[Array]]]


class Network:
    """A network of layers that have their arrays; the last is the head."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        check_types(layers)
        self._first = [[np.zeros(layer.outputs, layer.dtype)] * _KEPT.get(layer.kind, 0) for layer in layers[:-1]]
        *self._body, self._head = (_STEPS[layer.kind](layer) for layer in layers)

    def start(self, rows: int) -> State:
        """Give the state before the first token: of each layer, what it keeps, (B, U) each."""
        return [[np.tile(each, (rows, 1)) for each in kept] for kept in self._first]

    def step(self, ids: Array, state: State) -> tuple[Array, State]:
        """Read one token a row, int (B,): what the head reads, and the state after it."""
        x, after = ids, []
        for layer, before in zip(self._body, state, strict=True):
            x, kept = layer(x, before)
            after.append(kept)
        return x, after

    def logits(self, features: Array) -> Array:
        """Apply the head without its softmax: (B, U) to (B, V)."""
        return self._head(features, [])[0]


def _sigmoid(x: Array) -> Array:
    with np.errstate(over="ignore"):  # where it is 0
        return 1 / (1 + np.exp(-x))


_ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    **dict.fromkeys(("linear", "softmax"), lambda x: x),  # softmax is of the head, whose logits are read
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
}


def _recurrent(layer: Layer) -> _Step:
    """Give the step of a cell, as in `tfgen.layers.recurrence`."""
    options, recurrent, u = layer.options, layer.arrays["recurrent"], layer.outputs
    bias = layer.arrays.get("bias", np.zeros(recurrent.shape[1], layer.dtype))
    of_rows, of_state = bias if bias.ndim == 2 else (bias, None)
    table = layer.arrays["kernel"] + of_rows if options["ids"] else None
    squash = _ACTIVATIONS[options["activation"]]
    gate = _ACTIVATIONS[options.get("recurrent_activation", "linear")]

    def rows_of(x: Array) -> Array:
        return x @ layer.arrays["kernel"] + of_rows if table is None else table[x]

    def lstm(x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
        z = rows_of(x) + state[0] @ recurrent
        gates = gate(z)
        c = gates[:, u : 2 * u] * state[1] + gates[:, :u] * squash(z[:, 2 * u : 3 * u])
        h = gates[:, 3 * u :] * squash(c)
        return h, [h, c]

    def gru(x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
        h, rows = state[0], rows_of(x)
        # The gate that resets does so before the product with the last third of the weights, or after it.
        product = h @ (recurrent if options["reset_after"] else recurrent[:, : 2 * u])
        product = product if of_state is None else product + of_state
        gates = gate(rows[:, : 2 * u] + product[:, : 2 * u])
        z, r = gates[:, :u], gates[:, u:]
        reset = r * product[:, 2 * u :] if options["reset_after"] else (r * h) @ recurrent[:, 2 * u :]
        g = squash(rows[:, 2 * u :] + reset)
        h = g + z * (h - g)
        return h, [h]

    def rnn(x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
        h = squash(rows_of(x) + state[0] @ recurrent)
        return h, [h]

    return {"lstm": lstm, "gru": gru, "rnn": rnn}[layer.kind]


def _normalization(layer: Layer) -> _Step:
    def step(x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
        centred = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(centred).mean(axis=-1, keepdims=True)
        normal = centred / np.sqrt(variance + np.dtype(layer.dtype).type(layer.options["epsilon"]))
        return normal * layer.arrays.get("scale", 1) + layer.arrays.get("offset", 0), state

    return step


def _dense(layer: Layer) -> _Step:
    kernel, bias, squash = layer.arrays["kernel"], layer.arrays.get("bias", 0), layer.options["activation"]
    return lambda x, state: (_ACTIVATIONS[squash](x @ kernel + bias), state)


_KEPT = {"lstm": 2, "gru": 1, "rnn": 1}
_STEPS: dict[str, Callable[[Layer], _Step]] = {
    **dict.fromkeys(_KEPT, _recurrent),
    "embedding": lambda layer: lambda ids, state: (layer.arrays["kernel"][ids], state),
    "normalization": _normalization,
    "dense": _dense,
    "dropout": lambda layer: lambda x, state: (x, state),
}
