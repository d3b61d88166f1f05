"""A page as a file, which is written whole or not at all, and replaces nothing but an earlier page."""

from pathlib import Path

from tfgen.errors import InputError
from tfgen.page.assembling import GENERATOR
from tfgen.support import atomic_files, plain_files

ENDING = ".html"
_HEAD = 4096  # bytes, in which the maker of a page is named


def place_of(path: Path) -> Path:
    """Give the path of a page, which ends in `.html`.

    >>> place_of(Path("romeo")).name, place_of(Path("romeo.html")).name
    ('romeo.html', 'romeo.html')
    """
    return path if path.suffix == ENDING else path.with_name(path.name + ENDING) if path.name else path


def check(path: Path, overwrite: bool) -> None:
    """Refuse a place that a page cannot be written to.

    Raises:
        InputError: There is something that may not be replaced, or the parent directory does not exist.
    """
    if path.is_dir():
        raise InputError(f"{str(path)!r} is a directory; choose another name for the page.")
    if path.exists() or path.is_symlink():
        if not overwrite:
            raise InputError(
                f"{str(path)!r} exists",
                [("", "choose another name"), ("overwrite", "replace it (--overwrite, overwrite=True)")],
            )
        if path.exists() and not _is_page(path):
            raise InputError(f"{str(path)!r} is not a page of tfgen, and is not replaced: choose another name.")
    elif not path.parent.is_dir():
        raise InputError(f"there is no directory {str(path.parent)!r}: make it, or choose another place.")


def write(text: str, path: Path, overwrite: bool = False) -> None:
    """Write a page.

    Raises:
        InputError: As for `check`.
        OSError: It cannot be written; what was there before is unharmed.
    """
    check(path, overwrite)
    with atomic_files.file(path) as new:
        new.write_text(text, encoding="utf-8", newline="\n")


def _is_page(path: Path) -> bool:
    with plain_files.opened(path) as file:
        return f'<meta name="generator" content="{GENERATOR} '.encode() in file.read(_HEAD)
