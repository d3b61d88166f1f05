"""Sources and texts of any size as ids on disk: two prepared corpora, row by row."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfgen.corpora.pairs import open_pairs
from tfgen.corpora.sources import StrPath
from tfgen.errors import InputError, path_of
from tfgen.prepared import preparing
from tfgen.prepared.corpus import Prepared, is_prepared, open_prepared
from tfgen.vocabulary.vocabulary import Vocabulary

# The two directories in that of the pairs.
_SOURCES, _TEXTS = "sources", "texts"


@dataclasses.dataclass(frozen=True)
class PreparedPairs:
    """Texts and what each is written from, as ids.

    Attributes:
        sources: One document for each text, in the same order.
        texts: What is learned.

    Raises:
        InputError: They are not as many.
    """

    sources: Prepared
    texts: Prepared

    def __post_init__(self) -> None:
        """Check."""
        if self.sources.number_of_documents != self.texts.number_of_documents:
            raise InputError(
                f"{str(self.sources.path)!r} has {self.sources.number_of_documents:,} sources and "
                f"{str(self.texts.path)!r} {self.texts.number_of_documents:,} texts: they are no pairs; prepare them "
                "again."
            )


def prepare_pairs(
    table: StrPath,
    directory: StrPath | None = None,
    *,
    source: str,
    column: str,
    source_vocabulary: Vocabulary | None = None,
    show: Callable[[str], Any] = lambda stage: None,
    **preparing_texts: Any,
) -> PreparedPairs:
    """Turn two columns of a table of any size into ids on disk, as `prepare_corpus` does with each.

    Args:
        table: As for `tfgen.load_pairs`.
        directory: Where to put them, in two directories of their own; None for the cache.
        source: The column that texts are written from, whose tokens are characters.
        column: The column of these texts.
        source_vocabulary: That of a model; None counts one.
        show: Called with a line of text before each pass.
        **preparing_texts: `split`, `max_tokens`, `min_count` and `vocabulary` of the texts, see `prepare_corpus`; and
            how the table is read, see `tfgen.load_pairs`.

    Raises:
        InputError: As for `prepare_corpus` and `tfgen.load_pairs`.
        OSError: A directory cannot be written.
    """
    of_texts = ("split", "max_tokens", "min_count", "vocabulary")
    reading = {name: value for name, value in preparing_texts.items() if name not in of_texts}
    open_pairs(table, source=source, column=column, **reading)  # says at once what is wrong
    places: list[Path | None] = [None, None]
    if directory is not None:
        path = path_of("directory", directory)
        if not path.parent.is_dir():
            raise InputError(f"there is no directory {str(path.parent)!r}; make it, or choose another.")
        if path.exists() and not (path.is_dir() and {each.name for each in path.iterdir()} <= {_SOURCES, _TEXTS}):
            raise InputError(f"{str(path)!r} exists and holds something else; choose another directory.")
        path.mkdir(exist_ok=True)
        places = [path / _SOURCES, path / _TEXTS]
    sources = preparing.prepare_corpus(
        table, places[0], vocabulary=source_vocabulary, show=show, column=source, beside=column, **reading
    )
    texts = preparing.prepare_corpus(table, places[1], show=show, column=column, beside=source, **preparing_texts)
    return PreparedPairs(sources, texts)


def are_prepared_pairs(path: StrPath) -> bool:
    """Whether there is a directory that `prepare_pairs` has written, whole or damaged."""
    return is_prepared(Path(path) / _SOURCES) and is_prepared(Path(path) / _TEXTS)


def open_prepared_pairs(path: StrPath) -> PreparedPairs:
    """Open prepared pairs. All of them are read once, to check that they were not changed.

    Args:
        path: A directory that `prepare_pairs` or `tfgen prepare --source` has written.

    Raises:
        InputError: They are no prepared pairs, or are damaged.
    """
    path = path_of("path", path)
    return PreparedPairs(open_prepared(path / _SOURCES), open_prepared(path / _TEXTS))
