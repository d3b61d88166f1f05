"""A text that is written on and on: it continues, forks, is saved, and resumes in another process."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import math
import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen import sampling
from tfgen.errors import InputError
from tfgen.sampling.chain import Chain, chain_of
from tfgen.support import atomic_files, wording
from tfgen.vocabulary.vocabulary import END, PADDING, Vocabulary
from tfgen.writing import loop
from tfgen.writing.compiled import Decoder
from tfgen.writing.loop import Decoding
from tfgen.writing.stops import as_stops
from tfgen.writing.texts import SINGLE, STREAMED, WATCHED, Limits, Writing

_FORMAT = "tfgen session 1"
# A state is some kilobytes; what claims more than this is no session.
_LARGEST = 2**30


@dataclasses.dataclass(frozen=True)
class _Sampler:
    """The sampler that wrote last, by name, and the leaves of its states."""

    name: str
    leaves: list[Any]


class Session:
    """One text, and where the network stands after it.

    Made by `TextGenerator.start`. Each call of `generate` or `stream` goes on where the last one stopped; the seed was
    given at the start, and its draws go on too.

    Attributes:
        text: The prompt and all that has been written.
    """

    def __init__(
        self,
        decoder: Decoder,
        vocabulary: Vocabulary,
        text: str,
        history: npt.NDArray[np.int32],
        state: Decoding,
        sampler: _Sampler | None = None,
    ) -> None:
        """Take what `TextGenerator.start` has read: the text, its ids (T,), and the state after them."""
        self.text = text
        self._decoder = decoder
        self._vocabulary = vocabulary
        self._history = history
        self._state = state
        self._sampler = sampler
        self._answers = 0

    @property
    def finished(self) -> bool:
        """Whether the text has come to its end."""
        return bool(self._state.finished.numpy()[0])

    def generate(
        self,
        length: int = 200,
        *,
        min_length: int = 0,
        stop: str | Sequence[str] | None = None,
        keep_stop: bool = False,
        max_time: float | None = None,
        jit_compile: bool | None = None,
        sampler: Sequence[sampling.Transform] | None = None,
        **settings: Any,
    ) -> str:
        """Write on, and give the new text.

        Args:
            length: As for `TextGenerator.generate`, and so all that follow.
            min_length: See there.
            stop: See there. What a stop string takes from the text it takes from this answer alone: the network has
                read it, and the session goes on after it.
            keep_stop: See there.
            max_time: See there.
            jit_compile: See there.
            sampler: See there.
            **settings: See there.

        Raises:
            InputError: A setting is out of its range.
        """
        pieces = self.stream(
            length,
            min_length=min_length,
            stop=stop,
            keep_stop=keep_stop,
            max_time=max_time,
            jit_compile=jit_compile,
            sampler=sampler,
            _sizes=WATCHED,
            **settings,
        )
        return "".join(pieces)

    def stream(
        self,
        length: int = 200,
        *,
        min_length: int = 0,
        stop: str | Sequence[str] | None = None,
        keep_stop: bool = False,
        max_time: float | None = None,
        jit_compile: bool | None = None,
        sampler: Sequence[sampling.Transform] | None = None,
        _sizes: tuple[int, int] = STREAMED,
        **settings: Any,
    ) -> Iterator[str]:
        """Write on, and give the new text in pieces, see `generate`.

        The session has moved on by each piece that was taken. A stream that is open when another answer begins is at
        its end; `fork` the session to write two.
        """
        chain = chain_of(sampler, settings, self._vocabulary)
        limits = Limits(length, min_length, as_stops(stop), keep_stop, max_time, jit_compile)
        self._remember(chain)
        answer = Writing(self._decoder, self._vocabulary, chain, self._state, limits)
        self._answers += 1
        return self._follow(answer, SINGLE if limits.stops else _sizes, self._answers)

    def _remember(self, chain: Chain) -> None:
        """Give the sampler its states: those it had if it wrote last, else what it makes of the text."""
        states = self._decoder.start(chain, [self._history])
        name = _name(chain)
        if self._sampler is not None and self._sampler.name == name:
            states = tf.nest.pack_sequence_as(states, _same(tf.nest.flatten(states), self._sampler.leaves))
        self._sampler = _Sampler(name, tf.nest.flatten(states))
        self._state = self._state._replace(sampler=states)

    def _follow(self, answer: Writing, sizes: tuple[int, int], number: int) -> Iterator[str]:
        for (text,) in answer.pieces(sizes):
            if number != self._answers:
                raise InputError("the session has begun another answer: take all of a stream first, or fork it.")
            if answer.records:
                self._move(answer.state, answer.records.pop()["ids"][0])
            if text:
                yield text

    def _move(self, state: Decoding, ids: npt.NDArray[np.int32]) -> None:
        ids = ids[ids != PADDING]
        self.text += self._vocabulary.decode(ids)
        self._history = np.concatenate([self._history, ids])
        # A stop string ends an answer; only the end of a text ends the text.
        self._state = state._replace(finished=tf.constant([bool((ids == END).any())]))
        self._sampler = self._sampler and _Sampler(self._sampler.name, tf.nest.flatten(state.sampler))

    def fork(self, seed: int | None = None) -> Session:
        """Give a twin that goes on from here by itself; the two share the model.

        Args:
            seed: Of the twin's draws; None lets it draw what this session would have drawn.
        """
        twin = copy.copy(self)
        if seed is not None:
            seeds = tf.constant(sampling.row_seeds(seed, 1))
            twin._state = self._state._replace(seeds=seeds, drawn=tf.constant(0))
        return twin

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the session to a file; it is written under another name and renamed when it is whole.

        Raises:
            OSError: The file cannot be written.
        """
        leaves = {
            "network": tf.nest.flatten(self._state.network),
            "sampler": self._sampler.leaves if self._sampler else [],
        }
        arrays: dict[str, Any] = {
            f"{kind}_{i}": _array(leaf) for kind, each in leaves.items() for i, leaf in enumerate(each)
        }
        arrays |= {name: getattr(self._state, name).numpy() for name in loop.PLAIN}
        meta = {
            "format": _FORMAT,
            "model": self._decoder.fingerprint(),
            "text": self.text,
            "sampler": self._sampler.name if self._sampler else None,
        }
        with atomic_files.file(Path(path)) as new, new.open("wb") as file:
            np.savez(file, history=self._history, meta=np.frombuffer(json.dumps(meta).encode(), np.uint8), **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], decoder: Decoder, vocabulary: Vocabulary) -> Session:
        """Read a session of this model; see `TextGenerator.resume`."""
        meta, arrays = _read(Path(path))
        if meta.get("model") != decoder.fingerprint():
            raise InputError(f"{str(path)!r} is a session of another model, or of other weights of this one.")
        try:
            zero = decoder.zero_state()
            network = _like(tf.nest.flatten(zero), _leaves(arrays, "network"))
            plain = _like(_plain(len(vocabulary), zero), [arrays[name] for name in loop.PLAIN])
            state = Decoding(
                tf.nest.pack_sequence_as(zero, network), sampler=(), **dict(zip(loop.PLAIN, plain, strict=True))
            )
            leaves = [tf.constant(leaf) for leaf in _leaves(arrays, "sampler")]
            sampler = _Sampler(str(meta["sampler"]), leaves) if meta["sampler"] else None
            vocabulary.decode(arrays["history"])  # refuses what are no ids
            return cls(decoder, vocabulary, str(meta["text"]), arrays["history"].astype(np.int32), state, sampler)
        except Exception as error:  # what damage has left may fail anywhere in TensorFlow, with any class of error
            raise InputError(f"{str(path)!r} is damaged: {wording.shorten(' '.join(str(error).split()))}.") from None


