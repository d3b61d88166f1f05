"""A session as a file: plain arrays and JSON, verified against the model before any of it is believed."""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError, damage
from tfgen.networks.model import LanguageModel, checked_context, flat, state_of_a_row
from tfgen.support import atomic_files, bounded_json, plain_files, wording
from tfgen.vocabulary.vocabulary import Vocabulary
from tfgen.writing.compiled import CompiledLoop
from tfgen.writing.loop import PLAIN, Position

_FORMAT = "tfgen session 1"
# A state is some kilobytes; what claims more than this is no session.
_LARGEST = 2**30
_MOST_DRAWN = 2**30  # far below the end of int32, in which they are counted


class SamplerState(NamedTuple):
    """The sampler that wrote last, by name, and the leaves of its states."""

    name: str
    leaves: list[Any]


class Stored(NamedTuple):
    """What a session is, beside its model.

    Attributes:
        text: The prompt and all that has been written.
        history: int32 (T,), the ids of all of it.
        position: Where the model stands after it.
        sampler: What the sampler that wrote last remembers.
        context: Of the text.
    """

    text: str
    history: npt.NDArray[np.int32]
    position: Position
    sampler: SamplerState | None
    context: Any


def write(path: Path, model: str, stored: Stored) -> None:
    """Write a session; the file is written under another name and renamed when it is whole.

    Args:
        path: Of the file.
        model: The fingerprint of the model.
        stored: The session.

    Raises:
        OSError: The file cannot be written.
    """
    leaves = {**flat(stored.position.state), **flat(stored.context, "context")}
    leaves |= flat(stored.sampler.leaves if stored.sampler else (), "sampler")
    arrays: dict[str, Any] = {name: _array(leaf) for name, leaf in leaves.items()}
    arrays |= {name: getattr(stored.position, name).numpy() for name in PLAIN}
    sampler = stored.sampler.name if stored.sampler else None
    meta = {"format": _FORMAT, "model": model, "text": stored.text, "sampler": sampler}
    with atomic_files.file(path) as new, new.open("wb") as file:
        np.savez(file, history=stored.history, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8), **arrays)


def read(path: Path, compiled: CompiledLoop, vocabulary: Vocabulary) -> Stored:
    """Read a session of a model; see `TextGenerator.resume`.

    Raises:
        InputError: The file is no session, is damaged, or belongs to another model.
    """
    meta, arrays = _contents(path)
    model = compiled.model
    if meta.get("model") != compiled.fingerprint():
        raise InputError(f"{str(path)!r} is a session of another model, or of other weights of this one.")
    with damage(lambda error: _damaged(path, error)):
        first = state_of_a_row(model)
        state = tf.nest.pack_sequence_as(first, _like(tf.nest.flatten(first), _leaves(arrays, "network")))
        plain = dict(zip(PLAIN, _like(_plain(model), [arrays[name] for name in PLAIN]), strict=True))
        leaves = [tf.constant(leaf) for leaf in _leaves(arrays, "sampler")]
        sampler = SamplerState(str(meta["sampler"]), leaves) if meta["sampler"] else None
        context = tf.nest.pack_sequence_as(model.context, _leaves(arrays, "context"))
        vocabulary.decode(arrays["history"])  # refuses what are no ids
        if not 0 <= (drawn := int(plain["drawn"])) < _MOST_DRAWN:
            raise ValueError(f"it claims that {drawn:,} tokens were drawn.")
        position = Position(state, sampler=(), **plain)
        context = checked_context(model, context, 1)
        return Stored(str(meta["text"]), arrays["history"], position, sampler, context)


def _plain(model: LanguageModel) -> list[tf.TensorSpec]:
    """Give the shapes and types of `loop.PLAIN` for a model."""
    kinds = [([1, model.size], model.dtype), ([1, 2], tf.int64), ([], tf.int32), ([1], tf.bool)]
    return [tf.TensorSpec(shape, kind) for shape, kind in kinds]


def _array(leaf: tf.Tensor) -> npt.NDArray[Any]:
    """Give an array that a file can hold: NumPy has no bfloat16, and float32 holds every number of it."""
    return tf.cast(leaf, _stored(leaf.dtype)).numpy()


def _stored(kind: tf.DType) -> tf.DType:
    return tf.float32 if kind == tf.bfloat16 else kind


def _like(expected: Sequence[Any], found: Sequence[npt.NDArray[Any]]) -> list[tf.Tensor]:
    """Take arrays as tensors, if they are of the shapes and types that are expected."""
    for one, other in zip(expected, found, strict=True):
        if one.shape != other.shape or _stored(one.dtype) != other.dtype:
            raise ValueError(f"{one.shape} {one.dtype} was expected; received {other.shape} {other.dtype}.")
    return [tf.cast(each, one.dtype) for one, each in zip(expected, found, strict=True)]


def _leaves(arrays: dict[str, npt.NDArray[Any]], kind: str) -> list[npt.NDArray[Any]]:
    return [arrays[f"{kind}_{i}"] for i in range(sum(name.startswith(f"{kind}_") for name in arrays))]


def _claimed(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> int:
    """Give the bytes that an array takes once it is read: NumPy makes room for what the header says."""
    with archive.open(entry) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("it was written by something else.")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        return max(math.prod(shape) * dtype.itemsize, entry.file_size)


def _contents(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    with damage(lambda error: _no_session(path, error)):
        with plain_files.opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            with zipfile.ZipFile(file) as archive:
                claimed = sum(_claimed(archive, entry) for entry in archive.infolist())
            if claimed > min(size, _LARGEST):  # nothing is compressed
                raise InputError(f"{str(path)!r} has {size:,} bytes and claims {claimed:,}: it is not a session.")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archived:
                arrays = dict(archived)
        meta = bounded_json.loads(arrays.pop("meta").tobytes())
        if meta["format"] != _FORMAT:
            raise KeyError("format")
        return meta, arrays


def _damaged(path: Path, error: Exception) -> str:
    reason = wording.shorten(wording.clause(" ".join(str(error).split())))
    return f"{str(path)!r} is damaged: {reason}."


def _no_session(path: Path, error: Exception) -> str:
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError):
        return f"{str(path)!r} cannot be read: {error.strerror or error}."
    return f"{str(path)!r} is not a session of tfgen, or is damaged; give a file that save has written."
