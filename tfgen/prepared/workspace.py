"""Where a text is prepared: what was done outlasts an interruption, an error or a kill, for a run that continues."""

import contextlib
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from tfgen.errors import InputError
from tfgen.support import atomic_files

_KEY = "key"
INPUT, COUNTED, WRITTEN = "input", "counted.jsonl", "written.jsonl"
_CORPUS = "corpus"
IDS, MANIFEST = f"{_CORPUS}/ids.bin", f"{_CORPUS}/manifest.json"
MARK = ".preparing"
KEPT_DAYS = 30


class Workspace(atomic_files.Directory):
    """A directory of notes on the work, and of what is to be made, which is renamed when it is whole."""

    def __init__(self, parent: Path) -> None:
        """Say where; the directory is made when the first file is."""
        super().__init__(parent, MARK)

    def __enter__(self) -> "Workspace":
        """Begin, and clear away what killed runs were about to remove."""
        super().__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *error: object) -> None:
        """Leave nothing behind but what a run that continues the work can use."""
        if kind is not None and any((self._path / name).exists() for name in (COUNTED, WRITTEN)):
            with contextlib.suppress(OSError):
                (self._path / INPUT).unlink(missing_ok=True)
            self.release()
        else:
            super().__exit__()

    def path(self, name: str) -> Path:
        """Give the path of a file to be made."""
        path = super().path(name)
        path.parent.mkdir(exist_ok=True)
        return path

    def copy(self, name: str, pieces: Iterable[bytes]) -> Path:
        """Make a file of these pieces, and give its path."""
        path = self.path(name)
        with path.open("wb") as file:
            file.writelines(pieces)
        return path

    def check_space(self, needed: int) -> None:
        """Refuse to begin what will not fit.

        Raises:
            InputError: The disk has too little space; the message gives both numbers of bytes.
        """
        free = shutil.disk_usage(self._parent).free
        if needed > free:
            raise InputError(
                f"{str(self._parent)!r} has {free:,} bytes free, and {needed:,} are needed; make room (see tfgen "
                "prepare --list and --clean), or choose another directory (-o)."
            )

    def take_over(self, key: str) -> None:
        """Take what stopped runs have of the work of that name, and remove what they have of other work for long."""
        self.copy(_KEY, [key.encode()])
        for path in atomic_files.abandoned(self._parent, MARK):
            if _is_file(path / _KEY) and (path / _KEY).read_bytes() == key.encode():
                for name in (COUNTED, IDS, WRITTEN):
                    if _is_file(path / name) and not self.path(name).exists():
                        (path / name).replace(self.path(name))
                atomic_files.discard(path)
            elif time.time() - atomic_files.last_change(path) > KEPT_DAYS * 24 * 60 * 60:
                atomic_files.discard(path)

    def forget(self) -> None:
        """Remove the notes: what was done is of no use."""
        for name in (COUNTED, WRITTEN):
            self.path(name).unlink(missing_ok=True)

    def become(self, goal: Path) -> None:
        """Rename what was made; a directory that another run has put there meanwhile stays."""
        made = self.path(_CORPUS)
        for path in made.iterdir():
            atomic_files.sync(path)
        try:
            made.rename(goal)
        except OSError:
            if not goal.is_dir():
                raise
        atomic_files.sync(goal.parent)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
