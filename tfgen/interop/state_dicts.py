"""Where each weight of a generator stands in the state dict of its PyTorch twin, see `tfgen.interop`.

Axis letters: V vocabulary, U units, D inputs of a layer, G gates (4, 3 or 1), K features of a summary, H units of all
first states, P features of a place of the source.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from tfgen.errors import InputError
from tfgen.layers import stepping
from tfgen.networks import recurrent
from tfgen.networks.building import CELLS
from tfgen.networks.encoder_decoder import EncoderDecoder
from tfgen.networks.kinds import Network
from tfgen.networks.text_encoder import TextEncoder

Arrays = dict[str, np.ndarray]

# Where PyTorch keeps each gate of Keras: LSTM i, f, c, o in both; GRU z, r, h here and r, z, n there. Each order is its
# own inverse.
_GATES = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2), "rnn": (0,)}


class Part(NamedTuple):
    """A layer, and its share of the state dict.

    Attributes:
        layer: Of Keras.
        there: From what its `get_weights` gives to arrays by name.
        back: From a state dict to what its `set_weights` takes.
    """

    layer: Any
    there: Callable[[list[np.ndarray]], Arrays]
    back: Callable[[Arrays], list[np.ndarray]]


def parts(network: Network) -> list[Part]:
    """Take a network apart, in the order of its twin's state dict.

    Raises:
        InputError: It has no twin; the message names the layer.
    """
    if not isinstance(network, EncoderDecoder):
        return _of_text(network)
    encoder = _of_encoder(network.encoder) if isinstance(network.encoder, TextEncoder) else []
    attention = [_attention(network.attention)] if network.attention else []
    return [*encoder, _first_state(network.first_state), *_of_text(network.decoder), *attention]


def _of_text(network: keras.Sequential) -> list[Part]:
    _check_twin(network)
    tables = [layer for layer in network.layers if isinstance(layer, keras.layers.Embedding)]
    layers = enumerate(recurrent.recurrent_layers(network))
    return [
        *(_embedding("embedding", table) for table in tables),
        *(_recurrent("rnn", f"l{index}", layer) for index, layer in layers),
        _linear("fc", network.layers[-1]),
    ]


def _of_encoder(encoder: TextEncoder) -> list[Part]:
    tables = [layer for layer in encoder.layers if isinstance(layer, keras.layers.Embedding)]
    both = [layer for layer in encoder.layers if isinstance(layer, keras.layers.Bidirectional)]
    stack = [_embedding("encoder_embedding", table) for table in tables]
    for index, layer in enumerate(both):
        stack.append(_recurrent("encoder", f"l{index}", layer.forward_layer))
        stack.append(_recurrent("encoder", f"l{index}_reverse", layer.backward_layer))
    return stack


def _embedding(name: str, layer: Any) -> Part:
    return Part(layer, lambda weights: {f"{name}.weight": weights[0]}, lambda given: [given[f"{name}.weight"]])


def _linear(name: str, layer: Any) -> Part:
    def there(weights: list[np.ndarray]) -> Arrays:
        kernel, bias = weights
        return {f"{name}.weight": _turned(kernel), f"{name}.bias": bias}

    return Part(layer, there, lambda given: [given[f"{name}.weight"].T, given[f"{name}.bias"]])


def _first_state(layer: Any) -> Part:
    """The layer of two: its normalisation, which it has unless features are few, and its linear map."""
    normalised = ("summary_norm.weight", "summary_norm.bias")

    def there(weights: list[np.ndarray]) -> Arrays:
        *scale_and_offset, kernel, bias = weights
        first = {"first_state.weight": _turned(kernel), "first_state.bias": bias}
        return dict(zip(normalised, scale_and_offset, strict=False)) | first

    def back(given: Arrays) -> list[np.ndarray]:
        scale_and_offset = [given[name] for name in normalised if name in given]
        return [*scale_and_offset, given["first_state.weight"].T, given["first_state.bias"]]

    return Part(layer, there, back)


def _attention(layer: Any) -> Part:
    """Its scores, and its linear map of [context; query], which is kept in two parts here: (P, U) and (U, U)."""

    def there(weights: list[np.ndarray]) -> Arrays:
        score, of_context, of_query = weights
        combined = np.concatenate([of_context, of_query])
        return {"attention_score.weight": _turned(score), "attention_combine.weight": _turned(combined)}

    def back(given: Arrays) -> list[np.ndarray]:
        score, combined = given["attention_score.weight"].T, given["attention_combine.weight"].T
        return [score, combined[: len(score)], combined[len(score) :]]

    return Part(layer, there, back)


def _recurrent(name: str, place: str, layer: Any) -> Part:
    kind = _kind(layer)
    names = [f"{name}.{each}_{place}" for each in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]

    def there(weights: list[np.ndarray]) -> Arrays:
        kernel, recurrent_kernel, bias = weights
        biases = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
        of_gates = (kernel.T, recurrent_kernel.T, *biases)
        return {each: _reordered(array, kind) for each, array in zip(names, of_gates, strict=True)}

    def back(given: Arrays) -> list[np.ndarray]:
        kernel, recurrent_kernel, *biases = (_reordered(given[each], kind) for each in names)
        bias = np.stack(biases)
        return [kernel.T, recurrent_kernel.T, bias if kind == "gru" else bias.sum(axis=0)]

    return Part(layer, there, back)


def _reordered(array: np.ndarray, kind: str) -> np.ndarray:
    """Exchange the gates, (G U, ...), between the orders of the two frameworks."""
    gates = np.split(array, len(_GATES[kind]))
    return np.ascontiguousarray(np.concatenate([gates[gate] for gate in _GATES[kind]]))


def _turned(kernel: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(kernel.T)


def _kind(layer: Any) -> str:
    return next(kind for kind, name in CELLS.items() if isinstance(layer, getattr(keras.layers, name)))


def _check_twin(network: keras.Sequential) -> None:
    """Refuse a network that the PyTorch twin cannot express."""
    first, *others = stack = recurrent.recurrent_layers(network) or [None]
    if first is None:
        raise InputError("the network has no recurrent layer; its PyTorch twin has at least one.")
    for layer in others:
        if _kind(layer) != _kind(first) or layer.units != first.units:
            raise InputError(
                f"{stepping.named(layer)} differs from {stepping.named(first)} in kind or units; those of the "
                "PyTorch twin are alike."
            )
    for layer in stack:
        _check_layer(layer)
    steps = [layer for layer in network.layers if not isinstance(layer, keras.layers.Dropout)]
    if isinstance(steps[0], keras.layers.Embedding):
        steps = steps[1:]
    if steps[:-1] != stack or network.layers[-1].bias is None:
        found = ", ".join(stepping.named(layer) for layer in network.layers)
        raise InputError(
            f"the PyTorch twin has an embedding or none, recurrent layers and a head with a bias; received {found}."
        )


def _check_layer(layer: Any) -> None:
    expected = {"activation": keras.activations.tanh, "use_bias": True}
    if not isinstance(layer, keras.layers.SimpleRNN):
        expected["recurrent_activation"] = keras.activations.sigmoid
    if isinstance(layer, keras.layers.GRU):
        expected["reset_after"] = True
    for name, value in expected.items():
        if getattr(layer, name) != value:
            raise InputError(f"{stepping.named(layer)} has another {name} than PyTorch, which has {value!r}.")
