"""Locks on files, each of which ends with the process that took it, however that ends."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from tfgen.errors import InputError

try:
    import fcntl
except ImportError:  # Windows has no locks of this kind
    fcntl = None  # type: ignore[assignment]

_open: set[Lock] = set()


class Lock:
    """A lock on a file, until it is closed or the process ends.

    Attributes:
        held: Whether it is a lock; False where the file system or the system has none.
    """

    def __init__(self, path: Path, *, make: bool = False, shared: bool = False) -> None:
        """Lock a file; a link is never followed, and nothing is changed in the file.

        Args:
            path: The file.
            make: Whether to make it, empty, where it is not there.
            shared: Whether others may hold such a lock at the same time; it needs a file that can be read, while the
                other kind needs one that can be written, for the sake of network file systems.

        Raises:
            BlockingIOError: Another lock is held on it.
            InputError: It is a link, or something else that is no file.
            OSError: It cannot be opened.
        """
        self._path = path
        self._descriptor: int | None = _opened(path, os.O_RDONLY if shared else os.O_RDWR, make)
        _open.add(self)
        locked = flock(self._descriptor, shared)
        if locked is False:
            self.close()
            raise BlockingIOError
        self.held = bool(locked)
        if not self.held:  # and nothing else to keep the file open for: Windows renames none that is open
            self.close()

    def __enter__(self) -> Lock:
        """Hold it while the block runs."""
        return self

    def __exit__(self, *error: object) -> None:
        """Give it back."""
        self.close()

    def is_current(self) -> bool:
        """Whether what is locked still has that name: another process may have removed it before."""
        try:
            return self._descriptor is None or os.path.samestat(os.lstat(self._path), os.fstat(self._descriptor))
        except OSError:
            return False

    def rename(self, path: Path) -> None:
        """Give the file another name."""
        self._path = self._path.rename(path)

    def close(self) -> None:
        """Give it back."""
        _open.discard(self)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _opened(path: Path, access: int, make: bool) -> int:
    flags = access | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # a pipe would keep us waiting
    try:
        descriptor = os.open(path, flags | (os.O_CREAT if make else 0), 0o666)
    except OSError:
        if path.is_symlink() or path.is_dir():
            raise _no_file(path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file(path)
    return descriptor


def _no_file(path: Path) -> InputError:
    return InputError(f"{str(path)!r} must be a file, not a link or a device; remove it.")


def flock(descriptor: int, shared: bool = False, wait: bool = False) -> bool | None:
    """Lock an open file, and say whether it could be had; None where the file system or the system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # ENOLCK, EOPNOTSUPP and others
        return None
    return True


def _forget() -> None:
    """Close the locks of the parent in a process that was forked, which would else hold them as long as it lives."""
    for lock in list(_open):
        lock.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
