"""Locks on files; each ends with the process that holds it, however that ends."""

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
    """A lock on a file, held until it is closed or the process ends.

    Attributes:
        held: Whether it is a lock; False where the file system or the system has none.
    """

    def __init__(self, path: Path, *, make: bool = False, shared: bool = False) -> None:
        """Lock a file; no link is followed, and the file is not changed.

        Args:
            path: The file.
            make: Whether to make it, empty, where it is not there.
            shared: Whether others may hold such a lock at the same time. It is taken on a file open for reading, the
                other kind on one open for writing: network file systems ask for that.

        Raises:
            BlockingIOError: Another lock is held on it.
            InputError: It is a link, or something else that is not a file.
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
        if not self.held:  # Windows cannot rename a file that is open
            self.close()

    def __enter__(self) -> Lock:
        """Hold it while the block runs."""
        return self

    def __exit__(self, *error: object) -> None:
        """Give it back."""
        self.close()

    def is_current(self) -> bool:
        """Whether the locked file still has its name: another process may have removed it just before."""
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
            raise _not_a_file(path) from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_a_file(path)
    return descriptor


def _not_a_file(path: Path) -> InputError:
    return InputError(f"{str(path)!r} is a link, a directory or a device, and should be a file; remove it.")


def flock(descriptor: int, shared: bool = False, wait: bool = False) -> bool | None:
    """Lock an open file, and say whether that succeeded; None where the file system or the system has no locks."""
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
    """In a forked process, close the locks of its parent, which it would otherwise hold as long as it lives."""
    for lock in list(_open):
        lock.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
