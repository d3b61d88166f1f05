"""The tokens that were counted so far, noted on disk from time to time."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tfgen.support import notes

Count = tuple[str, int]


class Counted:
    """The tokens that were counted so far.

    Attributes:
        characters: Of how many characters.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Continue from the note in that file, if there is one; without a file, note nothing."""
        self._path = path
        self.characters = 0
        if path and notes.is_whole(path):
            with path.open(encoding="ascii") as file:
                self.characters = int(file.readline())
        self._due = notes.due(self.characters)

    def before(self) -> Iterator[Count]:
        """Give the tokens that were counted before, in order."""
        if self.characters and self._path:
            with self._path.open(encoding="ascii") as file:
                for line in file:
                    if line.startswith("["):
                        token, number = json.loads(line)
                        yield token, number

    def count_more(self, characters: int, counts: Callable[[], Iterable[Count]]) -> None:
        """Count so many more characters; where it is time, note what `counts` gives, in order."""
        self.characters += characters
        if self._path and self.characters >= self._due:
            notes.write(self._path, (json.dumps(each) for each in (self.characters, *counts())))
            self._due = notes.due(self.characters)
