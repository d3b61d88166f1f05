"""Text of any size to ids on disk, in memory that does not grow with it: made once, found again by its content.

Three passes read the text, each in pieces: one hashes the bytes of the files, one counts tokens for the vocabulary, one
writes ids. What is written lies in a directory of another name until it is whole and is then renamed; so a run that is
killed leaves nothing that would be taken for a corpus. The next run of the same text takes over what it noted, and of
two at once the slower finds the work of the faster.
"""

import contextlib
import dataclasses
import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfgen.corpora import TextSource, open_source
from tfgen.corpora.corpus import END_OF_TEXT
from tfgen.corpora.named import NamedCorpus
from tfgen.corpora.sources import StrPath, TextFile
from tfgen.errors import InputError
from tfgen.prepared import workspace
from tfgen.prepared.corpus import FORMAT, MANIFEST, Prepared, is_prepared, open_prepared, read_manifest
from tfgen.prepared.ids_file import IdsFile
from tfgen.prepared.workspace import Workspace
from tfgen.support import atomic_files, cache, notes, wording
from tfgen.vocabulary.counted import Counted
from tfgen.vocabulary.vocabulary import END, Split, Vocabulary, checked_limits, default_max_tokens

_PIECE = 1 << 20  # bytes


def prepare_corpus(
    source: StrPath | Sequence[StrPath],
    directory: StrPath | None = None,
    *,
    split: Split = "character",
    max_tokens: int | None = None,
    min_count: int = 1,
    vocabulary: Vocabulary | None = None,
    show: Callable[[str], Any] = lambda stage: None,
    **reading: Any,
) -> Prepared:
    """Turn text of any size into ids on disk; text that was prepared before, in the same way, is found again.

    The text is read three times and never held: memory does not grow with it. Standard input is copied to disk first.

    Args:
        source: As for `tfgen.load_corpus`.
        directory: Where to put it, a directory that is not there yet; None for the cache, `~/.keras/tfgen/prepared`.
        split: "character" or "word".
        max_tokens: The largest vocabulary; None for no limit (10,000 for words).
        min_count: Rarer tokens are left out of the vocabulary.
        vocabulary: To take instead of one made of the text, such as that of a model; overrules the three above.
        show: Takes a line of text before each pass.
        **reading: As for `tfgen.load_corpus`.

    Returns:
        The prepared corpus.

    Raises:
        InputError: As `load_corpus`; or there is something else in the directory, too little space on the disk, or a
            file was changed meanwhile.
        OSError: The directory cannot be written.
    """
    max_tokens, min_count = checked_limits(split, max_tokens, min_count)
    limit = default_max_tokens(split) if max_tokens is None else max_tokens
    text = open_source(source, **reading)
    with Workspace(_parent(directory)) as work:
        text = _copied(text, work)
        before = _identities(text)
        show(f"hashing {wording.number(text.bytes_on_disk(), 'byte')}")
        key = _key(text, [split, limit, min_count] if vocabulary is None else vocabulary.get_config())
        goal = Path(directory) if directory is not None else _parent(None) / key[:40]
        if found := _found(goal, key, replace=directory is None):
            return dataclasses.replace(found, source=text.label)
        if not any(text.pieces()):
            raise InputError(text.no_text())
        work.take_over(key)
        if vocabulary is None:
            counted = Counted(work.path(workspace.COUNTED))
            show(f"counting {split}s{_but(counted.characters)}")
            vocabulary = Vocabulary.from_pieces(text.pieces(), text.ends, split, limit, min_count, counted)
            tokens = sum(vocabulary.counts) + text.ends
        else:
            show(f"counting {vocabulary.split}s")
            tokens = _count_ids(text, vocabulary)
        with contextlib.closing(IdsFile(work, vocabulary.id_type)) as ids:
            work.check_space((tokens - ids.tokens) * vocabulary.id_type.itemsize)
            show(f"writing {wording.number(tokens, 'id')}{_but(ids.characters)}")
            manifest = {"format": FORMAT, "key": key, **_write(ids, text, vocabulary)}
        if _identities(text) != before or manifest["tokens"] != tokens:
            raise InputError(f"{text.label!r} was changed while it was read; prepare it again when it is complete")
        work.finish()
        work.write(MANIFEST, json.dumps(manifest).encode())
        work.become(goal)  # or another run was faster
    if not (found := _found(goal, key, replace=False)):
        raise InputError(f"{str(goal)!r} was removed while it was made; prepare the text again")
    return found


def _but(characters: int) -> str:
    return f", but for {wording.number(characters, 'character')} that a stopped run has done" if characters else ""


