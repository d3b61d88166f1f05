"""Which texts a user means: a path, a folder, a glob, standard input, a named corpus, or several of these."""

from __future__ import annotations

import dataclasses
import difflib
import glob
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from tfgen.corpora import compressed
from tfgen.corpora.named import BY_NAME, NAMED_CORPORA, NamedCorpus
from tfgen.errors import InputError
from tfgen.support import wording

StrPath: TypeAlias = str | os.PathLike[str]

STANDARD_INPUT = "-"


@dataclasses.dataclass(frozen=True)
class TextFile:
    """A file to read, or standard input if it has no path, or a copy of it if it has another label."""

    path: pathlib.Path | None
    label: str = ""

    @property
    def place(self) -> str:
        """What to call it in messages."""
        return self.label or ("standard input" if self.path is None else repr(str(self.path)))

    def read(self) -> Iterator[bytes]:
        """Read its bytes, decompressed, a piece at a time."""
        return compressed.standard_input_pieces() if self.path is None else compressed.read_pieces(self.path)


def size_of(path: pathlib.Path) -> int:
    """Give the size of a file in bytes.

    Raises:
        InputError: The operating system refuses.
    """
    try:
        return path.stat().st_size
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}; check the path.") from error


def as_names(source: StrPath | Sequence[StrPath]) -> list[str]:
    """Take what `load_corpus` was given as a list of names.

    Raises:
        InputError: It is nothing that names a text.

    >>> as_names(["a.txt", pathlib.PurePosixPath("b.txt")])
    ['a.txt', 'b.txt']
    """
    several = isinstance(source, Sequence) and not isinstance(source, str | bytes)
    names: list[StrPath] = list(source) if several else [source]  # type: ignore[arg-type, list-item]
    if not names:
        raise InputError("no source was given; received an empty list: name at least one file, folder or corpus.")
    for name in names:
        if not isinstance(name, (str, os.PathLike)):
            raise InputError(f"a source must be a path or a name, as a str or a Path; received {wording.shown(name)}.")
    return [os.fsdecode(name) for name in names]


def find(name: str) -> list[TextFile | NamedCorpus]:
    """Find what one name stands for: an existing path before a named corpus, before a glob.

    Args:
        name: As a user wrote it.

    Returns:
        The files in sorted order, or the named corpus.

    Raises:
        InputError: Nothing of that name exists, or a folder holds no files.
    """
    if name == STANDARD_INPUT:
        return [TextFile(None)]
    path = pathlib.Path(name)
    if name and os.path.isdir(name):  # noqa: PTH112 - unlike pathlib, takes any string
        return _files_below(path)
    if name and os.path.exists(name):  # noqa: PTH110
        return [TextFile(path)]
    if name in BY_NAME:
        return [BY_NAME[name]]
    if glob.has_magic(name):
        return _files_matching(name)
    raise InputError(_unknown(name))


def _files_below(folder: pathlib.Path) -> list[TextFile | NamedCorpus]:
    def refuse(error: OSError) -> None:  # os.walk would pass over a folder it may not read
        raise InputError(f"{error.filename!r} cannot be read: {error.strerror}; check its permissions.") from error

    paths: list[pathlib.Path] = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [pathlib.Path(parent, name) for name in names if not name.startswith(".")]
    found = sorted(path for path in paths if path.is_file())
    if not found:
        raise InputError(f"folder {str(folder)!r} holds no files (hidden ones are not read); use one that does.")
    return [TextFile(path) for path in found]


def _files_matching(pattern: str) -> list[TextFile | NamedCorpus]:
    matches = glob.glob(pattern, recursive=True)  # noqa: PTH207 - unlike pathlib's, skips hidden files
    found = sorted(path for path in map(pathlib.Path, matches) if path.is_file())
    if not found:
        raise InputError(f"no such file: nothing matches {pattern!r}; check the pattern, and quote it in a shell.")
    return [TextFile(path) for path in found]


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name.lower(), NAMED_CORPORA)
    hint = f"did you mean {wording.listing(close)}?" if close else "check the path."
    return f"no such file or named corpus: {name!r}; {hint} The named corpora are {wording.listing(NAMED_CORPORA)}."
