"""Text of any size to ids on disk, in memory that does not grow with it: prepared once, found again by its content.

Three passes read the text, each in pieces: one hashes the bytes of the files, one counts tokens for the vocabulary, one
writes ids. They are written to a directory of another name, which is renamed when it is whole, so that a run that is
killed leaves nothing that looks like a corpus. The next run of the same text continues from its notes, and of two runs
at once the slower takes what the faster has made.
"""

import codecs
import contextlib
import dataclasses
import hashlib
import json
import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard, get_args

import numpy as np

from tfgen.corpora import TextSource, compressed, open_source
from tfgen.corpora.corpus import END_OF_TEXT
from tfgen.corpora.named import NamedCorpus
from tfgen.corpora.sources import StrPath, TextFile
from tfgen.errors import InputError, check_choice, check_instance, path_of
from tfgen.prepared import cache, workspace
from tfgen.prepared.corpus import FORMAT, Prepared, cache_directory, is_prepared, open_prepared, read_manifest
from tfgen.prepared.ids_file import IdsFile
from tfgen.prepared.workspace import Workspace
from tfgen.support import atomic_files, notes, wording
from tfgen.support.locks import Lock
from tfgen.vocabulary.counted import Counted
from tfgen.vocabulary.vocabulary import END, OnUnknown, Split, Vocabulary, checked_limits, default_max_tokens

Identities: TypeAlias = list[tuple[int, int, int]]

_PIECE = 1 << 20  # bytes

# How a text could be read when the first texts were prepared.
_FIRST = ("column", "lines", "encoding", "unescape", "strip_gutenberg", "normalize", "control")


def prepare_corpus(
    source: StrPath | Sequence[StrPath],
    directory: StrPath | None = None,
    *,
    split: Split = "character",
    max_tokens: int | None = None,
    min_count: int = 1,
    vocabulary: Vocabulary | None = None,
    unknown: OnUnknown | None = None,
    show: Callable[[str], Any] = lambda stage: None,
    **reading: Any,
) -> Prepared:
    """Turn text of any size into ids on disk; text that was prepared before, in the same way, is found again.

    The text is read three times and never held in memory. Standard input is copied to disk first. In the cache, texts
    that were not used for 30 days are removed when a new one is prepared there.

    Args:
        source: As for `tfgen.load_corpus`.
        directory: Where to put it, a directory that does not exist yet; None for the cache, `~/.keras/tfgen/prepared`.
        split: "character" or "word".
        max_tokens: The largest vocabulary; None for no limit (10,000 for words).
        min_count: Rarer tokens are left out of the vocabulary.
        vocabulary: Used instead of one counted on the text, such as that of a model; overrules the three above.
        unknown: What a token outside the vocabulary does, see `Vocabulary.encode`; None: it is an error, but where the
            vocabulary has left tokens out.
        show: Called with a line of text before each pass.
        **reading: As for `tfgen.load_corpus`.

    Returns:
        The prepared corpus.

    Raises:
        InputError: As `load_corpus`; or an argument is something else, the directory holds something else, the disk has
            too little space, or a file was changed while it was read.
        OSError: The directory cannot be written.
    """
    counting = Counting.checked(split, max_tokens, min_count, vocabulary, unknown)
    return prepare_text(open_source(source, **reading), directory, counting, show)


