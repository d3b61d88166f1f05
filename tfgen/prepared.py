"""Text of any size as a file of ids, which training maps into memory: made once, found again by its content.

A prepared corpus is a directory of two files: `ids.bin`, the ids in the smallest integer type that holds them all, and
`manifest.json`: the vocabulary, where the text came from, and the hashes that tell whether both are whole.

Three passes read the text, each in pieces: one hashes the bytes of the files, one counts tokens for the vocabulary, one
writes ids. What is written lies in a directory of another name until it is whole and is then renamed; so a run that is
killed leaves nothing that would be taken for a corpus, and of two runs that prepare the same text the second finds the
work of the first.
"""

import dataclasses
import hashlib
import json
import os
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tfgen import unfinished, wording
from tfgen.corpora import TextSource, open_source
from tfgen.corpora.corpus import END_OF_TEXT
from tfgen.corpora.named import NamedCorpus
from tfgen.corpora.sources import StrPath, TextFile
from tfgen.errors import InputError
from tfgen.vocabulary import END, Split, Vocabulary, default_max_tokens

FORMAT = "tfgen ids 1"
_MANIFEST, _IDS = "manifest.json", "ids.bin"
_LARGEST_MANIFEST = 256 << 20  # bytes
_PIECE = 1 << 20  # bytes

# What a manifest says, and of which type each is.
_FIELDS: dict[str, type] = {
    "format": str,
    "key": str,
    "source": str,
    "ends": bool,
    "documents": int,
    "characters": int,
    "sha256": str,
    "tokens": int,
    "type": str,
    "ids_sha256": str,
    "vocabulary": dict,
}


@dataclasses.dataclass(frozen=True, repr=False, eq=False)
class Prepared:
    """Text to learn from, as ids.

    Attributes:
        path: The directory.
        vocabulary: What the ids mean.
        ids: All of the text (T,), mapped from the file; each document that ends stands between ends of text.
        ends: Whether each document ends by itself.
        source: What the user asked for.
        number_of_documents: How many documents there are.
        characters: How many characters (code points), without the ends.
        sha256: Of the text, as `Corpus.sha256`.
    """

    path: Path
    vocabulary: Vocabulary
    ids: npt.NDArray[np.unsignedinteger[Any]]
    ends: bool
    source: str
    number_of_documents: int
    characters: int
    sha256: str

    def ids_of(self, vocabulary: Vocabulary | None) -> npt.NDArray[np.unsignedinteger[Any]]:
        """Give the ids, for a vocabulary that must be this one; None does not ask.

        Raises:
            InputError: The vocabulary is another.
        """
        if vocabulary is not None and (vocabulary.tokens, vocabulary.split) != (
            self.vocabulary.tokens,
            self.vocabulary.split,
        ):
            raise InputError(
                f"{str(self.path)!r} was prepared with another vocabulary; prepare the text again with the model's "
                "(vocabulary=generator.vocabulary, tfgen prepare --init-from MODEL)"
            )
        return self.ids

    def summary(self) -> dict[str, str | int]:
        """Describe the text for a model's provenance, as `Corpus.summary` does."""
        return {
            "source": self.source,
            "documents": self.number_of_documents,
            "characters": self.characters,
            "sha256": self.sha256,
        }

    def __repr__(self) -> str:
        """Name and size."""
        return f"Prepared({str(self.path)!r}, {self.source!r}, {wording.number(len(self.ids), 'token')})"


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
    text = open_source(source, **reading)
    limit = max_tokens or default_max_tokens(split)
    with unfinished.Directory(_parent(directory)) as work:
        text = _copied(text, work)
        before = _identities(text)
        show(f"hashing {wording.number(text.bytes_on_disk(), 'byte')}")
        key = _key(text, [split, limit, min_count] if vocabulary is None else vocabulary.get_config())
        goal = Path(directory) if directory is not None else _parent(None) / key[:40]
        if found := _found(goal, key, replace=directory is None):
            return dataclasses.replace(found, source=text.label)
        if not any(text.pieces()):
            raise InputError(text.no_text())
        show(f"counting {split if vocabulary is None else vocabulary.split}s")
        if vocabulary is None:
            vocabulary = Vocabulary.from_pieces(text.pieces(), text.ends, split, limit, min_count)
            tokens = sum(vocabulary.counts) + text.ends
        else:
            tokens = sum(map(len, _all_ids(text.pieces(), text.ends, vocabulary)))
        work.check_space(tokens * vocabulary.id_type.itemsize)
        show(f"writing {wording.number(tokens, 'id')}")
        manifest = {"format": FORMAT, "key": key, **_write_ids(work, text, vocabulary)}
        if _identities(text) != before or manifest["tokens"] != tokens:
            raise InputError(f"{text.label!r} was changed while it was read; prepare it again when it is complete")
        work.write(_MANIFEST, json.dumps(manifest).encode())
        work.become(goal)  # or another run was faster
    if not (found := _found(goal, key, replace=False)):
        raise InputError(f"{str(goal)!r} was removed while it was made; prepare the text again")
    return found


