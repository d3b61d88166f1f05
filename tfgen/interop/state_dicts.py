"""Where each weight of a generator stands in the state dict of its PyTorch twin, see `tfgen.interop`.

Axis letters: V vocabulary, U units, D inputs of a layer, G gates (4, 3 or 1), H units of all first
states, P features of a place of the source.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tfgen.errors import InputError
from tfgen.interop.gpt2 import is_gpt2, parts_of_gpt2
from tfgen.interop.parts import Arrays, Part, embedding, turned
from tfgen.networks import chain
from tfgen.networks.described import layers_of
from tfgen.networks.encoder_decoder import EncoderDecoder
from tfgen.networks.kinds import Network
from tfgen.networks.text_encoder import TextEncoder
from tfgen.portable.layers import Layer

# Where PyTorch keeps each gate of Keras: LSTM i, f, c, o in both; GRU z, r, h here and r, z, n there. Each order is its
# own inverse.
_GATES = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2), "rnn": (0,)}


def parts(network: Network) -> list[Part]:
    """Take a network apart, in the order of its twin's state dict.

    Raises:
        InputError: It has no twin; the message names the layer.
    """
    if not isinstance(network, EncoderDecoder):
        return _of_text(network)
    if is_gpt2(network.decoder):
        raise InputError("GPT-2 has no encoder; received a transformer with one, which has no twin in PyTorch.")
    encoder = _of_encoder(network.encoder) if isinstance(network.encoder, TextEncoder) else []
    attention = [_attention(network.attention)] if network.attention else []
    return [*encoder, _linear("first_state", network.first_state), *_of_text(network.decoder), *attention]


def _of_text(network: keras.Sequential) -> list[Part]:
    if is_gpt2(network):
        return parts_of_gpt2(network)
    described, layers = layers_of(network), chain.layers_of(network)
    _check_twin(described)
    stack: list[Part] = []
    depth = 0
    for layer, own in zip(described, layers, strict=True):
        if layer.kind == "embedding":
            stack.append(embedding("embedding", own))
        elif layer.cell:
            stack.append(_recurrent("rnn", f"l{depth}", own, layer.kind))
            depth += 1
    return [*stack, _linear("fc", layers[-1])]


def _of_encoder(encoder: TextEncoder) -> list[Part]:
    tables = [layer for layer in encoder.layers if isinstance(layer, keras.layers.Embedding)]
    both = [layer for layer in encoder.layers if isinstance(layer, keras.layers.Bidirectional)]
    stack = [embedding("encoder_embedding", table) for table in tables]
    for index, layer in enumerate(both):
        stack.append(_recurrent("encoder", f"l{index}", layer.forward_layer, encoder.cell))
        stack.append(_recurrent("encoder", f"l{index}_reverse", layer.backward_layer, encoder.cell))
    return stack


def _linear(name: str, layer: Any) -> Part:
    def there(weights: list[np.ndarray]) -> Arrays:
        kernel, bias = weights
        return {f"{name}.weight": turned(kernel), f"{name}.bias": bias}

    return Part(layer, there, lambda given: [given[f"{name}.weight"].T, given[f"{name}.bias"]])


def _attention(layer: Any) -> Part:
    """Its scores, and its linear map of [context; query], which is kept in two parts here: (P, U) and (U, U)."""

    def there(weights: list[np.ndarray]) -> Arrays:
        score, of_context, of_query = weights
        combined = np.concatenate([of_context, of_query])
        return {"attention_score.weight": turned(score), "attention_combine.weight": turned(combined)}

    def back(given: Arrays) -> list[np.ndarray]:
        score, combined = given["attention_score.weight"].T, given["attention_combine.weight"].T
        return [score, combined[: len(score)], combined[len(score) :]]

    return Part(layer, there, back)


def _recurrent(name: str, place: str, layer: Any, kind: str) -> Part:
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


def _check_twin(described: Sequence[Layer]) -> None:
    """Refuse a network that the PyTorch twin cannot express."""
    layers = [layer for layer in described if layer.kind != "dropout"]
    cells = [layer for layer in layers if layer.cell]
    if not cells:
        raise InputError("the network has no recurrent layer; its PyTorch twin has at least one.")
    for layer in cells[1:]:
        if (layer.kind, layer.outputs) != (cells[0].kind, cells[0].outputs):
            raise InputError(
                f"{layer.named} differs from {cells[0].named} in kind or units; those of the PyTorch twin are alike."
            )
    for layer in cells:
        _check_cell(layer)
    body = layers[1:] if layers[0].kind == "embedding" else layers
    if body[:-1] != cells or "bias" not in layers[-1].shapes:
        found = ", ".join(layer.named for layer in layers)
        raise InputError(
            f"the PyTorch twin has an embedding or none, recurrent layers and a head with a bias; received {found}."
        )


def _check_cell(layer: Layer) -> None:
    given = {**layer.options, "use_bias": "bias" in layer.shapes}
    theirs = {"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": True, "use_bias": True}
    for name, value in theirs.items():
        if given.get(name, value) != value:
            raise InputError(f"{layer.named} has another {name} than PyTorch, which has {value!r}.")