@dataclasses.dataclass(frozen=True)
class Counting:
    """How a vocabulary is counted, or the one that is used instead; `checked` makes it.

    Attributes:
        split: What a token is.
        limit: The largest vocabulary; None for no limit.
        min_count: Rarer tokens are left out.
        vocabulary: The one that is given, or None.
        unknown: What a token outside the vocabulary does, or None.
    """

    split: Split
    limit: int | None
    min_count: int
    vocabulary: Vocabulary | None
    unknown: OnUnknown | None

    @classmethod
    def checked(
        cls,
        split: Split,
        max_tokens: int | None,
        min_count: int,
        vocabulary: Vocabulary | None,
        unknown: OnUnknown | None = None,
    ) -> "Counting":
        """Take what `prepare_corpus` was given.

        Raises:
            InputError: A limit is out of its range.
        """
        max_tokens, min_count = checked_limits(split, max_tokens, min_count)
        check_instance("the vocabulary", vocabulary, Vocabulary | None, "a tfgen.Vocabulary")
        if unknown is not None:
            check_choice("unknown", unknown, get_args(OnUnknown))
        limit = default_max_tokens(split) if max_tokens is None else max_tokens
        return cls(split, limit, min_count, vocabulary, unknown)

    def key(self) -> Any:
        """Give all that the ids depend on beside the text, as plain JSON types."""
        given = [self.split, self.limit, self.min_count] if self.vocabulary is None else self.vocabulary.get_config()
        return given if self.unknown is None else [given, self.unknown]

    def on_unknown(self, vocabulary: Vocabulary) -> OnUnknown:
        """Give what a token outside a vocabulary does."""
        return vocabulary.on_unknown if self.unknown is None else self.unknown


def prepare_text(
    text: TextSource,
    directory: StrPath | None,
    counting: Counting,
    show: Callable[[str], Any],
    before: Identities | None = None,
) -> Prepared:
    """Prepare a text; see `prepare_corpus`.

    Args:
        text: The text.
        directory: Where to put it; None for the cache.
        counting: How its vocabulary is counted.
        show: Called with a line of text before each pass.
        before: What `identities` gave of the text earlier, if it must not have changed since then.

    Raises:
        InputError, OSError: As for `prepare_corpus`.
    """
    check_instance("show", show, Callable, "a function of one text")
    if (known := counting.vocabulary) is not None and (known.normalize is not None or known.lower):
        reading = dataclasses.replace(
            text.reading,
            normalize=known.normalize or text.reading.normalize,
            lower=known.lower or text.reading.lower,
        )
        text = dataclasses.replace(text, reading=reading)
    directory = None if directory is None else path_of("directory", directory)
    if directory is not None and directory.is_dir():  # a link to one is followed: a link itself cannot be replaced
        directory = Path(os.path.realpath(directory))
    with Workspace(_parent(directory)) as work:
        text = _copied(text, work)
        before = identities(text) if before is None else before
        show(f"hashing {wording.number(text.bytes_on_disk(), 'byte')}")
        with _unchanged(text, before, work):
            key = _key(text, counting.key())
            goal = Path(directory) if directory is not None else _parent(None) / key[:40]
            if found := _found(goal, key, replace=directory is None):
                return dataclasses.replace(found, source=text.label)
            if not any(text.pieces()):
                raise InputError(text.no_text())
            if directory is None and (removed := cache.remove_old()):
                show(f"removed {wording.number(len(removed), 'prepared text')} not used for {workspace.KEPT_DAYS} days")
            work.take_over(key)
            vocabulary, tokens = _count(text, counting, work, show)
            unknown = counting.on_unknown(vocabulary)
            manifest = {"format": FORMAT, "key": key, **_write(text, vocabulary, tokens, work, show, unknown)}
        work.copy(workspace.MANIFEST, [json.dumps(manifest).encode()])
        return _placed(work, goal, key)


