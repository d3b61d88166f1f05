"""An export is a directory that is written under another name and renamed when it is whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tfgen.errors import InputError
from tfgen.export import manifest
from tfgen.support import atomic_files

if TYPE_CHECKING:
    import keras


def check(path: Path, overwrite: bool) -> None:
    """Refuse a place that an export cannot be written to.

    Raises:
        InputError: There is something that may not be replaced, or the parent directory does not exist.
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
                f"{str(path)!r} is not an export of tfgen (it has no {manifest.NAME}), and is not replaced: choose "
                "another directory."
            )
    elif path.exists() or path.is_symlink():
        raise InputError(f"{str(path)!r} is not a directory; choose another name.")
    elif not path.parent.is_dir():
        raise InputError(f"there is no directory {str(path.parent)!r}: make it, or choose another place.")


@contextlib.contextmanager
def replaced(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Give an empty directory, which replaces `path` if the block succeeds and is removed if it fails.

    Raises:
        InputError: As for `check`.
        OSError: It cannot be written.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    with atomic_files.Directory(path.parent) as work:  # after a kill it brings back the earlier export
        check(path, overwrite)
        new = work.path("export")
        new.mkdir()
        yield new
        if path.exists():
            atomic_files.keep_mode(path, new)
        for file in new.rglob("*"):
            atomic_files.sync(file)
        _swap(new, path)
    atomic_files.sync(path.parent)


def _swap(new: Path, path: Path) -> None:
    """Put a directory in the place of another, which is brought back if that fails."""
    if not path.exists():
        new.rename(path)
        return
    with atomic_files.making_room(path):  # Python has no call that swaps two directories
        new.rename(path)


def write_archive(archive: keras.export.ExportArchive, directory: str | os.PathLike[str]) -> None:
    """Write Keras' archive of endpoints as a SavedModel.

    Args:
        archive: The archive, with all its endpoints.
        directory: One that does not exist, or is empty.

    Raises:
        OSError: A file cannot be written. TensorFlow raises errors of its own, which are converted.
    """
    import tensorflow as tf

    try:
        archive.write_out(directory, verbose=False)
    except tf.errors.OpError as error:
        reason = error.message.rsplit("; ", 1)[-1].split(" [Op:")[0]  # after names of devices and of temporary files
        raise OSError(f"the export cannot be written: {reason[:200]}") from error
