"""An export is a directory that is written under another name and renamed when it is whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tfgen.errors import InputError
from tfgen.export import manifest
from tfgen.support import atomic_files, wording

if TYPE_CHECKING:
    import keras


def check(path: Path, overwrite: bool) -> None:
    """Refuse a place that an export cannot be written to.

    Raises:
        InputError: There is something that may not be replaced, the parent directory does not exist, or something lies
            in an export that its manifest does not list.
    """
    if path.is_dir():
        if not any(path.iterdir()):
            return
        if not overwrite:
            raise InputError(
                f"{str(path)!r} exists and is not empty",
                [("", "choose another directory"), ("overwrite", "replace it (--overwrite, overwrite=True)")],
            )
        _check_listed(path)
    elif path.exists() or path.is_symlink():
        raise InputError(f"{str(path)!r} is not a directory; choose another name.")
    elif not path.parent.is_dir():
        raise InputError(f"there is no directory {str(path.parent)!r}: make it, or choose another place.")


def _check_listed(path: Path) -> None:
    """Refuse a directory in which anything lies that no export has written there: it would be deleted."""
    listed = manifest.files(path)
    if listed is None:
        raise InputError(
            f"{str(path)!r} is not an export of tfgen (it has no {manifest.NAME} that lists its files), and is not "
            "replaced: choose another directory."
        )
    found = {each.relative_to(path).as_posix() for each in path.rglob("*") if each.is_symlink() or not each.is_dir()}
    if foreign := sorted(found - listed):
        raise InputError(
            f"{str(path)!r} is not replaced: {wording.listing(foreign)} in it would be lost, which the export has not "
            "written; move that elsewhere, or choose another directory."
        )


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
        check(path, overwrite)  # writing takes a while, and somebody may have put something there meanwhile
        _keep_modes(path, new)
        for file in new.rglob("*"):
            atomic_files.sync(file)
        _swap(new, path)
    atomic_files.sync(path.parent)


def _keep_modes(old: Path, new: Path) -> None:
    """Give the new directory, and each file in it, the mode of the one that it replaces."""
    for path in [new, *new.rglob("*")]:
        before = old / path.relative_to(new)
        if before.exists() and not (path.is_symlink() or before.is_symlink()):
            atomic_files.keep_mode(before, path)


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