@contextlib.contextmanager
def _unchanged(text: TextSource, before: Identities, work: Workspace) -> Iterator[None]:
    """Refuse a text that is changed while the block reads it, and discard the notes on it."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(InputError):  # a file that is missing now may come back unchanged
            if identities(text) != before:
                work.forget()
        raise
    if identities(text) != before:
        work.forget()
        raise _changed(text)


def _changed(text: TextSource) -> InputError:
    return InputError(f"{text.label!r} was changed while it was read; prepare it again when it is complete.")


def _placed(work: Workspace, goal: Path, key: str) -> Prepared:
    """Rename the corpus, or open the one that another run has put there meanwhile."""
    # The lock keeps it from being removed from the cache before it is opened; not so what another run has made.
    with Lock(work.path(workspace.IDS), shared=True), contextlib.suppress(FileNotFoundError):
        for _ in range(10):
            work.become(goal)
            if found := _found(goal, key, replace=False):
                return found
    raise InputError(f"{str(goal)!r} was removed as soon as it was complete; prepare the text again.")


def _except(characters: int) -> str:
    return f", except {wording.number(characters, 'character')} done by a stopped run" if characters else ""


def _parent(directory: StrPath | None) -> Path:
    """Give the directory that will hold the prepared one: the cache, which is made, or one that must exist."""
    if directory is None:
        cache_directory().mkdir(parents=True, exist_ok=True)
        return cache_directory()
    parent = Path(directory).parent
    if not parent.is_dir():
        raise InputError(f"there is no directory {str(parent)!r}; make it, or choose another.")
    if not _is_free(Path(directory)) and not is_prepared(directory):
        raise InputError(_taken(directory))
    return parent


def _is_free(goal: Path) -> bool:
    try:
        return not any(goal.iterdir())
    except OSError:
        return not os.path.lexists(goal)


def _taken(goal: StrPath) -> str:
    """Say that a place is not free."""
    return f"{str(goal)!r} exists and holds something else; choose another directory."


def is_read_once(text: TextFile | NamedCorpus) -> TypeGuard[TextFile]:
    """Whether a text can be read a single time, as standard input and pipes."""
    return isinstance(text, TextFile) and (text.path is None or not text.path.is_file())


def _copied(text: TextSource, work: Workspace) -> TextSource:
    """Copy standard input and pipes to disk, since they cannot be read twice."""

    def copied(number: int, each: TextFile | NamedCorpus) -> TextFile | NamedCorpus:
        if not is_read_once(each):
            return each
        ending = compressed.uncompressed_name(each.path).suffix if each.path else ""
        return TextFile(work.copy(f"{workspace.INPUT}{number}{ending}", each.read()), each.place)

    return dataclasses.replace(text, texts=tuple(copied(*each) for each in enumerate(text.texts)))


def _files(text: TextSource) -> list[Path]:
    return [each.path for each in text.texts if isinstance(each, TextFile) and each.path is not None]


def identities(text: TextSource) -> Identities:
    """Give what differs when a file is changed or replaced.

    Raises:
        InputError: A file is not there any more.
    """
    try:
        return [(stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in (path.stat() for path in _files(text))]
    except OSError as error:
        raise InputError(
            f"{error.filename!r} cannot be read: {error.strerror}; check whether it was removed."
        ) from error


def _key(text: TextSource, counted: Any) -> str:
    """Name the result by all that it depends on: the bytes of the files, and how they are read."""
    contents, returns, alone = [], 0, 0
    for each in text.texts:
        digest, last = hashlib.sha256(), b""
        for piece in _bytes_of(each):
            digest.update(piece)
            if b"\r" in piece or last == b"\r":
                returns += piece.count(b"\r")
                alone += piece.count(b"\r") - (last + piece).count(b"\r\n")
            last = piece[-1:]
        path = each.path if isinstance(each, TextFile) else None
        suffixes = [suffix.lower() for suffix in path.suffixes[-2:]] if path else None
        contents += [json.dumps([suffixes]).encode(), digest.digest()]
    # The ends of rows and lines are no text, and might be \r\n before too.
    changed = alone if text.reading.column is not None or text.reading.lines else returns
    how = [FORMAT, _reading_of(text, changed > 0), text.ends, counted, unicodedata.unidata_version]
    if text.reading.normalize is not None:  # else what was prepared by a vocabulary without a form would be found
        how.append("form")
    return hashlib.sha256(b"".join([json.dumps(how).encode(), *contents])).hexdigest()


def _reading_of(text: TextSource, has_ends: bool) -> dict[str, Any]:
    """Give how a text is read, so that texts that were prepared before stay found.

    What was added later is no part of it where it is not asked for, unless the text may be read otherwise than before.
    """
    how = dataclasses.asdict(text.reading)
    later = {field.name: field.default for field in dataclasses.fields(text.reading) if field.name not in _FIRST}
    reading = {name: value for name, value in how.items() if name not in later or value != later[name]}
    is_utf8 = codecs.lookup(text.reading.encoding).name == "utf-8"
    paths = [compressed.uncompressed_name(path) for path in _files(text)]
    is_unquoted = text.reading.column is not None and any(path.suffix.lower() in (".tsv", ".tab") for path in paths)
    if has_ends or is_unquoted or not is_utf8:
        reading["rules"] = 2  # of the ends of lines, of quotes in a TSV file, and of byte order marks
    return reading


def _bytes_of(text: TextFile | NamedCorpus) -> Iterator[bytes]:
    """Read a file as it is on the disk, compressed or not, or a named corpus."""
    if isinstance(text, NamedCorpus):
        yield from ((document.text + END_OF_TEXT).encode() for document in text.read())
        return
    assert text.path is not None
    try:
        with text.path.open("rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                yield piece
    except OSError as error:
        raise InputError(f"{text.place} cannot be read: {error.strerror or error}; check the path.") from error


def _found(goal: Path, key: str, replace: bool) -> Prepared | None:
    """Open the corpus of that key if it is there already; a damaged one is removed from the cache."""
    if _is_free(goal):
        return None
    try:
        if is_prepared(goal) and read_manifest(goal)["key"] == key:
            return open_prepared(goal)
    except (OSError, ValueError, RecursionError):
        pass
    if _is_free(goal):  # another process has removed it from the cache
        return None
    if not replace:
        raise InputError(_taken(goal))
    atomic_files.remove(goal)
    return None


def _count(text: TextSource, counting: Counting, work: Workspace, show: Callable[[str], Any]) -> tuple[Vocabulary, int]:
    """Make a vocabulary of the text, or take the one that is given, and give the number of the text's ids."""
    if (vocabulary := counting.vocabulary) is not None:
        show(f"counting {vocabulary.split}s")
        pieces = vocabulary.encode_pieces(text.pieces(), counting.on_unknown(vocabulary), vocabulary.id_type)
        return vocabulary, text.ends + sum(map(len, pieces))
    counted = Counted(work.path(workspace.COUNTED))
    show(f"counting {counting.split}s{_except(counted.characters)}")
    vocabulary = Vocabulary.from_pieces(
        text.pieces(),
        text.ends,
        counting.split,
        counting.limit,
        counting.min_count,
        counted,
        text.reading.normalize,
        text.reading.lower,
    )
    return vocabulary, sum(vocabulary.counts) + text.ends


