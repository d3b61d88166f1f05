"""A `.keras` file as a vocabulary and layers: nothing in it is executed, and it is read as strictly as by Keras."""

import io
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from tfgen import model_files
from tfgen.errors import InputError, damage
from tfgen.portable.layers import Layer, layers_of_config
from tfgen.vocabulary.vocabulary import Vocabulary

_ROOT = "layers/sequential/layers"
# What Keras calls the layers of a class in the file, when it has numbered them.
_PLACES = {"SimpleRNN": "simple_rnn", "LayerNormalization": "layer_normalization"}


def read(path: str | os.PathLike[str], config: dict[str, Any] | None = None) -> tuple[Vocabulary, list[Layer]]:
    """Read a model.

    Args:
        path: A `.keras` file.
        config: What `model_files.read_config` has given for it; None reads it.

    Raises:
        InputError: There is no such file, it is no model of tfgen, it is damaged, or it is not run here.
    """
    config = model_files.read_config(path) if config is None else config
    with damage(lambda error: f"{str(path)!r} {_fault(error)}"):
        layers = layers_of_config(config)
        with zipfile.ZipFile(Path(path)) as archive:
            entry = archive.getinfo("model.weights.h5")
            if entry.compress_type != zipfile.ZIP_STORED:  # what it takes in memory is what it takes on the disk
                raise InputError("has compressed weights, which tfgen does not write.")
            data = archive.read(entry)
        with h5py.File(io.BytesIO(data)) as file:
            numbered: dict[str, int] = {}
            whole = [_with_arrays(layer, file, numbered) for layer in layers]
    return Vocabulary.from_config(config["vocabulary"]), whole


def read_weights(path: str | os.PathLike[str], layers: Sequence[Layer]) -> list[Layer]:
    """Read weights that Keras has saved of a network alone, such as those that `callbacks.KeepEpochs` keeps.

    Args:
        path: A `.weights.h5` file.
        layers: Of the network, with any arrays.

    Raises:
        InputError: It is damaged, or has the weights of another network.
    """
    with damage(lambda error: f"{str(path)!r} {_fault(error)}"), h5py.File(path) as file:
        numbered: dict[str, int] = {}
        return [_with_arrays(layer, file, numbered, "layers") for layer in layers]


def _fault(error: Exception) -> str:
    if isinstance(error, InputError):
        return f"cannot be run without TensorFlow: {error}"
    return "is damaged, or of another version: its weights cannot be read."


def _with_arrays(layer: Layer, file: h5py.File, numbered: dict[str, int], root: str = _ROOT) -> Layer:
    """Read the arrays of the next layer: Keras numbers those of one class."""
    name = _PLACES.get(layer.class_name, layer.class_name.lower())
    numbered[name] = numbered.get(name, -1) + 1
    if not layer.shapes:
        return layer
    place = f"{root}/{name}{f'_{numbered[name]}' * (numbered[name] > 0)}{'/cell' * layer.cell}/vars"
    group = _linked(file, place, h5py.Group)
    if len(group) != len(layer.shapes):
        raise InputError(f"{layer.named} has {len(group)} arrays in the file, not {len(layer.shapes)}.")
    return layer.with_arrays([_array(group, str(i), layer, shape) for i, shape in enumerate(layer.shapes.values())])


def _array(group: h5py.Group, name: str, layer: Layer, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Read an array that lies in the file as it is in memory: nothing else takes no more than it claims."""
    data = _linked(group, name, h5py.Dataset)
    stored = data.id.get_storage_size() == data.nbytes and data.chunks is None
    if data.external or data.is_virtual or not stored or (data.shape, data.dtype) != (shape, np.dtype(layer.dtype)):
        raise InputError(f"{layer.named} has an array of {data.shape} in the file, not one of {shape} as tfgen writes.")
    return data[()]


def _linked(node: Any, path: str, kind: type) -> Any:
    """Follow a path of hard links alone, which lead nowhere else."""
    for part in path.split("/"):
        if not isinstance(node, h5py.Group) or not isinstance(node.get(part, getlink=True), h5py.HardLink):
            raise InputError(f"its weights lack {path}.")
        node = node[part]
    if not isinstance(node, kind):
        raise InputError(f"its weights have no {kind.__name__.lower()} at {path}.")
    return node
