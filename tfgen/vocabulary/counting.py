"""The tokens of a corpus counted, in memory that does not grow with it, and what a vocabulary of them covers."""

import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from tfgen.corpora.corpus import END_OF_TEXT
from tfgen.errors import InputError
from tfgen.support import notes, wording
from tfgen.support.pieces import gathered
from tfgen.vocabulary import counts_on_disk, splitting
from tfgen.vocabulary.counted import Counted

_COUNTED_TOGETHER = 1 << 20  # characters: one emoji among them makes NumPy count into a million bins
_MOST_WORDS = 1 << 20
_EXAMPLES = 10


@dataclass(frozen=True)
class Coverage:
    """How much of its corpus a vocabulary knows.

    Attributes:
        percent: the share of the corpus' tokens that are in the vocabulary, in percent.
        left_out: how many tokens of the corpus are not, each occurrence counted.
        distinct: how many different tokens these are; None where that is not known, after loading.
        examples: the five most frequent and the five rarest of these, each with its count.
    """

    percent: float
    left_out: int
    distinct: int | None = None
    examples: tuple[tuple[str, int], ...] = ()

    def __str__(self) -> str:
        """Say it in a sentence."""
        if not self.left_out:
            return "covers the whole corpus"
        percent = math.floor(self.percent * 100) / 100  # rounded down: 100 % is said only where nothing is left out
        sentence = f"covers {percent:.2f} % of the corpus, leaving out {wording.number(self.left_out, 'token')}"
        if self.distinct is None:
            return sentence
        examples = [f"{wording.shorten(repr(token))} ({count:,})" for token, count in self.examples]
        if self.distinct > len(examples):
            examples.insert(len(examples) // 2, "...")
        return f"{sentence} of {wording.number(self.distinct, 'kind')}: {', '.join(examples)}"


class Counts(NamedTuple):
    """What was counted.

    Attributes:
        tokens: the occurrences of each token, or of the most frequent ones.
        documents: how often U+0003 occurred, which closes each document that ends.
        distinct_others: how many more tokens there are than `tokens` names.
        others: how often these occurred, together.
    """

    tokens: Mapping[str, int]
    documents: int
    distinct_others: int = 0
    others: int = 0


def count(documents: Iterable[str], split: splitting.Split, most: int | None = None) -> Counts:
    """Count the tokens of documents, each of them closed, see `count_pieces`.

    Raises:
        InputError: A document is no text, or holds NUL, U+0003 or half a character.
    """
    return count_pieces(_closed(documents), split, most)


def count_pieces(
    pieces: Iterable[str], split: splitting.Split, most: int | None = None, counted: Counted | None = None
) -> Counts:
    """Count the tokens of a text that comes in pieces, in memory that does not grow with it.

    Args:
        pieces: strings; U+0003 stands after each document that ends.
        split: "character" or "word".
        most: so many of the most frequent words are wanted; None for a million.
        counted: what was counted of the text before, and where to note how far this has come.

    >>> count_pieces(["ab", "a\x03"], "character")
    Counts(tokens={'a': 2, 'b': 1}, documents=1, distinct_others=0, others=0)
    """
    counted = Counted() if counted is None else counted
    pieces = notes.after(counted.characters, pieces)
    if split == "character":
        tokens = _count_characters(pieces, counted)
        return Counts(tokens, tokens.pop(END_OF_TEXT, 0))
    with counts_on_disk.WordCounts() as counts:
        if counted.characters:
            counts.add_counted(counted.before())
        for words in splitting.word_lists(pieces):
            counts.add(words)
            counted.count_more(sum(map(len, words)), counts.in_order)
        # One more than is wanted, for the end of a text, and some that are left out, to be shown as examples.
        frequent = counts.most_frequent((_MOST_WORDS if most is None else most) + 1 + _EXAMPLES)
        documents = frequent.pop(END_OF_TEXT, 0)
        distinct = counts.distinct - len(frequent) - (documents > 0)
        return Counts(frequent, documents, distinct, counts.total - sum(frequent.values()) - documents)


def _closed(documents: Iterable[str]) -> Iterator[str]:
    for number, document in enumerate(documents, 1):
        try:
            _check_document(document)
        except InputError as error:
            raise InputError(f"document {number}: {wording.clause(error)}.") from None
        yield from (document[begin : begin + _COUNTED_TOGETHER] for begin in range(0, len(document), _COUNTED_TOGETHER))
        yield END_OF_TEXT


def _count_characters(pieces: Iterable[str], counted: Counted) -> dict[str, int]:
    counts = np.zeros(sys.maxunicode + 1, np.int64)

    def in_order() -> Iterator[tuple[str, int]]:
        return ((chr(code), int(counts[code])) for code in np.flatnonzero(counts).tolist())

    for character, number in counted.before():
        counts[ord(character)] = number
    for text in gathered(pieces, _COUNTED_TOGETHER):  # NumPy is slow on short arrays
        if text.isascii():
            counts[:128] += np.bincount(np.frombuffer(text.encode(), np.uint8), minlength=128)
        else:
            of_text = np.bincount(splitting.codepoints(text))
            counts[: len(of_text)] += of_text
        counted.count_more(len(text), in_order)
    return dict(in_order())


def _check_document(document: Any) -> None:
    if not isinstance(document, str):
        raise InputError(f"a text must be a str; received {wording.shown(document)}: decode bytes first.")
    for character in ("\0", END_OF_TEXT):
        position = document.find(character)
        if position >= 0:
            raise InputError(
                f"the text holds the reserved {wording.name(character)} at position {position}; replace it."
            )
    for begin in range(0, 0 if document.isascii() else len(document), splitting.PIECE):
        splitting.codepoints(document[begin : begin + splitting.PIECE], begin)
