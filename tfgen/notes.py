"""How far the preparation of a text has come, noted beside what it writes, so that one that was stopped goes on.

A note is of the first so many characters of the text. Whoever goes on reads these again, for only so can a text be
decompressed, decoded and cut, but neither counts nor encodes them again.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from tfgen import unfinished

Count = tuple[str, int]

INPUT, COUNTED, WRITTEN, IDS = "input", "counted.jsonl", "written.jsonl", "ids.bin"
_KEY = "key"
_MARK = ".preparing"
# A note is due after so many characters, or after a share of all: what it costs may grow with the text.
_EVERY = 1 << 28
_SHARE = 8
_PIECE = 1 << 20  # bytes


class Work(unfinished.Directory):
    """Where a text is prepared: what lies there outlasts an interruption or a kill, for the next run of the same."""

    _of_this_process: ClassVar[set[Path]] = set()

    def __init__(self, parent: Path) -> None:
        """Say where; the directory is made when the first file is."""
        super().__init__(parent, _MARK)

    def __enter__(self) -> "Work":
        """Begin, and clear away what killed runs were about to remove."""
        super().__enter__()
        self._of_this_process.add(self._path)
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *error: object) -> None:
        """Leave nothing behind but what a run that goes on can use."""
        self._of_this_process.discard(self._path)
        noted = any((self._path / name).exists() for name in (COUNTED, WRITTEN))
        if noted and kind is not None and issubclass(kind, KeyboardInterrupt):
            (self._path / INPUT).unlink(missing_ok=True)
        else:
            super().__exit__()

    def take_over(self, key: str) -> None:
        """Take what stopped runs have of the work of that name, and clear away what they have of other work."""
        self.write(_KEY, key.encode())
        for path in unfinished.left(self._parent, _MARK, self._of_this_process):
            mine = unfinished.new(self._parent)
            try:
                path.rename(mine)  # which one run can, of several
            except OSError:
                continue
            if (mine / _KEY).is_file() and (mine / _KEY).read_bytes() == key.encode():
                for name in (COUNTED, IDS, WRITTEN):
                    if (mine / name).exists():
                        (mine / name).replace(self.path(name))
            shutil.rmtree(mine, ignore_errors=True)

    def finish(self) -> None:
        """Remove the notes: what is left is what was to be made."""
        for name in (INPUT, _KEY, COUNTED, WRITTEN):
            self.path(name).unlink(missing_ok=True)


class Counted:
    """The tokens that were counted so far.

    Attributes:
        characters: Of how many characters.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Take up the note in that file, if there is one; without a file, note nothing."""
        self._path = path
        self.characters = 0
        if path and _is_whole(path):
            with path.open(encoding="ascii") as file:
                self.characters = int(file.readline())
        self._due = _due(self.characters)

    def before(self) -> Iterator[Count]:
        """Give the tokens that were counted before, in order."""
        if self.characters and self._path:
            with self._path.open(encoding="ascii") as file:
                for line in file:
                    if line.startswith("["):
                        token, number = json.loads(line)
                        yield token, number

    def go_on(self, characters: int, counts: Callable[[], Iterable[Count]]) -> None:
        """Count so many more characters; where it is time, note what `counts` gives, in order."""
        self.characters += characters
        if self._path and self.characters >= self._due:
            _write(self._path, (json.dumps(each) for each in (self.characters, *counts())))
            self._due = _due(self.characters)


class Ids:
    """The file of ids while it is written.

    Attributes:
        characters: Of how many characters there are ids.
        tokens: How many.
        digest: Of all of them.
    """

    def __init__(self, work: Work, kind: np.dtype[Any]) -> None:
        """Take up the file where it was last noted, or begin one."""
        self._note = work.path(WRITTEN)
        self._kind = kind
        path = work.path(IDS)
        path.touch()
        self._file = path.open("r+b")
        noted = json.loads(self._note.read_text().splitlines()[0]) if _is_whole(self._note) else {}
        self.digest = hashlib.sha256()
        self.tokens, self.characters = noted.get("tokens", 0), noted.get("characters", 0)
        if not self._hash(self.tokens * kind.itemsize) or self.digest.hexdigest() != noted.get("sha256"):
            self.digest = hashlib.sha256()
            self.tokens = self.characters = 0
        self._due = _due(self.characters)
        self._file.seek(self.tokens * kind.itemsize)
        self._file.truncate()

    def _hash(self, size: int) -> bool:
        """Hash the beginning of the file, and say whether it is as long as that."""
        while size and (piece := self._file.read(min(size, _PIECE))):
            self.digest.update(piece)
            size -= len(piece)
        return not size

    def add(self, ids: npt.NDArray[np.integer[Any]], characters: int) -> None:
        """Write ids, which together with those before stand for so many characters."""
        self.digest.update(ids.data)
        self._file.write(ids.data)
        self.tokens += len(ids)
        self.characters = characters
        if characters >= self._due:
            self._file.flush()
            os.fsync(self._file.fileno())
            note = {"characters": characters, "tokens": self.tokens, "sha256": self.digest.hexdigest()}
            _write(self._note, [json.dumps(note)])
            self._due = _due(characters)

    def close(self) -> None:
        """Write what has not been written."""
        self._file.close()


def _due(noted: int) -> int:
    return noted + max(_EVERY, noted // _SHARE)


def _write(path: Path, lines: Iterable[str]) -> None:
    """Write a note whole or not at all, its hash in the last line."""
    new, digest = path.with_suffix(".new"), hashlib.sha256()
    with new.open("wb") as file:
        for line in lines:
            digest.update(line.encode() + b"\n")
            file.write(line.encode() + b"\n")
        file.write(digest.hexdigest().encode())
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _is_whole(path: Path) -> bool:
    """Whether there is a note, as it was written."""
    digest, last = hashlib.sha256(), b""
    if path.exists():
        with path.open("rb") as file:
            for line in file:
                digest.update(last)
                last = line
    return last == digest.hexdigest().encode()


def after(characters: int, pieces: Iterable[str]) -> Iterator[str]:
    """Leave so many characters of a text out.

    >>> list(after(3, ["ab", "cd", "e"]))
    ['d', 'e']
    """
    for piece in pieces:
        if rest := piece[characters:]:
            yield rest
        characters = max(characters - len(piece), 0)