def _write(
    text: TextSource,
    vocabulary: Vocabulary,
    tokens: int,
    work: Workspace,
    show: Callable[[str], Any],
    unknown: OnUnknown,
) -> dict[str, Any]:
    """Write the ids, of which there must be so many, and give what the manifest says of them and of the text."""
    watch = _Watch(text)
    with contextlib.closing(IdsFile(work, vocabulary.id_type)) as ids:
        work.check_space((tokens - ids.tokens) * vocabulary.id_type.itemsize)
        show(f"writing {wording.number(tokens, 'id')}{_except(ids.characters)}")
        if text.ends and not ids.tokens:
            ids.add(np.array([END], vocabulary.id_type), 0)
        rest = notes.after(ids.characters, watch.pieces())
        for some, position in vocabulary.encode_from(ids.characters, rest, unknown, vocabulary.id_type):
            ids.add(some, position)
    if ids.tokens != tokens:
        work.forget()
        raise _changed(text)
    return {
        "source": text.label,
        "ends": text.ends,
        "documents": watch.documents if text.ends else 1,
        "characters": watch.characters - (watch.documents if text.ends else 0),
        "sha256": watch.hexdigest(),
        "tokens": tokens,
        "type": vocabulary.id_type.name,
        "ids_sha256": ids.digest.hexdigest(),
        "vocabulary": vocabulary.get_config(),
        "reading": dataclasses.asdict(text.reading),
        "noticed": dict(text.noticed),
    }


class _Watch:
    """Hashes and counts a text while it is read."""

    def __init__(self, text: TextSource) -> None:
        self._text = text
        self._digest = hashlib.sha256()
        self.characters = self.documents = 0

    def pieces(self) -> Iterator[str]:
        for piece in self._text.pieces():
            self._digest.update(piece.encode())
            self.characters += len(piece)
            self.documents += piece.count(END_OF_TEXT)
            yield piece
        if not self._text.ends:
            self._digest.update(END_OF_TEXT.encode())

    def hexdigest(self) -> str:
        return self._digest.hexdigest()
