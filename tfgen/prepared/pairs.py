"""Two prepared corpora side by side: the sources, and the texts that depend on them, two columns of a table.

In a directory they are `source` and `text`; in the cache each is an entry of its own. Both are of the same bytes, and
each row is a document in both or in neither, see `tfgen.corpora.pairs`.
"""

import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tfgen.corpora.pairs import check_alike, open_pairs
from tfgen.corpora.sources import StrPath
from tfgen.errors import InputError, check_instance, path_of
from tfgen.prepared import workspace
from tfgen.prepared.corpus import Prepared, is_prepared, open_prepared
from tfgen.prepared.preparing import Counting, identities, is_read_once, prepare_text
from tfgen.support import owners, wording
from tfgen.vocabulary.vocabulary import OnUnknown, Split, Vocabulary

SOURCE, TEXT = "source", "text"


@dataclasses.dataclass(frozen=True)
class PreparedPairs:
    """Texts as ids, each beside the source that it depends on; as `tfgen.corpora.Pairs`, on disk.

    Attributes:
        sources: What is read.
        texts: What is written: document i of these belongs to document i of the sources.

    Raises:
        InputError: The two have different numbers of documents, or one is a running text.
    """

    sources: Prepared
    texts: Prepared

    def __post_init__(self) -> None:
        """Check."""
        for side in (self.sources, self.texts):
            if not side.ends:
                raise InputError(f"{str(side.path)!r} is a running text, and pairs are separate ones; prepare a table.")
        check_alike(self.sources.number_of_documents, self.texts.number_of_documents)


def prepare_pairs(
    file: StrPath | Sequence[StrPath],
    directory: StrPath | None = None,
    *,
    source: str,
    column: str,
    split: Split = "character",
    max_tokens: int | None = None,
    min_count: int = 1,
    vocabulary: Vocabulary | None = None,
    source_vocabulary: Vocabulary | None = None,
    unknown: OnUnknown | None = None,
    show: Callable[[str], Any] = lambda stage: None,
    **reading: Any,
) -> PreparedPairs:
    """Turn two columns of a table of any size into ids on disk; what was prepared before, in the same way, is found.

    Each column is prepared as `tfgen.prepare_corpus` does it, with a vocabulary of its own: the sources first, and then
    the texts. A run that is stopped goes on where it was.

    Args:
        file: As for `tfgen.load_pairs`.
        directory: Where to put them, a directory that does not exist yet; None for the cache.
        source: The column of what is read.
        column: The column of what is written.
        split: "character" or "word", on both sides.
        max_tokens: The largest vocabulary of a side; None for no limit (10,000 for words).
        min_count: Rarer tokens are left out of the vocabularies.
        vocabulary: Of the texts, used instead of one counted on them.
        source_vocabulary: Of the sources, used instead of one counted on them.
        unknown: What a token outside a vocabulary does, as for `prepare_corpus`.
        show: Called with a line of text before each pass.
        **reading: As for `tfgen.load_pairs`.

    Returns:
        The prepared pairs.

    Raises:
        InputError: As for `load_pairs` and `prepare_corpus`.
        OSError: The directory cannot be written.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dates = pathlib.Path(folder, "dates.csv")
    ...     _ = dates.write_text("written,iso\\nMay 4 1970,1970-05-04\\nunknown,\\n2 June 81,1981-06-02\\n")
    ...     pairs = prepare_pairs(dates, f"{folder}/dates.prepared", source="written", column="iso")
    ...     again = open_prepared_pairs(f"{folder}/dates.prepared")
    >>> pairs.sources.number_of_documents, again.texts.number_of_documents
    (2, 2)
    >>> again.texts.vocabulary.decode(again.texts.ids[1:11])
    '1970-05-04'
    """
    check_instance("show", show, Callable, "a function of one text")
    sides = open_pairs(file, source=source, column=column, **reading)
    countings = [
        Counting.checked(split, max_tokens, min_count, each, unknown) for each in (source_vocabulary, vocabulary)
    ]
    if pipe := next(filter(is_read_once, sides[0].texts), None):
        raise InputError(f"{pipe.place} is a pipe, and pairs are read several times; write them to a file first.")
    before = identities(sides[0])
    with _home(directory) as places:
        prepared = [
            prepare_text(side, place, counting, _saying_which(side.label, show), before)
            for side, place, counting in zip(sides, places, countings, strict=True)
        ]
        return PreparedPairs(*prepared)


def _saying_which(label: str, show: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda stage: show(f"{label}: {stage}")


def are_prepared_pairs(path: StrPath) -> bool:
    """Whether there is a directory of pairs that `prepare_pairs` has written, whole or damaged."""
    path = path_of("path", path)
    return is_prepared(path / SOURCE) and is_prepared(path / TEXT)


def open_prepared_pairs(directory: StrPath) -> PreparedPairs:
    """Open prepared pairs. All of them is read once, to check that it was not changed.

    Args:
        directory: A directory that `prepare_pairs` or `tfgen prepare --source` has written.

    Raises:
        InputError: It holds no prepared pairs, or one side alone, or a damaged one, or sides of different numbers of
            documents.

    >>> open_prepared_pairs("dates.prepared")
    Traceback (most recent call last):
    tfgen.errors.InputError: 'dates.prepared' holds no prepared pairs; give a directory of tfgen prepare --source.
    """
    directory = path_of("directory", directory)
    if not are_prepared_pairs(directory):
        half = any(is_prepared(Path(directory) / name) for name in (SOURCE, TEXT))
        advice = "prepare the pairs once more" if half else "give a directory of tfgen prepare --source"
        raise InputError(f"{str(directory)!r} holds {'only half of' if half else 'no'} prepared pairs; {advice}.")
    sides = [open_prepared(Path(directory) / name) for name in (SOURCE, TEXT)]
    try:
        return PreparedPairs(*sides)
    except InputError as error:
        raise InputError(f"{str(directory)!r} holds no prepared pairs: {wording.clause(error)}.") from None


@contextlib.contextmanager
def _home(directory: StrPath | None) -> Iterator[tuple[Path | None, Path | None]]:
    """Give the places of both sides: in a directory, which is made and is not left behind empty, or in the cache."""
    if directory is None:
        yield None, None
        return
    path = path_of("directory", directory)
    if not path.parent.is_dir():
        raise InputError(f"there is no directory {str(path.parent)!r}; make it, or choose another.")
    if os.path.lexists(path) and not (path.is_dir() and all(map(_is_ours, path.iterdir()))):
        raise InputError(f"{str(path)!r} exists and holds something else; choose another directory.")
    path.mkdir(exist_ok=True)
    try:
        yield path / SOURCE, path / TEXT
    except BaseException:
        with contextlib.suppress(OSError):  # something is in it, with which the next run goes on
            path.rmdir()
        raise


def _is_ours(path: Path) -> bool:
    """Whether something in a directory is a side of pairs, or the work of a run that was stopped or goes on."""
    return (path.name in (SOURCE, TEXT) and is_prepared(path)) or owners.of(path.name, workspace.MARK) is not None
