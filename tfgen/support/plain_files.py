"""Files that are files: a pipe would be waited for, and a device such as /dev/zero read until memory is full."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from tfgen.errors import InputError


def opened(path: Path) -> BinaryIO:
    """Open a file for reading, without waiting for anything; a link to one is followed.

    Raises:
        InputError: It is a directory, a pipe, a socket or a device.
        OSError: It cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        _check(path, os.fstat(descriptor).st_mode)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def check(path: Path) -> None:
    """Refuse what is no file, for a library that opens the path itself.

    Raises:
        InputError: It is a directory, a pipe, a socket or a device.
        OSError: There is nothing of this name.
    """
    _check(path, path.stat().st_mode)


def _check(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = "directory" if stat.S_ISDIR(mode) else "pipe, a socket or a device"
        raise InputError(f"{str(path)!r} is a {kind}, and must be a file; give the path of a file.")
