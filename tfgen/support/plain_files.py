"""Files that are files: a pipe would be waited for, and a device such as /dev/zero read until memory is full."""

from __future__ import annotations

import os
import stat
from io import BufferedReader, FileIO
from pathlib import Path

from tfgen.errors import InputError


def opened(path: Path) -> BufferedReader:
    """Open a file for reading, without waiting for anything; a link to one is followed.

    Raises:
        InputError: It is a directory, a pipe, a socket or a device.
        OSError: It cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = "directory" if stat.S_ISDIR(mode) else "pipe, a socket or a device"
        raise InputError(f"{str(path)!r} is a {kind}, and must be a file; give the path of a file.")
    return BufferedReader(FileIO(descriptor))
