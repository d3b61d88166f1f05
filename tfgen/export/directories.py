"""A directory is written under another name and renamed when it is whole."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tfgen import unfinished
from tfgen.errors import InputError
from tfgen.export import manifest


def check(path: Path, overwrite: bool) -> None:
    """Refuse a place that cannot be written to.

    Raises:
        InputError: Something is there that may not be replaced, or there is no directory to write into.
    """
    if path.is_dir():
        if not any(path.iterdir()):
            return
        if not overwrite:
            raise InputError(
                f"{str(path)!r} exists and is not empty: choose another directory, or replace it (--overwrite, "
                "overwrite=True)."
            )
        if not (path / manifest.NAME).is_file():
            raise InputError(
                f"{str(path)!r} is no export of tfgen (it has no {manifest.NAME}), and is not replaced: choose another."
            )
    elif path.exists() or path.is_symlink():
        raise InputError(f"{str(path)!r} is no directory; choose another name.")
    elif not path.parent.is_dir():
        raise InputError(f"there is no directory {str(path.parent)!r}: make it, or choose another place.")


@contextlib.contextmanager
def replaced(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Give an empty directory that takes the place of `path` when the block ends well, and goes away when it does not.

    Raises:
        InputError: As for `check`.
        OSError: It cannot be written.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    unfinished.clear(path.parent)  # which may bring back what was there
    check(path, overwrite)
    new = unfinished.new(path.parent)
    new.mkdir()
    try:
        yield new
        _swap(new, path)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _swap(new: Path, path: Path) -> None:
    """Put a directory in the place of another, which is there again if that fails."""
    if not path.exists():
        new.rename(path)
        return
    with unfinished.set_aside(path):  # Python has no call that swaps two directories
        new.rename(path)
