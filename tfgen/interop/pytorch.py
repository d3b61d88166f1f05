"""The weights of a generator as the state dict of its PyTorch twin, in memory and in files; see `tfgen.interop`.

Axis letters: as there.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tfgen.errors import InputError, check_instance, damage, path_of
from tfgen.interop import state_dicts
from tfgen.interop.parts import Arrays, Part
from tfgen.support import atomic_files, plain_files, wording
from tfgen.text_generator import TextGenerator


def to_torch(generator: TextGenerator) -> Arrays:
    """Give the weights as the state dict of the PyTorch twin.

    PyTorch keeps two biases a layer and adds them up; those of an LSTM and of a plain RNN go into the first, and the
    second is zero. A GRU has both here too.

    Args:
        generator: A transformer, whose twin is `transformers.GPT2LMHeadModel`. Or one kind of recurrent layer, all of U
            units, with Keras' own activations, then the head; an embedding before and dropouts between are allowed,
            and any encoder. A `networks.TextEncoder` has a twin too; of another kind of encoder nothing is in the
            state dict, for its weights go their own way.

    Returns:
        Arrays of the weights' dtype by name, of the shapes that stand in `tfgen.interop`.

    Raises:
        InputError: The network has no such twin; the message names the layer.

    >>> from tfgen.vocabulary.vocabulary import Vocabulary
    >>> generator = TextGenerator.build(Vocabulary.from_texts(["abab"]), units=3)
    >>> {name: array.shape for name, array in to_torch(generator).items()}["rnn.weight_ih_l0"]
    (12, 5)
    """
    arrays: Arrays = {}
    for part in _parts(generator):
        arrays |= part.there(part.layer.get_weights())
    return arrays


def from_torch(generator: TextGenerator, state_dict: Mapping[str, Any]) -> None:
    """Set the weights from the state dict of the PyTorch twin.

    Args:
        generator: As for `to_torch`; an encoder that is no `networks.TextEncoder` is left as it is.
        state_dict: Arrays or PyTorch tensors by name, as `to_torch` gives them and `module.state_dict()`.

    Raises:
        InputError: A name is missing or unexpected, or a shape is another; nothing is changed then.
    """
    given = _checked(state_dict, to_torch(generator))
    for layer, weights in [(part.layer, part.back(given)) for part in _parts(generator)]:
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
    with damage(lambda error: _unreadable(path, error)), plain_files.opened(path) as file:
        arrays = safetensors.load(file.read())
    from_torch(generator, arrays)


def _parts(generator: TextGenerator) -> list[Part]:
    check_instance("generator", generator, TextGenerator, "a tfgen.TextGenerator")
    return state_dicts.parts(generator.network)


def _unreadable(path: Path, error: Exception) -> str:
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError):
        return f"{str(path)!r} cannot be read: {error.strerror or error}."
    if isinstance(error, KeyError):
        return f"{str(path)!r} holds numbers of the type {error.args[0]}, which NumPy lacks: save them as float32."
    return f"{str(path)!r} is no safetensors file, or damaged: {wording.shorten(str(error), 200)}."


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
        raise InputError("safetensors files need the package safetensors: pip install safetensors.") from None
    return safetensors.numpy
