"""Text of any size as a file of ids, which training maps into memory; `preparing` writes it.

A prepared corpus is a directory of two files: `ids.bin`, the ids in the smallest integer type that holds them all, and
`manifest.json`: the vocabulary, where the text came from, and hashes to check that nothing was changed.
"""

import contextlib
import dataclasses
import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tfgen.corpora.sources import StrPath
from tfgen.errors import InputError, check_instance, path_of
from tfgen.support import bounded_json, cache, locks, plain_files, wording
from tfgen.vocabulary.vocabulary import Vocabulary

FORMAT = "tfgen ids 1"
MANIFEST, IDS = "manifest.json", "ids.bin"
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
_LATER = ("reading", "noticed")  # objects, which the first manifests do not have


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
        reading: How it was read; empty where an earlier version has prepared it.
        noticed: What was changed or passed over on the way, by name, and how often.
    """

    path: Path
    vocabulary: Vocabulary
    ids: npt.NDArray[np.unsignedinteger[Any]]
    ends: bool
    source: str
    number_of_documents: int
    characters: int
    sha256: str
    reading: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    noticed: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def ids_of(self, vocabulary: Vocabulary | None) -> npt.NDArray[np.unsignedinteger[Any]]:
        """Give the ids, which must belong to this vocabulary; None skips the check.

        Raises:
            InputError: The vocabulary is another, or none.
        """
        check_instance("the vocabulary", vocabulary, Vocabulary | None, "a tfgen.Vocabulary")
        if vocabulary is not None and (vocabulary.tokens, vocabulary.split) != (
            self.vocabulary.tokens,
            self.vocabulary.split,
        ):
            raise InputError(
                f"{str(self.path)!r} was prepared with another vocabulary; prepare the text again with the model's "
                "(vocabulary=generator.vocabulary, tfgen prepare --init-from MODEL)."
            )
        return self.ids

    def summary(self) -> dict[str, Any]:
        """Describe the text for a model's provenance, as `Corpus.summary` does."""
        return {
            "source": self.source,
            "documents": self.number_of_documents,
            "characters": self.characters,
            "sha256": self.sha256,
            **({"reading": dict(self.reading)} if self.reading else {}),
            **({"noticed": dict(self.noticed)} if self.noticed else {}),
        }

    def __repr__(self) -> str:
        """Give its directory, its source and its size."""
        return f"Prepared({str(self.path)!r}, {self.source!r}, {wording.number(len(self.ids), 'token')})"


def cache_directory() -> Path:
    """Give the directory in which prepared texts are kept if no other is named; it need not be there."""
    return cache.directory() / "prepared"


def is_prepared(path: StrPath) -> bool:
    """Whether there is a directory that `prepare_corpus` has written, whole or damaged.

    Raises:
        InputError: It is no path.
    """
    path = path_of("path", path)
    return (path / MANIFEST).is_file() and (path / IDS).is_file()


def open_prepared(path: StrPath) -> Prepared:
    """Open a prepared corpus. All of it is read once, to check that it was not changed.

    Args:
        path: A directory that `prepare_corpus` or `tfgen prepare` has written.

    Raises:
        InputError: It is not a prepared corpus, or it is damaged.
    """
    path = path_of("path", path)
    try:
        with _opened(path) as file:
            manifest = read_manifest(path)
            vocabulary = Vocabulary.from_config(manifest["vocabulary"])
            _check_ids(file, manifest, vocabulary)
            ids = np.memmap(file, manifest["type"], "r", shape=(manifest["tokens"],))  # keeps the file open and locked
            _note_use(path)
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be read: {error.strerror or error}; give a directory that tfgen prepare has written."
        ) from None
    except (InputError, ValueError, TypeError, RecursionError) as error:
        raise InputError(
            f"{str(path)!r} is not a prepared corpus, or it is damaged: {wording.clause(error)}; prepare the text "
            "again."
        ) from None
    return Prepared(
        path,
        vocabulary,
        np.asarray(ids),
        manifest["ends"],
        manifest["source"],
        manifest["documents"],
        manifest["characters"],
        manifest["sha256"],
        manifest.get("reading", {}),
        manifest.get("noticed", {}),
    )


def read_manifest(path: Path) -> dict[str, Any]:
    """Read what a prepared corpus says of itself.

    Raises:
        OSError, ValueError, RecursionError: It cannot be read, or it is not a manifest.
    """
    with plain_files.opened(path / MANIFEST) as file:
        data = file.read(_LARGEST_MANIFEST + 1)
    if len(data) > _LARGEST_MANIFEST:
        raise InputError(f"{MANIFEST} has more than {_LARGEST_MANIFEST:,} bytes.")
    manifest = bounded_json.loads(data)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InputError(f"{MANIFEST} does not have the format {FORMAT!r}.")
    for name, kind in _FIELDS.items():
        value = manifest.get(name)
        if type(value) is not kind or (isinstance(value, int) and value < 0):
            raise InputError(f"its {name} is {wording.shorten(repr(value))}.")
    for name in _LATER:
        if not isinstance(value := manifest.get(name, {}), dict):
            raise InputError(f"its {name} is {wording.shorten(repr(value))}.")
    return manifest


def _opened(path: Path) -> IO[bytes]:
    """Open the file of ids, locked as long as it is open or mapped, so that it is not removed from the cache."""
    if not stat.S_ISREG((path / IDS).stat().st_mode):
        raise InputError(f"{IDS} is not a file.")
    file = (path / IDS).open("rb", buffering=0)
    locks.flock(file.fileno(), shared=True, wait=True)  # a process that cleans the cache holds it for an instant
    return file


def _note_use(path: Path) -> None:
    """In the cache, set the time of the manifest to that of its last use; elsewhere, change nothing."""
    with contextlib.suppress(OSError):
        if path.resolve().parent == cache_directory().resolve():
            os.utime(path / MANIFEST)


def _check_ids(file: IO[bytes], manifest: dict[str, Any], vocabulary: Vocabulary) -> None:
    """Compare the file of ids with what the manifest says, before any of it is used."""
    kind = vocabulary.id_type
    if manifest["type"] != kind.name or not manifest["tokens"]:
        raise InputError(f"it claims {manifest['tokens']} ids of type {wording.shorten(manifest['type'])}.")
    size, claimed = os.fstat(file.fileno()).st_size, manifest["tokens"] * kind.itemsize
    if size != claimed:
        raise InputError(f"{IDS} has {size:,} bytes and should have {claimed:,}.")
    digest, highest = hashlib.sha256(), 0
    while piece := file.read(_PIECE):
        digest.update(piece)
        highest = max(highest, int(np.frombuffer(piece, kind).max()))
    if digest.hexdigest() != manifest["ids_sha256"] or highest >= len(vocabulary):
        raise InputError(f"{IDS} was changed after it was written.")
