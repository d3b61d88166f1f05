"""The file of ids while it is written; a run can continue the file of a stopped one."""

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
        characters: How many characters of the text were turned into ids.
        tokens: How many ids were written.
        digest: The hash of all ids.
    """

    def __init__(self, work: Workspace, kind: np.dtype[Any]) -> None:
        """Continue the file from the last note on it, or begin one."""
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
        """Hash so many bytes of the file, and say whether it has as many."""
        while size and (piece := self._file.read(min(size, _PIECE))):
            self.digest.update(piece)
            size -= len(piece)
        return not size

    def add(self, ids: npt.NDArray[np.integer[Any]], characters: int) -> None:
        """Write ids; those up to here stand for so many characters."""
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
        """Write what is still in memory, and close the file."""
        self._file.close()
