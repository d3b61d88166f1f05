"""The arrays of layers, out of a file of Keras: nothing in it is executed, and nothing takes more than it holds."""

import os
from collections.abc import Iterable
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from tfgen.errors import InputError, damage
from tfgen.portable.layers import Layer

# What Keras calls the layers of a class in the file, when it has numbered them.
_PLACES = {"SimpleRNN": "simple_rnn", "LayerNormalization": "layer_normalization"}


def read_weights(path: str | os.PathLike[str], layers: Iterable[Layer]) -> list[Layer]:
    """Read weights that Keras has saved of a network alone, such as those that `callbacks.KeepEpochs` keeps.

    Args:
        path: A `.weights.h5` file.
        layers: Of the network, with any arrays.

    Raises:
        InputError: It is damaged, or has the weights of another network.
    """
    with (
        damage(lambda error: f"{str(path)!r} is damaged, or has the weights of another network; remove it."),
        h5py.File(path) as file,
    ):
        return with_arrays(file, "layers", layers)


def with_arrays(file: h5py.File, root: str, layers: Iterable[Layer]) -> list[Layer]:
    """Give layers the arrays that an open file has of them.

    Args:
        file: As Keras has written it.
        root: The group of the layers.
        layers: Of the network, in order.

    Raises:
        InputError: Says what is wrong with the file, as the end of a sentence.
    """
    numbered: dict[str, int] = {}
    return [_with_arrays(layer, file, numbered, root) for layer in layers]


def _with_arrays(layer: Layer, file: h5py.File, numbered: dict[str, int], root: str) -> Layer:
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
