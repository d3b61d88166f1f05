"""The text that a command learns from: in memory, or as ids on disk where it is large or was prepared before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfgen.cli import terminal
from tfgen.cli.given import options_given
from tfgen.cli.options import as_source
from tfgen.cli.prepare import reading_of_pairs, source_vocabulary_of, vocabulary_of
from tfgen.corpora import open_source
from tfgen.corpora.pairs import Pairs, load_pairs, open_pairs
from tfgen.errors import offering
from tfgen.prepared import preparing
from tfgen.prepared.corpus import is_prepared, open_prepared
from tfgen.prepared.pairs import PreparedPairs, are_prepared_pairs, open_prepared_pairs, prepare_pairs
from tfgen.vocabulary.vocabulary import GROWING, Vocabulary

if TYPE_CHECKING:
    from tfgen.training.settings import Text

_LARGE = 64 << 20  # bytes: a smaller text is read faster than a cache would be looked through


def read(
    corpus: tuple[str, ...], how: dict[str, Any], counting: dict[str, Any], init_from: Path | None, grow: bool
) -> Text:
    """Hold the text in memory, or its ids on disk where it is large or was prepared before."""
    if len(corpus) == 1 and (is_prepared(corpus[0]) or are_prepared_pairs(corpus[0])):
        if given := options_given(among={*how, *counting}):
            raise click.UsageError(f"{corpus[0]!r} was prepared, with a vocabulary: remove {given[0]}.")
        return open_prepared(corpus[0]) if is_prepared(corpus[0]) else open_prepared_pairs(corpus[0])
    text = open_source(as_source(corpus), **how)
    if text.bytes_on_disk() <= _LARGE:
        return text.load()
    known = counting
    if init_from:
        vocabulary = vocabulary_of(init_from)
        if grow:
            counted = (vocabulary.split, counting["max_tokens"], counting["min_count"] or 1)
            vocabulary = vocabulary.extended(Vocabulary.from_pieces(text.pieces(), text.ends, *counted))
        known = {"vocabulary": vocabulary, "unknown": counting["unknown"]}
    known = {name: value for name, value in known.items() if value is not None}
    with offering(*GROWING):
        return preparing.prepare_corpus(as_source(corpus), show=_show, **known, **how)


def read_pairs(
    corpus: tuple[str, ...],
    source: str,
    how: dict[str, Any],
    counting: dict[str, Any],
    init_from: Path | None,
    grow: bool,
) -> Pairs | PreparedPairs:
    """Hold two columns of a table in memory, or their ids on disk where it is large or was prepared before."""
    if len(corpus) == 1 and (is_prepared(corpus[0]) or are_prepared_pairs(corpus[0])):
        raise click.UsageError(
            f"{corpus[0]!r} was prepared, with its sources: omit --source."
            if are_prepared_pairs(corpus[0])
            else f"{corpus[0]!r} was prepared without sources: omit --source, or prepare the table with --source."
        )
    columns = {"source": source, **reading_of_pairs(how)}
    if open_pairs(as_source(corpus), **columns)[0].bytes_on_disk() <= _LARGE:
        return load_pairs(as_source(corpus), **columns)
    known: dict[str, Any] = counting
    if init_from:
        known = {"vocabulary": vocabulary_of(init_from), "source_vocabulary": source_vocabulary_of(init_from)}
        known["unknown"] = counting["unknown"]
    if grow:
        raise click.UsageError(f"a table of more than {_LARGE:,} bytes is prepared: omit --grow-vocabulary.")
    known = {name: value for name, value in known.items() if value is not None}
    return prepare_pairs(as_source(corpus), show=_show, **known, **columns)


def example(pairs: Pairs | PreparedPairs) -> str:
    """Give the first of the sources."""
    if isinstance(pairs, Pairs):
        return pairs.sources.documents[0]
    from tfgen.datasets import document_rows

    _, begins, ends = next(document_rows.documents(pairs.sources.ids))
    return pairs.sources.vocabulary.decode(pairs.sources.ids[begins[0] + 1 : ends[0]])


def _show(stage: str) -> None:
    terminal.say(stage, err=True)
