"""Where a model file goes."""

import os
import tempfile
from pathlib import Path

import click

from tfgen.errors import InputError


def check_name(output: Path) -> None:
    """Refuse a name that no model file can have."""
    if output.is_dir() or output.suffix != ".keras":
        raise click.UsageError(f"the output must be a file whose name ends in .keras; received {str(output)!r}.")


def check_output(output: Path, overwrite: bool) -> None:
    """Refuse a place that cannot be written now, rather than after an hour of training."""
    check_name(output)
    if output.exists() and not overwrite:
        raise click.UsageError(f"{str(output)!r} exists: choose another --output, or replace it with --overwrite.")
    folder = Path(os.path.realpath(output)).parent if output.is_symlink() else output.parent
    shown = f"{str(folder)!r}, where the link {str(output)!r} leads" if output.is_symlink() else repr(str(folder))
    another = [("output", "choose another --output"), ("directory", "choose another --directory")]
    if not folder.is_dir():
        raise InputError(f"there is no directory {shown}", [("", "make it"), *another])
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"{shown} cannot be written to ({error.strerror or error})", another) from None
