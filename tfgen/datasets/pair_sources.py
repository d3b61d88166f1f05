"""What texts are written from, as pairs are cut from it: arrays, or other texts.

Axis letters: B batch, S places of a source, N sources.
"""

from __future__ import annotations

from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.datasets import document_rows, memory_map
from tfgen.datasets.course import ids_spec
from tfgen.errors import InputError
from tfgen.terms import sources
from tfgen.vocabulary.vocabulary import PADDING

Ids = npt.NDArray[np.integer[Any]]
Numbers = npt.NDArray[np.int64]


class Sources(Protocol):
    """N sources.

    Attributes:
        spec: Of a batch, a nest of `tf.TensorSpec`.
    """

    spec: Any

    def __len__(self) -> int: ...

    def places(self, numbers: Numbers) -> tuple[Any, Any]:
        """Give where each of some sources lies, and its length."""

    def content(self, number: int) -> bytes:
        """Give one as bytes: those of equal sources are equal."""

    def batch(self, places: Numbers, lengths: Numbers, width: int) -> Any:
        """Give sources that lie there, (B, ...), a nest of arrays; such as have lengths are padded to a width."""


class Texts:
    """Sources that are texts, each closed by an end of text."""

    spec = ids_spec(None, None)

    def __init__(self, ids: Ids) -> None:
        """Take the ids of all of them, each between ends of text."""
        self._ids = ids
        self._places = document_rows.places_of(ids)

    def __len__(self) -> int:
        """Give N."""
        return len(self._places)

    def places(self, numbers: Numbers) -> tuple[Any, Any]:
        """Give where each begins, behind the end of text before it, and its length with the one after it."""
        places = self._places[numbers]
        return places["start"] + 1, places["length"]

    def content(self, number: int) -> bytes:
        """Give its ids."""
        start, length = self._places[number]
        return self._ids[start + 1 : start + length].tobytes()

    def batch(self, places: Numbers, lengths: Numbers, width: int) -> Any:
        """Give ids (B, S), padded on the right; S is the width."""
        within = np.arange(width)
        real = within < lengths[:, np.newaxis]
        ids = np.where(real, self._ids[np.where(real, places[:, np.newaxis] + within, 0)], PADDING)
        memory_map.let_go(self._ids)
        return ids


class Arrays:
    """Sources that are rows of arrays, such as pictures."""

    def __init__(self, arrays: Any, count: int) -> None:
        """Take an array whose first axis is N, or a nest of them.

        Args:
            arrays: See `tfgen.datasets.pairs`.
            count: N, as it is expected: a list of as many arrays has one for each source.

        Raises:
            InputError: Something in it is no array of numbers, or they have different numbers of rows.
        """
        self._arrays = _mapped(arrays, count)
        leaves = keras.tree.flatten(self._arrays)
        if len({len(leaf) for leaf in leaves}) != 1:
            rows = " and ".join(f"{len(leaf):,}" for leaf in leaves) or "no array"
            raise InputError(f"all arrays of the sources must have the same number of rows; received {rows}.")
        self._count = len(leaves[0])
        self.spec = keras.tree.map_structure(
            lambda leaf: tf.TensorSpec([None, *leaf.shape[1:]], _type_of(leaf.dtype)), self._arrays
        )

    def __len__(self) -> int:
        """Give N."""
        return self._count

    def places(self, numbers: Numbers) -> tuple[Any, Any]:
        """Give their numbers: all are of one length."""
        return numbers, 0

    def content(self, number: int) -> bytes:
        """Give all its bytes."""
        return b"".join(np.ascontiguousarray(leaf[number]).tobytes() for leaf in keras.tree.flatten(self._arrays))

    def batch(self, places: Numbers, lengths: Numbers, width: int) -> Any:
        """Give their rows."""
        return keras.tree.map_structure(lambda leaf: leaf[places], self._arrays)


def _mapped(given: Any, count: int) -> Any:
    """Give a nest of arrays: a dict is one, and so is a list or tuple of arrays, but for a list of one a source."""
    if isinstance(given, dict):
        return {name: _mapped(each, count) for name, each in given.items()}
    of_arrays = isinstance(given, (list, tuple)) and any(map(_is_array, given))
    if of_arrays and not (isinstance(given, list) and len(given) == count):
        return type(given)([_mapped(each, count) for each in given])
    array = sources.numbers(given)
    if not array.ndim:
        raise InputError(f"the first axis of sources must count them; received the number {array}.")
    return array if array.ndim > 1 else array[:, np.newaxis]  # a number is a vector of one, as Keras has it


def _is_array(given: Any) -> bool:
    """Whether this is an array or a tensor, or a nest of them, and no number."""
    if isinstance(given, dict):
        return True
    return any(map(_is_array, given)) if isinstance(given, (list, tuple)) else bool(getattr(given, "ndim", 0))


def _type_of(kind: np.dtype[Any]) -> tf.DType:
    return tf.float32 if kind.kind == "f" else tf.as_dtype(kind)
