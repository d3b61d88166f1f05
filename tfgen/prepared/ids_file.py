"""The file of ids while it is written, for one that goes on."""

import hashlib
import json
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from tfgen.prepared.workspace import IDS, WRITTEN, Workspace
from tfgen.support import notes

_PIECE = 1 << 20  # bytes


class IdsFile:
    """The file of ids while it is written.

    Attributes:
        characters: Of how many characters there are ids.
        tokens: How many.
        digest: Of all of them.
    """

    def __init__(self, work: Workspace, kind: np.dtype[Any]) -> None:
        """Take up the file where it was last noted, or begin one."""
        self._note = work.path(WRITTEN)
        self._kind = kind
        path = work.path(IDS)
        path.touch()
        self._file = path.open("r+b")
        noted = json.loads(self._note.read_text().splitlines()[0]) if notes.is_whole(self._note) else {}
        self.digest = hashlib.sha256()
        self.tokens, self.characters = noted.get("tokens", 0), noted.get("characters", 0)
        if not self._hash(self.tokens * kind.itemsize) or self.digest.hexdigest() != noted.get("sha256"):
            self.digest = hashlib.sha256()
            self.tokens = self.characters = 0
        self._due = notes.due(self.characters)
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
            notes.write(self._note, [json.dumps(note)])
            self._due = notes.due(characters)

    def close(self) -> None:
        """Write what has not been written."""
        self._file.close()