def is_prepared(path: StrPath) -> bool:
    """Whether there is a directory that `prepare_corpus` has written, whole or damaged."""
    return (Path(path) / _MANIFEST).is_file() and (Path(path) / _IDS).is_file()


def open_prepared(path: StrPath) -> Prepared:
    """Open a prepared corpus. All of it is read once, to check that it is as it was written.

    Args:
        path: A directory that `prepare_corpus` or `tfgen prepare` has written.

    Raises:
        InputError: It is none, or it is damaged.
    """
    path = Path(path)
    try:
        manifest = _read_manifest(path)
        vocabulary = Vocabulary.from_config(manifest["vocabulary"])
        _check_ids(path / _IDS, manifest, vocabulary)
        ids = np.memmap(path / _IDS, manifest["type"], "r", shape=(manifest["tokens"],))
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be read: {error.strerror or error}; give a directory that tfgen prepare has written"
        ) from None
    except (InputError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{str(path)!r} is no prepared corpus, or damaged: {error}; prepare the text again") from None
    return Prepared(
        path,
        vocabulary,
        np.asarray(ids),
        manifest["ends"],
        manifest["source"],
        manifest["documents"],
        manifest["characters"],
        manifest["sha256"],
    )


def _parent(directory: StrPath | None) -> Path:
    """Give the directory in which the prepared one will lie: the cache, which is made, or one that must be there."""
    if directory is None:
        cache = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras", "tfgen", "prepared")
        cache.mkdir(parents=True, exist_ok=True)
        return cache
    parent = Path(directory).parent
    if not parent.is_dir():
        raise InputError(f"there is no directory {str(parent)!r}; make it, or choose another")
    return parent


def _copied(text: TextSource, work: unfinished.Directory) -> TextSource:
    """Copy standard input to disk, for it cannot be read twice."""

    def copied(each: TextFile | NamedCorpus) -> TextFile | NamedCorpus:
        if isinstance(each, TextFile) and each.path is None:
            return TextFile(work.copy("input", each.read()), each.place)
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
    if not goal.exists() or (goal.is_dir() and not any(goal.iterdir())):
        return None
    try:
        if is_prepared(goal) and _read_manifest(goal)["key"] == key:
            return open_prepared(goal)
    except (OSError, ValueError, RecursionError):
        pass
    if not replace:
        raise InputError(f"{str(goal)!r} exists, and holds something else; choose another directory")
    unfinished.remove(goal)
    return None


def _write_ids(work: unfinished.Directory, text: TextSource, vocabulary: Vocabulary) -> dict[str, Any]:
    """Write the ids, and give what the manifest says of them and of the text."""
    watch = _Watch(text)
    ids_digest, tokens = hashlib.sha256(), 0
    with work.open(_IDS) as file:
        for ids in _all_ids(watch.pieces(), text.ends, vocabulary):
            ids_digest.update(ids.data)
            file.write(ids.data)
            tokens += len(ids)
    return {
        "source": text.label,
        "ends": text.ends,
        "documents": watch.documents if text.ends else 1,
        "characters": watch.characters - (watch.documents if text.ends else 0),
        "sha256": watch.hexdigest(),
        "tokens": tokens,
        "type": vocabulary.id_type.name,
        "ids_sha256": ids_digest.hexdigest(),
        "vocabulary": vocabulary.get_config(),
    }


def _all_ids(pieces: Iterator[str], ends: bool, vocabulary: Vocabulary) -> Iterator[npt.NDArray[np.integer[Any]]]:
    if ends:
        yield np.array([END], vocabulary.id_type)
    yield from vocabulary.encode_pieces(pieces, vocabulary.on_unknown, vocabulary.id_type)


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


def _read_manifest(path: Path) -> dict[str, Any]:
    with (path / _MANIFEST).open("rb") as file:
        data = file.read(_LARGEST_MANIFEST + 1)
    if len(data) > _LARGEST_MANIFEST:
        raise InputError("the manifest is too large")
    manifest = json.loads(data)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"the manifest is not of the format {FORMAT!r}")
    for name, kind in _FIELDS.items():
        value = manifest.get(name)
        if type(value) is not kind or (isinstance(value, int) and value < 0):
            raise InputError(f"its {name} is {wording.shorten(repr(value))}")
    return manifest


def _check_ids(path: Path, manifest: dict[str, Any], vocabulary: Vocabulary) -> None:
    """Compare the file of ids with what the manifest says, before any of it is used."""
    kind = vocabulary.id_type
    if manifest["type"] != kind.name or not manifest["tokens"]:
        raise InputError(f"it claims {manifest['tokens']} ids of type {wording.shorten(manifest['type'])}")
    size, claimed = path.stat().st_size, manifest["tokens"] * kind.itemsize
    if size != claimed:
        raise InputError(f"{_IDS} has {size:,} bytes and should have {claimed:,}")
    digest, highest = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            highest = max(highest, int(np.frombuffer(piece, kind).max()))
    if digest.hexdigest() != manifest["ids_sha256"] or highest >= len(vocabulary):
        raise InputError(f"{_IDS} was changed after it was written")