def _parent(directory: StrPath | None) -> Path:
    """Give the directory in which the prepared one will lie: the cache, which is made, or one that must be there."""
    if directory is None:
        prepared = cache.directory() / "prepared"
        prepared.mkdir(parents=True, exist_ok=True)
        return prepared
    parent = Path(directory).parent
    if not parent.is_dir():
        raise InputError(f"there is no directory {str(parent)!r}; make it, or choose another")
    if not _is_free(Path(directory)) and not is_prepared(directory):
        raise InputError(_taken(directory))
    return parent


def _is_free(goal: Path) -> bool:
    return not goal.exists() or (goal.is_dir() and not any(goal.iterdir()))


def _taken(goal: StrPath) -> str:
    return f"{str(goal)!r} exists, and holds something else; choose another directory"


def _copied(text: TextSource, work: Workspace) -> TextSource:
    """Copy standard input to disk, for it cannot be read twice."""

    def copied(each: TextFile | NamedCorpus) -> TextFile | NamedCorpus:
        if isinstance(each, TextFile) and each.path is None:
            return TextFile(work.copy(workspace.INPUT, each.read()), each.place)
        return each

    return dataclasses.replace(text, texts=tuple(map(copied, text.texts)))


def _files(text: TextSource) -> list[Path]:
    return [each.path for each in text.texts if isinstance(each, TextFile) and each.path is not None]


def _identities(text: TextSource) -> list[tuple[int, int, int]]:
    """Tell the files of now from those of another time."""
    try:
        return [(stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in (path.stat() for path in _files(text))]
    except OSError as error:
        raise InputError(f"{error.filename!r} cannot be read: {error.strerror}; was it removed meanwhile?") from error


def _key(text: TextSource, counted: Any) -> str:
    """Name what will be prepared by all that it depends on: the bytes of the files, and how they are read."""
    digest = hashlib.sha256()
    how = [FORMAT, dataclasses.asdict(text.reading), text.ends, counted, unicodedata.unidata_version]
    digest.update(json.dumps(how).encode())
    for each in text.texts:
        content = hashlib.sha256()
        for piece in _bytes_of(each):
            content.update(piece)
        path = each.path if isinstance(each, TextFile) else None
        digest.update(json.dumps([[suffix.lower() for suffix in path.suffixes[-2:]] if path else None]).encode())
        digest.update(content.digest())
    return digest.hexdigest()


def _bytes_of(text: TextFile | NamedCorpus) -> Iterator[bytes]:
    """Read a file as it lies on the disk, compressed or not, or a named corpus."""
    if isinstance(text, NamedCorpus):
        yield from ((document.text + END_OF_TEXT).encode() for document in text.read())
        return
    assert text.path is not None
    try:
        with text.path.open("rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                yield piece
    except OSError as error:
        raise InputError(f"{text.place} cannot be read: {error.strerror or error}; check the path") from error


def _found(goal: Path, key: str, replace: bool) -> Prepared | None:
    """Give what is there already, if it is what is wanted; in the cache, what is damaged makes way."""
    if _is_free(goal):
        return None
    try:
        if is_prepared(goal) and read_manifest(goal)["key"] == key:
            return open_prepared(goal)
    except (OSError, ValueError, RecursionError):
        pass
    if not replace:
        raise InputError(_taken(goal))
    atomic_files.remove(goal)
    return None


def _count_ids(text: TextSource, vocabulary: Vocabulary) -> int:
    pieces = vocabulary.encode_pieces(text.pieces(), vocabulary.on_unknown, vocabulary.id_type)
    return text.ends + sum(map(len, pieces))


def _write(ids: IdsFile, text: TextSource, vocabulary: Vocabulary) -> dict[str, Any]:
    """Write the ids, and give what the manifest says of them and of the text."""
    watch = _Watch(text)
    if text.ends and not ids.tokens:
        ids.add(np.array([END], vocabulary.id_type), 0)
    rest = notes.after(ids.characters, watch.pieces())
    for some, position in vocabulary.encode_from(ids.characters, rest, vocabulary.on_unknown, vocabulary.id_type):
        ids.add(some, position)
    return {
        "source": text.label,
        "ends": text.ends,
        "documents": watch.documents if text.ends else 1,
        "characters": watch.characters - (watch.documents if text.ends else 0),
        "sha256": watch.hexdigest(),
        "tokens": ids.tokens,
        "type": vocabulary.id_type.name,
        "ids_sha256": ids.digest.hexdigest(),
        "vocabulary": vocabulary.get_config(),
    }


class _Watch:
    """Hashes and counts a text that passes by."""

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
