"""Weights and networks of other frameworks: PyTorch's recurrent layers with a linear head, and plain Keras.

The PyTorch twin of a generator is a module such as tutorials write:

    class LSTMGenerator(nn.Module):
        def __init__(self, vocab, hidden, num_layers):
            super().__init__()
            self.rnn = nn.LSTM(vocab, hidden, num_layers, batch_first=True)    # or nn.GRU, nn.RNN
            self.fc = nn.Linear(hidden, vocab)

read from one-hot rows, or from `self.embedding = nn.Embedding(vocab, size)`. Row i of its weights is token i of the
vocabulary, the reserved ids included. Neither PyTorch nor safetensors is needed for its state dict; safetensors is for
files.

Axis letters: V vocabulary, U units, D inputs of a layer (V, the embedding's size, or U), G gates (4, 3 or 1).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tfgen.errors import InputError, check_instance, damage, path_of
from tfgen.layers import keras_layers, stepping
from tfgen.layers.stepping import CELLS
from tfgen.networks.described import layers_of
from tfgen.portable.layers import Layer
from tfgen.support import atomic_files, wording
from tfgen.text_generator import TextGenerator
from tfgen.vocabulary.vocabulary import Vocabulary

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
    _check_generator(generator)
    layers = _twin(generator)
    arrays: Arrays = {} if layers[0].cell else {"embedding.weight": layers[0].arrays["kernel"]}
    for index, layer in enumerate(layer for layer in layers if layer.cell):
        parts = _layer_to_torch(layer.kind, *layer.arrays.values())
        arrays |= {f"rnn.{name}_l{index}": array for name, array in parts.items()}
    kernel, bias = layers[-1].arrays.values()
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
    new: list[tuple[Any, list[np.ndarray]]] = []
    index = 0
    for layer, own in zip(layers_of(generator), generator.network.layers, strict=True):
        if layer.kind == "embedding":
            new.append((own, [given["embedding.weight"]]))
        elif layer.cell:
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            new.append((own, _layer_from_torch(layer.kind, *(given[f"rnn.{name}_l{index}"] for name in names))))
            index += 1
    new.append((generator.network.layers[-1], [given["fc.weight"].T, given["fc.bias"]]))
    for own, weights in new:
        own.set_weights(weights)


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


def to_keras(generator: TextGenerator) -> keras.Sequential:
    """Rebuild the network of Keras' own layers, with the same weights in the same order.

    One-hot input becomes a nested model of one operation, without weights. So the model is saved and loaded where tfgen
    is not, and `set_weights(get_weights())` goes both ways between it and `generator.network`.

    Returns:
        A Sequential from int ids (B, T) to probabilities (B, T, V) that keeps no state between batches.

    Raises:
        InputError: It is no generator, or has a layer that is not of Keras or tfgen.
    """
    _check_generator(generator)
    stack: list[Any] = [keras.Input(shape=(None,), dtype="int32", name="ids")]
    for layer in generator.network.layers:
        config = layer.get_config()
        size = config.pop("one_hot", None)
        config.pop("weight_drop", None)  # which is for training only
        if size:
            stack.append(_one_hot(size, layer.compute_dtype))
        if "stateful" in config:
            config["stateful"] = False
        kind = getattr(keras.layers, type(layer).__name__, None)
        if kind is None:
            raise InputError(
                f"{stepping.named(layer)} has no twin in Keras; to_keras takes layers of Keras and of tfgen."
            )
        stack.append(kind.from_config(config))
    twin = keras.Sequential(stack, name=generator.network.name)
    twin.set_weights(generator.network.get_weights())
    return twin


def from_keras(vocabulary: Vocabulary, sequential: keras.Sequential) -> TextGenerator:
    """Make a generator of a Keras Sequential that reads one-hot rows, with the same weights.

    A Sequential that reads ids through an Embedding needs no such help: `TextGenerator(vocabulary, sequential)`.

    Args:
        vocabulary: Its size is the V of the network.
        sequential: From one-hot rows (B, T, V) to probabilities (B, T, V), or what `to_keras` gives.

    Returns:
        A generator with a network of its own; the weights go back by
        `sequential.set_weights(generator.network.get_weights())`.

    Raises:
        InputError: The network does not begin with one-hot rows and a recurrent layer, or is none that can be stepped
            through.
    """
    if not isinstance(sequential, keras.Sequential) or not sequential.built or not sequential.layers:
        raise InputError(f"from_keras takes a built keras.Sequential; received {wording.shown(sequential)}.")
    rows, *others = [None, *sequential.layers] if len(sequential.input_shape) == 3 else sequential.layers
    reads_one_hot = rows is None or (isinstance(rows, keras.Model) and not rows.weights)
    kind = type(others[0]).__name__ if others else ""
    if not reads_one_hot or kind not in CELLS.values():
        raise InputError(
            f"the network begins with {type(sequential.layers[0]).__name__}, not with one-hot rows and a recurrent "
            "layer; one that reads ids through an Embedding is taken by TextGenerator(vocabulary, network)."
        )
    size = sequential.input_shape[-1] if rows is None else rows.output_shape[-1]
    first = getattr(keras_layers, kind).from_config({**others[0].get_config(), "one_hot": size})
    ids = keras.Input(shape=(None,), batch_size=sequential.input_shape[0], dtype="int32", name="ids")
    rest = [type(layer).from_config(layer.get_config()) for layer in others[1:]]
    network = keras.Sequential([ids, first, *rest], name=sequential.name)
    network.set_weights(sequential.get_weights())
    return TextGenerator(vocabulary, network)


def _one_hot(size: int, dtype: str) -> keras.Model:
    # CategoryEncoding takes a text of one token for a row of its own, and an Embedding of the identity has weights.
    ids = keras.Input(shape=(None,), dtype="int32")
    return keras.Model(ids, keras.ops.one_hot(ids, size, dtype=dtype), name="one_hot")


def _check_generator(generator: object) -> None:
    check_instance("generator", generator, TextGenerator, "a tfgen.TextGenerator")


def _twin(generator: TextGenerator) -> list[Layer]:
    """Describe a network without its dropouts, and refuse one that the PyTorch twin cannot express."""
    layers = [layer for layer in layers_of(generator) if layer.kind != "dropout"]
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
    return layers


def _check_cell(layer: Layer) -> None:
    given = {**layer.options, "use_bias": "bias" in layer.shapes}
    theirs = {"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": True, "use_bias": True}
    for name, value in theirs.items():
        if given.get(name, value) != value:
            raise InputError(f"{layer.named} has another {name} than PyTorch, which has {value!r}.")


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
