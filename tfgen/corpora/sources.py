"""Which texts a user means: a path, a folder, a glob, standard input, a named corpus, or several of these."""

from __future__ import annotations

import codecs
import dataclasses
import difflib
import glob
import os
import pathlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from tfgen.corpora import compressed, encodings
from tfgen.corpora.named import BY_NAME, NAMED_CORPORA, NamedCorpus
from tfgen.errors import InputError
from tfgen.support import wording

StrPath: TypeAlias = str | os.PathLike[str]

STANDARD_INPUT = "-"

_VERSION_CONTROL = ("CVS", "RCS", "SCCS", "_darcs")  # the folders of the others are hidden
_PREPARED = ("ids.bin", "manifest.json")
# Where runs that were stopped go on: beside what they write, which may be in the folder of their text.
_OF_RUNS = re.compile(r"[.]keras[.]checkpoints$|[.](jsonl|csv|parquet)[.]parts$")
_BINARY = (b"%PDF-", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"PK\x03\x04")
_LOOKED_AT = 8000  # bytes, as git does


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


def find(name: str, encoding: str, passed_over: Counter[str]) -> list[TextFile | NamedCorpus]:
    """Find what one name stands for: an existing path before a named corpus, before a glob.

    Args:
        name: As a user wrote it.
        encoding: That of the files; below a folder, a file that looks binary is passed over.
        passed_over: Counts what is below a folder and is not read.

    Returns:
        The files in sorted order, or the named corpus.

    Raises:
        InputError: Nothing of that name exists, or a folder holds no files.
    """
    if name == STANDARD_INPUT:
        return [TextFile(None)]
    path = pathlib.Path(name)
    if name and os.path.isdir(name):  # noqa: PTH112 - unlike pathlib, takes any string
        return _files_below(path, encoding, passed_over)
    if name and os.path.exists(name):  # noqa: PTH110
        return [TextFile(path)]
    if name in BY_NAME:
        return [BY_NAME[name]]
    if glob.has_magic(name):
        return _files_matching(name, passed_over)
    raise InputError(_unknown(name))


def _files_below(folder: pathlib.Path, encoding: str, passed_over: Counter[str]) -> list[TextFile | NamedCorpus]:
    if _is_prepared(folder):
        raise InputError(f"{str(folder)!r} was prepared, and holds ids and no text; give the text that it was made of.")
    here: Counter[str] = Counter()
    found = sorted(path for path in _walk(folder, here) if _is_text(path, encoding, here))
    if not found:
        # The words of `passed_over`, such as "binary_files".
        others = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in sorted(here.items()))
        advice = f"; passed over were {others}" if others else ""
        raise InputError(f"folder {str(folder)!r} holds no files of text{advice}; use one that does.")
    passed_over.update(here)
    return [TextFile(path) for path in found]


def _walk(folder: pathlib.Path, passed_over: Counter[str]) -> Iterator[pathlib.Path]:
    """Give the files below a folder."""
    for parent, names in _folders(folder, passed_over):
        for name in names:
            path = pathlib.Path(parent, name)
            if _is_hidden(name):
                passed_over["hidden_files"] += 1
            elif path.is_file():
                yield path
            else:
                passed_over["special_files" if path.exists() else "dangling_links"] += 1


def _folders(folder: StrPath, passed_over: Counter[str]) -> Iterator[tuple[str, list[str]]]:
    """Give a folder and those below it, linked ones too, each once, and the names of what is in each and no folder."""

    def refuse(error: OSError) -> None:  # os.walk would pass over a folder it may not read
        raise InputError(f"{error.filename!r} cannot be read: {error.strerror}; check its permissions.") from error

    walked: set[str] = set()
    for parent, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        walked.add(os.path.realpath(parent))
        inner = [name for name in sorted(folders) if not _is_hidden(name)]
        passed_over["hidden_files"] += len(folders) - len(inner)
        of_texts = [name for name in inner if not _is_own(pathlib.Path(parent, name))]
        passed_over["own_folders"] += len(inner) - len(of_texts)
        folders[:] = []
        for name in sorted(of_texts, key=lambda name: os.path.islink(os.path.join(parent, name))):  # noqa: PTH114, PTH118
            real = os.path.realpath(pathlib.Path(parent, name))
            if real in walked:
                passed_over["repeated_folders"] += 1
            else:
                walked.add(real)
                folders.append(name)
        yield parent, names


def _is_prepared(folder: pathlib.Path) -> bool:
    return all((folder / name).is_file() for name in _PREPARED)


def _is_own(folder: pathlib.Path) -> bool:
    """Whether tfgen has written a folder, of which a text is no part: else a run would read what it writes."""
    return _OF_RUNS.search(folder.name) is not None or _is_prepared(folder)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _VERSION_CONTROL


def _is_text(path: pathlib.Path, encoding: str, passed_over: Counter[str]) -> bool:
    """Whether a file looks like text: it has no NUL at its beginning, unless its encoding writes letters with them."""
    beginning = next(compressed.read_pieces(path), b"")[:_LOOKED_AT]
    wide = codecs.lookup(encoding).name.startswith(("utf-16", "utf-32"))
    is_binary = beginning.startswith(_BINARY) or (
        b"\0" in beginning and not wide and not encodings.marked_encoding(beginning).startswith(("utf-16", "utf-32"))
    )
    passed_over["binary_files"] += is_binary
    return not is_binary


def _files_matching(pattern: str, passed_over: Counter[str]) -> list[TextFile | NamedCorpus]:
    here: Counter[str] = Counter()
    found = []
    # Two `**` lead to a folder on several ways.
    each_once = {
        pathlib.Path(os.path.realpath(path.parent), path.name): path
        for path in map(pathlib.Path, _matches(pattern, here))
    }
    for path in sorted(each_once.values()):
        if path.is_file():
            found.append(path)
        elif not path.is_dir():
            here["special_files" if path.exists() else "dangling_links"] += 1
    if not found:
        raise InputError(f"no such file: nothing matches {pattern!r}; check the pattern, and quote it in a shell.")
    told = ("special_files", "dangling_links", "repeated_folders", "own_folders")
    passed_over.update({name: here[name] for name in told})
    return [TextFile(path) for path in found]


def _matches(pattern: str, passed_over: Counter[str]) -> Iterator[str]:
    """Give what matches a pattern; `**` stands for any folders, of which each is looked into once, however linked."""
    parts = pathlib.PurePath(pattern).parts
    if "**" not in parts:
        yield from glob.glob(pattern)  # noqa: PTH207 - unlike pathlib's, skips hidden files
        return
    at = parts.index("**")
    before, after = os.path.join(*parts[:at], ""), os.path.join(*parts[at + 1 :] or ("*",))  # noqa: PTH118
    for top in glob.glob(before) if before else [""]:  # noqa: PTH207
        for folder, _ in _folders(top or os.curdir, passed_over):
            within = folder if top else os.path.relpath(folder)
            yield from _matches(os.path.join(glob.escape(within), after), passed_over)  # noqa: PTH118


def _unknown(name: str) -> str:
    close = difflib.get_close_matches(name.lower(), NAMED_CORPORA)
    hint = f"did you mean {wording.listing(close)}?" if close else "check the path."
    return f"no such file or named corpus: {name!r}; {hint} The named corpora are {wording.listing(NAMED_CORPORA)}."
