"""A file or a directory under another name while it is written, renamed when it is whole.

What is written lies in a directory of its own, which is locked as long as its process lives. The next process that
writes to the same place removes what is not locked.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from tfgen.errors import InputError
from tfgen.support import owners
from tfgen.support.locks import Lock
from tfgen.support.owners import Owner

_UNFINISHED = ".unfinished"
_ASIDE = ".aside"
_LOCK = ".tfgen.lock"
_NEW_LOCK = f"{_LOCK}.new"  # before it is held
_DAY = 24 * 60 * 60  # seconds


class Directory:
    """A directory for what is half written; what was not renamed is removed in the end."""

    def __init__(self, parent: Path, mark: str = _UNFINISHED) -> None:
        """Choose the parent directory, and how the name ends; it is made when the first path in it is asked for."""
        self._parent = parent
        self._path = parent / owners.new_name(mark)
        self._process = os.getpid()
        self._lock: Lock | None = None

    def __enter__(self) -> Directory:
        """Remove what killed processes left."""
        clear(self._parent)
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *error: object) -> None:
        """Leave nothing behind."""
        if os.getpid() == self._process:  # a forked process leaves it to its parent
            discard(self._path)
        self.release()

    def release(self) -> None:
        """Let other processes take what is in it."""
        if self._lock:
            self._lock.close()

    def path(self, name: str) -> Path:
        """Give the path of a file or directory to be written.

        Raises:
            OSError: The directory cannot be made; the error names its parent.
        """
        if not self._path.exists():
            try:
                self._path.mkdir(mode=0o700)  # others can read the content once it is renamed
                self._lock = _lock_new(self._path)
            except OSError as error:  # a user knows the parent, but not this name
                raise OSError(error.errno, error.strerror, str(self._parent)) from None
        return self._path / name


def _lock_new(path: Path) -> Lock | None:
    """Lock a new directory; the lock has its name only once it is held. None where there are no locks."""
    new = path / _NEW_LOCK
    lock = Lock(new, make=True)
    if lock.held:
        lock.rename(path / _LOCK)
        return lock
    lock.close()
    new.unlink()
    return None


@contextlib.contextmanager
def file(goal: Path) -> Iterator[Path]:
    """Give a path to write to, with the same ending, which is renamed if the block succeeds and removed if it fails.

    A link stays a link: what it leads to is replaced. A file that is replaced keeps its mode.

    Raises:
        OSError: It cannot be written; what was there before is unharmed.
    """
    place = Path(os.path.realpath(goal))
    with Directory(place.parent) as work:
        path = work.path(f"new{goal.suffix}")
        yield path
        sync(path)
        plain = work.path("mode")
        plain.touch()  # to see what the umask gives: a library may have made the other one with any mode
        keep_mode(place if place.exists() else plain, path)
        path.replace(place)
    sync(place.parent)


def keep_mode(old: Path, new: Path) -> None:
    """Give the new file or directory the mode of the one that it replaces."""
    mode = stat.S_IMODE(old.stat().st_mode)
    if stat.S_IMODE(new.stat().st_mode) != mode:  # which some file systems refuse to change
        new.chmod(mode)


def sync(path: Path) -> None:
    """Make what was written outlast a loss of power; of a directory the names in it, where the system can.

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


def abandoned(parent: Path, mark: str = _UNFINISHED) -> Iterator[Path]:
    """Find the directories of processes that have ended, one after another.

    No other process takes one of them before the next one is asked for. What may still be in use is skipped.
    """
    for path in _named(parent, mark):
        owner = owners.of(path.name, mark)
        try:
            lock = Lock(path / _LOCK)
        except FileNotFoundError:
            if _has_ended(owner, path):
                yield path
        except (OSError, InputError):  # it is in use, or the lock is not one of ours
            pass
        else:
            with lock:
                if lock.is_current() and (_reaches(lock, owner) or _has_ended(owner, path)):
                    yield path


def _named(parent: Path, mark: str) -> list[Path]:
    """Find directories of this user that have such a name, or one that an earlier version gave; no links."""
    earlier = re.compile(rf"\.{re.escape(socket.gethostname())}\.\d+\.[0-9a-f]{{8}}{re.escape(mark)}")
    with contextlib.suppress(OSError):
        paths = list(parent.iterdir())
        return [path for path in paths if (owners.of(path.name, mark) or earlier.fullmatch(path.name)) and is_own(path)]
    return []


def is_own(path: Path) -> bool:
    """Whether it is a directory, not a link to one, and belongs to this user."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and (not hasattr(os, "geteuid") or status.st_uid == os.geteuid())


def _reaches(lock: Lock, owner: Owner | None) -> bool:
    """Whether a lock that is free proves that its owner has ended.

    Some network file systems keep the locks of each machine apart, so it must be this machine, or one of its name,
    which is this one before it was restarted.
    """
    here = owners.this_process()
    same = owner is not None and ((owner.boot == here.boot != "") or owner.host == here.host)
    return lock.held and same


def _has_ended(owner: Owner | None, path: Path) -> bool:
    """Whether the owner of a directory has ended, by its number; if unknown, whether nothing was changed for a day."""
    runs = owners.runs(owner) if owner else None
    return time.time() - last_change(path) > _DAY if runs is None else not runs


def last_change(path: Path) -> float:
    """Give the time of the last change of anything in a directory; infinity while something is being changed."""
    try:
        times = [path.lstat().st_mtime]
        for folder, directories, files in os.walk(path):
            times += [Path(folder, name).lstat().st_mtime for name in (*directories, *files)]
    except OSError:
        return math.inf
    return max(times)


def clear(parent: Path) -> None:
    """Remove what was abandoned, and bring back what was moved out of the way of something that never came."""
    for path in abandoned(parent):
        discard(path)
    for path in abandoned(parent, _ASIDE):
        _bring_back(path)


def discard(path: Path) -> None:
    """Remove a directory of this process, or an abandoned one; its lock goes last."""
    with contextlib.suppress(OSError):
        for each in path.iterdir():
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each, ignore_errors=True)
            elif each.name != _LOCK:
                each.unlink(missing_ok=True)
        (path / _LOCK).unlink(missing_ok=True)
        path.rmdir()


@contextlib.contextmanager
def making_room(path: Path) -> Iterator[None]:
    """Move a directory out of the way while the block puts another in its place; if it fails, the old one is back.

    Raises:
        OSError: It cannot be moved.
    """
    aside = Directory(path.parent, _ASIDE)
    moved = aside.path(path.name)
    try:
        path.rename(moved)
        yield
    finally:
        _bring_back(moved.parent)
        aside.release()


def _bring_back(aside: Path) -> None:
    """Move what was out of the way back to its place, or remove it if its place is taken."""
    try:
        for path in aside.iterdir():
            goal = aside.parent / path.name
            if path.name not in (_LOCK, _NEW_LOCK) and not os.path.lexists(goal):  # a link takes a place too
                path.rename(goal)
    except OSError:  # another process was faster, or it cannot be moved and must be kept
        return
    discard(aside)


def remove(path: Path) -> None:
    """Remove a directory at once, though deleting it takes a while."""
    with Directory(path.parent) as work, contextlib.suppress(FileNotFoundError):  # another process was faster
        path.rename(work.path("removed"))
