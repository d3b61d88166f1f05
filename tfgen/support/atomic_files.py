"""A directory or a file under another name while it is written, renamed when it is whole."""

import contextlib
import os
import shutil
import socket
import uuid
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from tfgen.errors import InputError

_MARK = ".unfinished"
_ASIDE = ".aside"


class Directory:
    """A place to write in; what is not renamed is removed in the end.

    Its name says which process of which machine made it, so that the next run clears away what a killed one left.
    """

    def __init__(self, parent: Path, mark: str = _MARK) -> None:
        """Say where, and how its name ends; the directory is made when the first file is."""
        self._parent = parent
        self._path = new(parent, mark)

    def __enter__(self) -> "Directory":
        """Clear away what killed runs left."""
        clear(self._parent)
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *error: object) -> None:
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

    def path(self, name: str) -> Path:
        """Give the path of a file to be made.

        Raises:
            OSError: Names the directory in which nothing can be made.
        """
        try:
            self._path.mkdir(exist_ok=True)
        except OSError as error:  # the name of what is not there yet means nothing to anybody
            raise OSError(error.errno, error.strerror, str(self._parent)) from None
        return self._path / name

    def open(self, name: str) -> BinaryIO:
        """Make a file."""
        return self.path(name).open("wb")

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
            sync(path)
        try:
            self._path.rename(goal)
        except OSError:
            if not goal.is_dir():
                raise
        sync(goal.parent)


@contextlib.contextmanager
def file(goal: Path) -> Iterator[Path]:
    """Give a path to write to, of the same ending, which is renamed when the block ends well and else goes away.

    A link stays a link: what it leads to is replaced.

    Raises:
        OSError: It cannot be written; what was there before is unharmed.
    """
    place = Path(os.path.realpath(goal))
    with Directory(place.parent) as work:
        path = work.path(f"new{goal.suffix}")
        yield path
        sync(path)
        path.replace(place)
    sync(place.parent)


def sync(path: Path) -> None:
    """Let what was written outlast a loss of power, a name too where the system can: it must not outlive its content.

    Raises:
        OSError: What was written to a file has not reached the disk.
    """
    if path.is_dir():
        with contextlib.suppress(OSError):
            _sync(os.open(path, os.O_RDONLY))
    else:
        _sync(os.open(path, os.O_RDWR))


def _sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new(parent: Path, mark: str = _MARK) -> Path:
    """Give a name for a directory that is not there yet; see `left`."""
    return parent / f".{socket.gethostname()}.{os.getpid()}.{uuid.uuid4().hex[:8]}{mark}"


def left(parent: Path, mark: str = _MARK, used: Container[Path] | None = None) -> Iterator[Path]:
    """Find what was left under such names by processes of this machine that were killed.

    Args:
        parent: Where to look.
        mark: How the names end.
        used: What this process is using: it has left all else; None for all.
    """
    for path in parent.glob(f".{socket.gethostname()}.*{mark}"):
        process = path.name.split(".")[-3]
        of_this = process == str(os.getpid())
        if process.isdecimal() and (used is not None and path not in used if of_this else not _runs(int(process))):
            yield path


def clear(parent: Path) -> None:
    """Take it away, and bring back what was set aside for something that never came."""
    for path in left(parent):
        shutil.rmtree(path, ignore_errors=True)
    for path in left(parent, _ASIDE):
        _bring_back(path)


@contextlib.contextmanager
def set_aside(path: Path) -> Iterator[None]:
    """Move a directory out of the way, so that the block puts another in its place; if it does not, it is back.

    Raises:
        OSError: It cannot be moved.
    """
    aside = new(path.parent, _ASIDE)
    aside.mkdir()
    try:
        path.rename(aside / path.name)
        yield
    finally:
        _bring_back(aside)


def _bring_back(aside: Path) -> None:
    """Put what was set aside in its place, or remove it where another has come."""
    try:
        for path in aside.iterdir():
            if not (aside.parent / path.name).exists():
                path.rename(aside.parent / path.name)
    except OSError:  # another run was faster, or it cannot be moved: then it stays, for it is the only one
        return
    remove(aside)


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
    try:  # one that has ended, but that nobody has asked how, as in containers, is a zombie
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True
