"""The tokens of a corpus counted, one document at a time, and what a vocabulary of them covers."""

import collections
import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tfgen import splitting, wording
from tfgen.errors import InputError
from tfgen.splitting import END_OF_TEXT

_COUNTED_TOGETHER = 1 << 20  # characters: one emoji among them makes NumPy count into a million bins


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


class _CharacterTally:
    """Counts characters; short documents are gathered, for NumPy is slow on short arrays."""

    def __init__(self) -> None:
        self._counts = np.zeros(sys.maxunicode + 1, np.int64)
        self._waiting: list[npt.NDArray[np.uint32]] = []
        self._characters_waiting = 0

    def add(self, document: str) -> None:
        for begin in range(0, len(document), splitting.PIECE):
            codes = splitting.codepoints(document[begin : begin + splitting.PIECE], begin)
            self._waiting.append(codes)
            self._characters_waiting += len(codes)
            if self._characters_waiting >= _COUNTED_TOGETHER:
                self._count_waiting()

    def counts(self) -> dict[str, int]:
        self._count_waiting()
        return {chr(code): int(self._counts[code]) for code in np.flatnonzero(self._counts).tolist()}

    def _count_waiting(self) -> None:
        if self._waiting:
            counts = np.bincount(np.concatenate(self._waiting))
            self._counts[: len(counts)] += counts
        self._waiting, self._characters_waiting = [], 0


class _WordTally:
    """Counts words."""

    def __init__(self) -> None:
        self._counts: collections.Counter[str] = collections.Counter()

    def add(self, document: str) -> None:
        self._counts.update(splitting.words(document))

    def counts(self) -> dict[str, int]:
        return self._counts


def count(documents: Iterable[str], split: splitting.Split) -> tuple[dict[str, int], int]:
    """Return the occurrences of each token, and the number of documents.

    Raises:
        InputError: A document is no text, or holds NUL, U+0003 or half a character.
    """
    tally = _CharacterTally() if split == "character" else _WordTally()
    number = 0
    for number, document in enumerate(documents, 1):
        try:
            _check_document(document)
            tally.add(document)
        except InputError as error:
            raise InputError(f"document {number}: {error}") from None
    return tally.counts(), number


def _check_document(document: Any) -> None:
    if not isinstance(document, str):
        raise InputError(f"a text must be a str, got {type(document).__name__}; decode bytes first")
    for character in ("\0", END_OF_TEXT):
        position = document.find(character)
        if position >= 0:
            raise InputError(
                f"the text holds the reserved {wording.name(character)} at position {position}; replace it"
            )
