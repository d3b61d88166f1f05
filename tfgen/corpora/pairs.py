"""Pairs of a source and a text, two columns of a table: what a model reads, and what it is to write then."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfgen.corpora.columns import Quoting
from tfgen.corpora.corpus import Corpus
from tfgen.corpora.encodings import Errors
from tfgen.corpora.forms import Form
from tfgen.corpora.loading import open_source
from tfgen.corpora.sources import StrPath
from tfgen.corpora.text_source import Control, TextSource
from tfgen.errors import InputError, check_instance
from tfgen.support import wording


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Texts, each beside the source that it depends on: a sentence and its translation, a label and a title.

    Attributes:
        sources: What is read.
        texts: What is written: document i of these belongs to document i of the sources.

    Raises:
        InputError: The two have different numbers of documents, or one is a running text.

    >>> Pairs(Corpus.from_texts(["Rain", "Sun"], "en"), Corpus.from_texts(["Regen", "Sonne"], "de"))
    Pairs(sources=Corpus('en', 2 documents, 7 characters), texts=Corpus('de', 2 documents, 10 characters))
    """

    sources: Corpus
    texts: Corpus

    def __post_init__(self) -> None:
        """Check."""
        for name, side in (("sources", self.sources), ("texts", self.texts)):
            check_instance(name, side, Corpus, "a Corpus, such as a column of a table gives")
            if not side.ends:
                raise InputError(f"{side.source!r} is a running text, and pairs are separate ones; use ends=True.")
        check_alike(self.sources.number_of_documents, self.texts.number_of_documents)


def check_alike(sources: int, texts: int) -> None:
    """Refuse two different numbers of documents.

    Raises:
        InputError: Names both.

    >>> check_alike(1, 2)
    Traceback (most recent call last):
    tfgen.errors.InputError: each text needs one source; received 1 source for 2 texts.
    """
    if sources != texts:
        raise InputError(
            f"each text needs one source; received {wording.number(sources, 'source')} for "
            f"{wording.number(texts, 'text')}."
        )


def load_pairs(
    file: StrPath | Sequence[StrPath],
    *,
    source: str,
    column: str,
    encoding: str = "utf-8",
    unescape: bool = False,
    normalize: Form | None = None,
    control: Control = "error",
    keep_line_ends: bool = False,
    delimiter: str | None = None,
    quoting: Quoting | None = None,
    errors: Errors = "strict",
    lower: bool = False,
) -> Pairs:
    """Load two columns of a table: each row is a pair of a source and a text.

    Rows in which one of the two is blank, or becomes blank when it is cleaned, are left out on both sides. All else is
    as for `load_corpus`, and both sides are cleaned in the same way.

    Args:
        file: A `.csv`, `.tsv`, `.tab`, `.jsonl` or `.ndjson` file, compressed or not, or several, a folder, a glob.
        source: The column of what is read: a name in the first row, a number counted from 1, or a key of JSON lines.
        column: The column of what is written. As soon as one of the two is a name in the first row, that row is a
            header.
        encoding: As for `load_corpus`, like all that follows.
        unescape: Turn HTML's character references into characters.
        normalize: A Unicode normalisation form.
        control: What to do with characters that cannot be learned.
        keep_line_ends: Leave `\\r\\n` and `\\r` in the cells as they are.
        delimiter: What stands between cells.
        quoting: How cells are quoted.
        errors: What to do with bytes that are not of the encoding.
        lower: Make sources and texts lower case.

    Returns:
        The pairs, in the order of the rows.

    Raises:
        InputError: As for `load_corpus`; or both columns are the same one, or no row has text in both.

    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dates = pathlib.Path(folder, "dates.csv")
    ...     _ = dates.write_text("written,iso\\nMay 4 1970,1970-05-04\\nunknown,\\n2 June 81,1981-06-02\\n")
    ...     pairs = load_pairs(dates, source="written", column="iso")
    >>> pairs.sources.documents
    ('May 4 1970', '2 June 81')
    >>> pairs.texts.documents
    ('1970-05-04', '1981-06-02')
    """
    sources, texts = open_pairs(
        file,
        source=source,
        column=column,
        encoding=encoding,
        unescape=unescape,
        normalize=normalize,
        control=control,
        keep_line_ends=keep_line_ends,
        delimiter=delimiter,
        quoting=quoting,
        errors=errors,
        lower=lower,
    )
    return Pairs(sources.load(), texts.load())


def open_pairs(
    file: StrPath | Sequence[StrPath], *, source: str, column: str, **reading: Any
) -> tuple[TextSource, TextSource]:
    """Find a table, two columns of which are to be read in pieces: the sources, and the texts.

    Document i of the one belongs to document i of the other, however they are read.

    Args:
        file: As for `load_pairs`, like all that follows.
        source: The column of what is read.
        column: The column of what is written.
        **reading: See there.

    Raises:
        InputError: There is no such file, or an argument is not among those allowed.
    """
    for name, value in (("source", source), ("column", column)):
        if not isinstance(value, str):
            raise InputError(f"{name} must be a str such as 'title' or '2'; received {wording.shown(value)}.")
    if source == column:
        raise InputError(f"source and column are both {column!r}; give two different ones.")
    return (
        open_source(file, column=source, beside=column, **reading),
        open_source(file, column=column, beside=source, **reading),
    )
