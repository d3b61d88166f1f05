"""Where a text is prepared: notes on the work outlast an interruption, an error or a kill, so that it can continue."""

import contextlib
import errno
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
    """A directory for notes on the work, and for the corpus until it is whole and renamed."""

    def __init__(self, parent: Path) -> None:
        """Choose the parent directory; the workspace is made in it with its first file."""
        super().__init__(parent, MARK)

    def __enter__(self) -> "Workspace":
        """Remove what killed processes left half written."""
        super().__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *error: object) -> None:
        """After an error keep the notes, if there are any, for the next run; else remove everything."""
        if kind is not None and any((self._path / name).exists() for name in (COUNTED, WRITTEN)):
            with contextlib.suppress(OSError):
                for copied in self._path.glob(f"{INPUT}*"):
                    copied.unlink()
            self.release()
        else:
            super().__exit__()

    def path(self, name: str) -> Path:
        """Give the path of a file to be written."""
        path = super().path(name)
        path.parent.mkdir(exist_ok=True)
        return path

    def copy(self, name: str, pieces: Iterable[bytes]) -> Path:
        """Write these pieces to a file, and give its path."""
        path = self.path(name)
        with path.open("wb") as file:
            file.writelines(pieces)
        return path

    def check_space(self, needed: int) -> None:
        """Check that so many bytes will fit.

        Raises:
            InputError: The disk has too little space; the message gives both numbers.
        """
        free = shutil.disk_usage(self._parent).free
        if needed > free:
            raise InputError(
                f"{str(self._parent)!r} has {free:,} bytes free, and {needed:,} are needed; make room (see tfgen "
                "prepare --list and --clean), or prepare the text in another directory (tfgen prepare -o)."
            )

    def take_over(self, key: str) -> None:
        """Move here what stopped runs have done of the work of that key, and remove what is old of other work.

        What was killed before it had a key has done nothing of use, and may hold a copy of all of standard input.
        """
        self.copy(_KEY, [key.encode()])
        for path in atomic_files.abandoned(self._parent, MARK):
            if _is_file(path / _KEY) and (path / _KEY).read_bytes() == key.encode():
                for name in (COUNTED, IDS, WRITTEN):
                    if _is_file(path / name) and not self.path(name).exists():
                        (path / name).replace(self.path(name))
                atomic_files.discard(path)
            elif not _is_file(path / _KEY) or time.time() - atomic_files.last_change(path) > KEPT_DAYS * 24 * 60 * 60:
                atomic_files.discard(path)

    def forget(self) -> None:
        """Remove the notes: what was done is of no use."""
        for name in (COUNTED, WRITTEN):
            self.path(name).unlink(missing_ok=True)

    def become(self, goal: Path) -> None:
        """Rename the corpus; a directory that another run has put there meanwhile stays."""
        made = self.path(_CORPUS)
        for path in made.iterdir():
            atomic_files.sync(path)
        try:
            made.rename(goal)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY) and not goal.is_dir():
                raise
        atomic_files.sync(goal.parent)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
