"""A directory under another name while it is filled, renamed when it is whole."""

import os
import shutil
import socket
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from tfgen.errors import InputError

_MARK = ".unfinished"


class Directory:
    """A place to write in; what is not renamed is removed in the end.

    Its name says which process of which machine made it, so that the next run clears away what a killed one left.
    """

    def __init__(self, parent: Path) -> None:
        """Say where; the directory is made when the first file is."""
        self._parent = parent
        self._path = new(parent)

    def __enter__(self) -> "Directory":
        """Clear away what killed runs left."""
        clear(self._parent)
        return self

    def __exit__(self, *error: object) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._path, ignore_errors=True)

    def check_space(self, needed: int) -> None:
        """Refuse to begin what will not fit.

        Raises:
            InputError: The disk has too little space; the message gives both numbers of bytes.
        """
        free = shutil.disk_usage(self._parent).free
        if needed > free:
            raise InputError(
                f"{str(self._parent)!r} has {free:,} bytes free, and {needed:,} are needed; make room, or choose "
                "another directory (-o)"
            )

    def open(self, name: str) -> BinaryIO:
        """Make a file."""
        self._path.mkdir(exist_ok=True)
        return (self._path / name).open("wb")

    def write(self, name: str, data: bytes) -> None:
        """Make a file of these bytes."""
        self.copy(name, [data])

    def copy(self, name: str, pieces: Iterable[bytes]) -> Path:
        """Make a file of these pieces, and give its path."""
        with self.open(name) as file:
            file.writelines(pieces)
        return self._path / name

    def become(self, goal: Path) -> None:
        """Rename it; where there is such a directory already, made meanwhile by another run, that one stays."""
        for path in self._path.iterdir():
            with path.open("rb") as file:
                os.fsync(file.fileno())  # a name must not outlive a power failure that its content does not
        try:
            self._path.rename(goal)
        except OSError:
            if not goal.is_dir():
                raise


def new(parent: Path) -> Path:
    """Give a name for a directory that is not there yet; see `clear`."""
    return parent / f".{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}{_MARK}"


def clear(parent: Path) -> None:
    """Take away what killed processes of this machine left under such names."""
    for left in parent.glob(f".{socket.gethostname()}.*{_MARK}"):
        process = left.name.split(".")[-3]
        if process.isdecimal() and not _runs(int(process)):
            shutil.rmtree(left, ignore_errors=True)


def remove(path: Path) -> None:
    """Take away a directory at once, though deleting it takes a while."""
    away = new(path.parent)
    try:
        path.rename(away)
    except FileNotFoundError:  # another run was faster
        return
    shutil.rmtree(away, ignore_errors=True)


def _runs(process: int) -> bool:
    """Whether a process runs; on Windows, where asking would end it, always true."""
    if os.name == "nt":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True
