"""Two columns of a table, row by row: sources, and the texts that are written from them."""

from __future__ import annotations

import dataclasses
from typing import Any

from tfgen.corpora.corpus import Corpus
from tfgen.corpora.loading import open_source
from tfgen.corpora.sources import StrPath
from tfgen.corpora.text_source import Control, Form, TextSource
from tfgen.errors import InputError, check_instance


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Texts and what each is written from.

    Args:
        sources: One document for each text, in the same order.
        texts: What is learned.

    Raises:
        InputError: They are running texts, or not as many.

    >>> Pairs(Corpus.from_texts(["5 mai"]), Corpus.from_texts(["05-05"])).texts.documents
    ('05-05',)
    """

    sources: Corpus
    texts: Corpus

    def __post_init__(self) -> None:
        """Check."""
        for name, corpus in (("sources", self.sources), ("texts", self.texts)):
            check_instance(name, corpus, Corpus, "a Corpus, such as a column of a table gives")
            if not corpus.ends:
                raise InputError(f"{name} must be one document each; received one running text.")
        if self.sources.number_of_documents != self.texts.number_of_documents:
            raise InputError(
                f"there must be one source for each text; received {self.sources.number_of_documents:,} sources and "
                f"{self.texts.number_of_documents:,} texts."
            )


def load_pairs(
    table: StrPath,
    *,
    source: str,
    column: str,
    encoding: str = "utf-8",
    unescape: bool = False,
    normalize: Form | None = None,
    control: Control = "error",
) -> Pairs:
    """Load two columns of a table. Rows in which one of the cells is blank are left out.

    Args:
        table: A `.csv`, `.tsv`, `.tab`, `.jsonl` or `.ndjson` file, compressed or not, or several as a glob.
        source: The column that texts are written from, by name or number, see `load_corpus`.
        column: The column of these texts.
        encoding: As for `load_corpus`, and so all that follow.
        unescape: See there.
        normalize: See there.
        control: See there.

    Raises:
        InputError: As for `load_corpus`; or both columns are one, or no row has both.
    """
    how = {"encoding": encoding, "unescape": unescape, "normalize": normalize, "control": control}
    sources, texts = open_pairs(table, source=source, column=column, **how)
    return Pairs(sources.load(), texts.load())


def open_pairs(table: StrPath, *, source: str, column: str, **reading: Any) -> tuple[TextSource, TextSource]:
    """Find two columns of a table, to be read in pieces and more than once: sources and texts, of the same rows.

    Args:
        table: As for `load_pairs`.
        source: See there.
        column: See there.
        **reading: See there.

    Raises:
        InputError: The table cannot be found, or both columns are one.
    """
    for name, given in (("source", source), ("column", column)):
        check_instance(name, given, str, "the name or the number of a column")
    if source == column:
        raise InputError(f"the texts of a column are written from another one; received {column!r} for both.")
    if table == "-":
        raise InputError("two columns are read from a file, and not from standard input, which is read only once.")
    return (
        open_source(table, column=source, beside=column, **reading),
        open_source(table, column=column, beside=source, **reading),
    )
