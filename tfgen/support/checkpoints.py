"""Checkpoint files: a state as one value, written whole or not at all, verified when it is read.

A state is a tree of dicts with text keys, lists, tuples, texts, numbers, None and NumPy arrays. A file is a plain
`.npz` (uncompressed, no pickle) whose name ends in the SHA-256 of its content, so that one rename makes file and
checksum appear together. A process can be killed at any instant: the files that were there before stay.
"""

import contextlib
import hashlib
import io
import json
import os
import re
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.errors import InputError, damage, whole_number
from tfgen.support import atomic_files, bounded_json, plain_files
from tfgen.support.locks import Lock

_NAME = re.compile(r"checkpoint-(\d{8,18})-([0-9a-f]{64})\.npz")
_UNFINISHED = ".unfinished"
_HALF = re.compile(rf"checkpoint-\d{{8,18}}-[0-9a-f]{{64}}{re.escape(_UNFINISHED)}")
_LOCK = ".lock"
# Far above a state of any network that fits in memory; a larger file is no checkpoint.
_LARGEST = 2**36
_LARGEST_TREE = 2**26


class Checkpoint(NamedTuple):
    """A state, and the file it was read from."""

    path: Path
    state: Any


class Checkpoints:
    """The checkpoints of one run in a directory of their own, of which the last two are kept."""

    def __init__(self, directory: str | os.PathLike[str], keep: int = 2) -> None:
        """Name the directory, which need not exist, and say how many checkpoints to keep."""
        self.directory = Path(directory)
        self._keep = whole_number("keep", keep, 1)
        self._damaged: set[Path] = set()

    def save(self, state: Any) -> Path:
        """Write a state; once this returns, it outlasts a loss of power.

        Returns:
            The file.

        Raises:
            OSError: It cannot be written; the checkpoints that were there are unharmed.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        before = self._files()
        content = packed(state)
        number = _number(before[-1]) + 1 if before else 1
        path = self.directory / f"checkpoint-{number:08d}-{hashlib.sha256(content).hexdigest()}.npz"
        new = path.with_suffix(_UNFINISHED)
        new.unlink(missing_ok=True)  # of a process that was killed
        try:
            with new.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
        atomic_files.sync(self.directory)
        self._tidy([*before, path])
        return path

    def _tidy(self, files: list[Path]) -> None:
        """Remove what is too old or damaged, and what a killed process left half written."""
        good = [path for path in files if path not in self._damaged]
        kept = good[-self._keep :]
        for path in [*files, *self._named(_HALF)]:
            if path not in kept:
                path.unlink(missing_ok=True)

    def latest(self, warn: Callable[[str], Any] = warnings.warn) -> Checkpoint | None:
        """Read the last good checkpoint; None where there is none.

        Args:
            warn: Called with a message for each damaged file that is skipped.
        """
        for path in reversed(self._files()):
            try:
                return Checkpoint(path, read(path))
            except InputError as error:
                self._damaged.add(path)
                warn(f"{error} The one before it is used instead.")
        return None

    def clear(self) -> None:
        """Remove all checkpoints, the last one last, and the directory if nothing else is in it.

        Raises:
            InputError: Another process writes to it.
        """
        if not self.directory.is_dir():
            return
        with self.locked():
            for path in [*self._named(_HALF), *self._files(), self.directory / _LOCK]:
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.directory.rmdir()

    @contextlib.contextmanager
    def locked(self, patience: float = 0.0) -> Iterator[None]:
        """Keep other processes from writing to the directory while the block runs; a kill frees it.

        Args:
            patience: For so many seconds another process that writes to it is waited for.

        Raises:
            InputError: Another process writes to it.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._lock(time.monotonic() + patience) as lock:
            if not lock.is_current():  # a process that ended removed the file meanwhile
                raise InputError(self._in_use())
            yield

    def _lock(self, deadline: float) -> Lock:
        while True:
            try:
                return Lock(self.directory / _LOCK, make=True)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise InputError(self._in_use()) from None
            time.sleep(0.2)

    def check_free(self) -> None:
        """Check that no other process writes to the directory, changing nothing.

        Raises:
            InputError: One does.
        """
        try:
            Lock(self.directory / _LOCK, shared=True).close()
        except BlockingIOError:
            raise InputError(self._in_use()) from None
        except (FileNotFoundError, NotADirectoryError):
            pass

    def _in_use(self) -> str:
        return f"another process trains into {str(self.directory)!r} now: wait for it, or choose another directory."

    def _files(self) -> list[Path]:
        """Give the finished checkpoints, oldest first."""
        return sorted(self._named(_NAME), key=_number)

    def _named(self, pattern: re.Pattern[str]) -> list[Path]:
        """Give what has such a name; directories never do, for nothing here has made any."""
        try:
            found = [path for path in self.directory.iterdir() if pattern.fullmatch(path.name)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return [path for path in found if path.is_symlink() or not path.is_dir()]


def _number(path: Path) -> int:
    matched = _NAME.fullmatch(path.name)
    return int(matched[1]) if matched else 0


def read(path: Path) -> Any:
    """Read and verify a checkpoint.

    Raises:
        InputError: It cannot be read, or is damaged.
    """
    matched = _NAME.fullmatch(path.name)
    try:
        with plain_files.opened(path) as file:
            if os.fstat(file.fileno()).st_size > _LARGEST:
                raise InputError(f"the checkpoint {str(path)!r} is larger than any that tfgen writes.")
            whole = matched is not None and zipfile.is_zipfile(file) and _digest(file) == matched[2]
            content = file.read() if whole else b""
    except OSError as error:
        raise InputError(f"the checkpoint {str(path)!r} cannot be read: {error.strerror or error}.") from None
    if not whole:
        raise InputError(f"the checkpoint {str(path)!r} is damaged: its content is not what was written.")
    with damage(lambda error: f"the checkpoint {str(path)!r} is damaged: it holds no state."):
        return unpacked(content)


def _digest(file: BufferedReader) -> str:
    """Hash a file in pieces, so that memory is taken only for what was written here; it is at its beginning then."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest


def packed(state: Any) -> bytes:
    """Give a state as the bytes of a file."""
    arrays: list[npt.NDArray[Any]] = []
    tree = json.dumps(_encode(state, arrays)).encode()
    content = io.BytesIO()
    named: dict[str, Any] = {str(i): array for i, array in enumerate(arrays)}
    np.savez(content, tree=np.frombuffer(tree, np.uint8), **named)
    return content.getvalue()


def unpacked(content: bytes) -> Any:
    """Give the state that `packed` was given; what the bytes claim is not believed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
        # Nothing is compressed, and no two entries share what is in the file, so all of them fit in it.
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.values()):
            raise ValueError("an entry is compressed.")
        if sum(entry.file_size for entry in archive.infolist()) > len(content):
            raise ValueError("it claims more than it holds.")
        if entries["tree.npy"].file_size > _LARGEST_TREE:
            raise ValueError("the tree is too large.")
        tree = bounded_json.loads(_array(archive.read(entries.pop("tree.npy"))).tobytes())
        return _decode(tree, [_array(archive.read(entries[f"{i}.npy"])) for i in range(len(entries))])


def _array(data: bytes) -> npt.NDArray[Any]:
    """Read an array without believing what its header says of its size."""
    file = io.BytesIO(data)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("the array has another version.")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    flat = np.frombuffer(data, dtype, offset=file.tell())
    return flat.reshape(shape, order="F" if fortran else "C").copy()


def _encode(value: Any, arrays: list[npt.NDArray[Any]]) -> Any:
    """Give a value as JSON; its arrays are appended to the list."""
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufc":  # a np.float64 is also a float
        arrays.append(np.asarray(value))
        return {"array" if isinstance(value, np.ndarray) else "number": len(arrays) - 1}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return {"list" if isinstance(value, list) else "tuple": [_encode(each, arrays) for each in value]}
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {"dict": {name: _encode(each, arrays) for name, each in value.items()}}
    raise TypeError(f"a state holds plain values and arrays; received one of type {type(value).__name__}.")


def _decode(value: Any, arrays: list[npt.NDArray[Any]]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "array":
        return arrays[content]
    if kind == "number":
        return arrays[content][()]
    if kind == "dict":
        return {name: _decode(each, arrays) for name, each in content.items()}
    return {"list": list, "tuple": tuple}[kind](_decode(each, arrays) for each in content)
