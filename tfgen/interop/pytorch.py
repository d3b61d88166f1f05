"""The weights of a generator as the state dict of its PyTorch twin, see `tfgen.interop`.

Axis letters: V vocabulary, U units, D inputs of a layer (V, the embedding's size, or U), G gates (4, 3 or 1).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfgen.errors import InputError, check_instance, damage, path_of
from tfgen.layers import stepping
from tfgen.networks import recurrent
from tfgen.networks.building import CELLS
from tfgen.support import atomic_files, wording
from tfgen.text_generator import TextGenerator

Arrays = dict[str, np.ndarray]

# Where PyTorch keeps each gate of Keras: LSTM i, f, c, o in both; GRU z, r, h here and r, z, n there. Each order is its
# own inverse.
_GATES = {"lstm": (0, 1, 2, 3), "gru": (1, 0, 2), "rnn": (0,)}


def to_torch(generator: TextGenerator) -> Arrays:
    """Give the weights as the state dict of the PyTorch twin.

    PyTorch keeps two biases a layer and adds them up; those of an LSTM and of a plain RNN go into the first, and the
    second is zero. A GRU has both here too.

    Args:
        generator: One kind of recurrent layer, all of U units, with Keras' own activations, then the head; an embedding
            before and dropouts between are allowed.

    Returns:
        Arrays of the weights' dtype by name: `rnn.weight_ih_l0` (G U, D), `rnn.weight_hh_l0` (G U, U),
        `rnn.bias_ih_l0` and `rnn.bias_hh_l0` (G U), and so on for each layer; `fc.weight` (V, U), `fc.bias` (V);
        `embedding.weight` (V, D).

    Raises:
        InputError: The network has no such twin; the message names the layer.

    >>> generator = TextGenerator.build(Vocabulary.from_texts(["abab"]), units=3)
    >>> {name: array.shape for name, array in to_torch(generator).items()}["rnn.weight_ih_l0"]
    (12, 5)
    """
    check_instance("generator", generator, TextGenerator, "a tfgen.TextGenerator")
    network = generator.network
    _check_twin(network)
    arrays: Arrays = {}
    for layer in network.layers:
        if isinstance(layer, keras.layers.Embedding):
            arrays["embedding.weight"] = layer.get_weights()[0]
    for index, layer in enumerate(recurrent.recurrent_layers(network)):
        parts = _layer_to_torch(_kind(layer), *layer.get_weights())
        arrays |= {f"rnn.{name}_l{index}": array for name, array in parts.items()}
    kernel, bias = network.layers[-1].get_weights()
    return arrays | {"fc.weight": np.ascontiguousarray(kernel.T), "fc.bias": bias}


def from_torch(generator: TextGenerator, state_dict: Mapping[str, Any]) -> None:
    """Set the weights from the state dict of the PyTorch twin.

    Args:
        generator: As for `to_torch`.
        state_dict: Arrays or PyTorch tensors by name, as `to_torch` gives them and `module.state_dict()`.

    Raises:
        InputError: A name is missing or unexpected, or a shape is another; nothing is changed then.
    """
    wanted = to_torch(generator)
    given = _checked(state_dict, wanted)
    network = generator.network
    new: list[tuple[Any, list[np.ndarray]]] = []
    for layer in network.layers:
        if isinstance(layer, keras.layers.Embedding):
            new.append((layer, [given["embedding.weight"]]))
    for index, layer in enumerate(recurrent.recurrent_layers(network)):
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        new.append((layer, _layer_from_torch(_kind(layer), *(given[f"rnn.{name}_l{index}"] for name in names))))
    new.append((network.layers[-1], [given["fc.weight"].T, given["fc.bias"]]))
    for layer, weights in new:
        layer.set_weights(weights)


def save_torch(generator: TextGenerator, path: str | os.PathLike[str]) -> None:
    """Write the state dict of the PyTorch twin, which `safetensors.torch.load_file` reads there.

    Args:
        generator: As for `to_torch`.
        path: Ends in `.safetensors`; the file is written under another name and renamed when it is whole.

    Raises:
        InputError: The network has no twin, the path has another ending, or safetensors is not installed.
        OSError: The file cannot be written; what was there before is unharmed.
    """
    path = path_of("path", path)
    if path.suffix != ".safetensors":
        raise InputError(f"the file's name must end in .safetensors; received {str(path)!r}.")
    content = _safetensors().save(to_torch(generator), metadata={"format": "pt"})
    with atomic_files.file(path) as new:
        new.write_bytes(content)


def load_torch(generator: TextGenerator, path: str | os.PathLike[str]) -> None:
    """Set the weights from a safetensors file of the PyTorch twin.

    Args:
        generator: As for `to_torch`.
        path: Ends in `.safetensors`. Pickled files (`.pt`) are not read, for they can run code.

    Raises:
        InputError: The file is missing, damaged or of another kind, its weights do not fit (nothing is changed then),
            or safetensors is not installed.
    """
    path = path_of("path", path)
    if path.suffix not in (".pt", ".pth", ".bin", ".ckpt", ".safetensors"):
        raise InputError(f"a file of weights ends in .safetensors; received {str(path)!r}.")
    if path.suffix != ".safetensors":
        raise InputError(
            f"{str(path)!r} is not read: a {path.suffix} file is a pickle, which can run code; where PyTorch is, make "
            f"a safetensors file of it: safetensors.torch.save_file(torch.load({str(path)!r}, weights_only=True), "
            f"{str(path.with_suffix('.safetensors'))!r})."
        )
    safetensors = _safetensors()
    with damage(lambda error: _unreadable(path, error)):
        arrays = safetensors.load(path.read_bytes())
    from_torch(generator, arrays)


def _unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{str(path)!r} cannot be read: {error.strerror or error}."
    if isinstance(error, KeyError):
        return f"{str(path)!r} holds numbers of the type {error.args[0]}, which NumPy lacks: save them as float32."
    return f"{str(path)!r} is no safetensors file, or damaged: {wording.shorten(str(error), 200)}."


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


def _layer_to_torch(kind: str, kernel: np.ndarray, recurrent_kernel: np.ndarray, bias: np.ndarray) -> Arrays:
    biases = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
    return {
        "weight_ih": _reordered(kernel.T, kind),
        "weight_hh": _reordered(recurrent_kernel.T, kind),
        "bias_ih": _reordered(biases[0], kind),
        "bias_hh": _reordered(biases[1], kind),
    }


def _layer_from_torch(
    kind: str, weight_ih: np.ndarray, weight_hh: np.ndarray, bias_ih: np.ndarray, bias_hh: np.ndarray
) -> list[np.ndarray]:
    biases = np.stack([_reordered(bias_ih, kind), _reordered(bias_hh, kind)])
    return [
        _reordered(weight_ih, kind).T,
        _reordered(weight_hh, kind).T,
        biases if kind == "gru" else biases.sum(axis=0),
    ]


def _reordered(array: np.ndarray, kind: str) -> np.ndarray:
    """Exchange the gates, (G U, ...), between the orders of the two frameworks."""
    gates = np.split(array, len(_GATES[kind]))
    return np.ascontiguousarray(np.concatenate([gates[gate] for gate in _GATES[kind]]))


def _checked(state_dict: Mapping[str, Any], wanted: Arrays) -> Arrays:
    """Give the arrays of a state dict if their names and shapes are those wanted."""
    if not isinstance(state_dict, Mapping):
        raise InputError(f"a state dict maps names to arrays; received {type(state_dict).__name__}.")
    missing, unexpected = wanted.keys() - state_dict.keys(), state_dict.keys() - wanted.keys()
    if missing or unexpected:
        raise InputError(
            f"the state dict does not fit the network: missing {wording.listing(sorted(missing))}; unexpected "
            f"{wording.listing(sorted(map(str, unexpected)))}."
        )
    arrays = {name: _array(name, state_dict[name]) for name in wanted}
    for name, array in arrays.items():
        if array.shape != wanted[name].shape:
            raise InputError(f"{name!r} must have the shape {wanted[name].shape}; received {array.shape}.")
    return arrays


def _array(name: str, value: Any) -> np.ndarray:
    # NumPy has no bfloat16, and float64 holds every number of it.
    array = np.asarray(value.detach().cpu().double() if hasattr(value, "detach") else value)
    if array.dtype.kind not in "fiu":
        raise InputError(f"{name!r} must be an array of numbers; received {wording.shown(value)}.")
    return array


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise InputError("safetensors files need the package safetensors: pip install 'tfgen[safetensors]'.") from None
    return safetensors.numpy