def _same(expected: Sequence[Any], leaves: Sequence[Any]) -> Sequence[Any]:
    """Give the leaves of a sampler's state, if such a sampler can have them."""
    kinds = [[(each.shape.rank, each.dtype) for each in some] for some in (expected, leaves)]
    if kinds[0] != kinds[1]:
        raise InputError("the session is damaged: the state of its sampler is of another kind.")
    return leaves


def _name(chain: Chain) -> str:
    """Name a sampler by all that it is: its transforms, in order, and every number in them."""
    digest = hashlib.sha256(repr(tf.nest.map_structure(tf.type_spec_from_value, chain)).encode())
    for leaf in tf.nest.flatten(chain, expand_composites=True):
        digest.update(leaf.numpy().tobytes())
    return digest.hexdigest()


def _plain(tokens: int, state: Any) -> list[tf.TensorSpec]:
    """Give the shapes and types of `loop.PLAIN` for a network of such a state."""
    # As `networks.logits_of` has it: half precision ends before the logits.
    whole = tf.float64 if any(leaf.dtype == tf.float64 for leaf in tf.nest.flatten(state)) else tf.float32
    kinds = [([1, tokens], whole), ([1, 2], tf.int64), ([], tf.int32), ([1], tf.bool)]
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
            raise ValueError(f"an array of {other.dtype}, {other.shape} is in the place of one of {one.shape}")
    return [tf.cast(each, one.dtype) for one, each in zip(expected, found, strict=True)]


def _leaves(arrays: dict[str, npt.NDArray[Any]], kind: str) -> list[npt.NDArray[Any]]:
    return [arrays[f"{kind}_{i}"] for i in range(sum(name.startswith(f"{kind}_") for name in arrays))]


def _claimed(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> int:
    """Give the bytes that an array takes once it is read: NumPy makes room for what the header says."""
    with archive.open(entry) as file:
        if np.lib.format.read_magic(file) != (1, 0):
            raise ValueError("it was written by something else")
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        return max(math.prod(shape) * dtype.itemsize, entry.file_size)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(_claimed(archive, entry) for entry in archive.infolist()) > _LARGEST:
                raise InputError(f"{str(path)!r} claims more than {_LARGEST:,} bytes: it is no session.")
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        meta = json.loads(arrays.pop("meta").tobytes())
        if meta["format"] != _FORMAT:
            raise KeyError("format")
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}.") from None
    except Exception:  # damage can fail anywhere in zipfile, its decompressors and NumPy, with any class of error
        raise InputError(
            f"{str(path)!r} is no session of tfgen, or is damaged; give a file that save has written."
        ) from None
    return meta, arrays
