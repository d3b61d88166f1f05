"""All n-grams of a text, sorted: what a model of counts is made of.

An n-gram is kept as its last token and then the tokens before it, the nearest first, so that those of one ending lie
side by side, and a shorter n-gram is the beginning of longer ones. No n-gram reaches back beyond an end of text: it has
padding there, which stands for nothing.

Axis letters: T tokens, D different n-grams.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.vocabulary.vocabulary import END, PADDING

Ids = npt.NDArray[np.integer[Any]]
Numbers = npt.NDArray[np.int64]

_PIECE = 1 << 20  # tokens that are counted together
_BITS = 63  # of a word that holds several tokens


class Counts(NamedTuple):
    """The different n-grams of a text, in order.

    Attributes:
        tokens: For each place the tokens there, (D,): the last token, the one before it, and so on.
        times: How often each n-gram occurs, int64 (D,).
    """

    tokens: list[Ids]
    times: Numbers


class _Sorted(NamedTuple):
    """N-grams packed into words (D,), of which the first counts most in their order, and how often each occurs."""

    words: list[Numbers]
    times: Numbers


def count(parts: Iterable[Ids], order: int, size: int) -> Counts:
    """Count the n-grams of a text.

    Args:
        parts: Of the text, ids (T,) each, that follow on one another. A text that ends begins with an end of text.
        order: How many tokens an n-gram has.
        size: V.
    """
    packing = _Packing(order, size)
    before = np.full(order - 1, PADDING, packing.type)
    begun = False
    # Each is more than twice as long as the next, so that an n-gram is merged some log2(D) times.
    tables: list[_Sorted] = []
    for piece in _pieces(parts, packing.type):
        tokens = ending_at(before, piece, order)
        if not begun and piece[0] == END:  # what the first text begins after was never written
            tokens = [each[1:] for each in tokens]
        begun = True
        before = np.concatenate([before, piece])[len(piece) :]
        tables.append(_merged([_Sorted(packing.packed(tokens), np.ones(len(tokens[0]), np.int64))]))
        while len(tables) > 1 and len(tables[-2].times) < 2 * len(tables[-1].times):
            tables[-2:] = [_merged(tables[-2:])]
    if not tables:
        return Counts([np.empty(0, packing.type)] * order, np.empty(0, np.int64))
    words, times = _merged(tables)
    return Counts(packing.unpacked(words), times)


def ending_at(before: Ids, ids: Ids, order: int) -> list[Ids]:
    """Give the n-grams that end at each token of a part of a text.

    Args:
        before: The tokens before the part, (order - 1,).
        ids: Of the part, (T,).
        order: How many tokens an n-gram has.

    Returns:
        The last token of each (T,), the one before it, and so on: padding beyond an end of text.
    """
    text = np.concatenate([before, ids])
    places = np.arange(len(text), dtype=np.int64)
    # Where the text began in which the token before stands.
    begun = np.maximum.accumulate(np.where(text == END, places, 0))[order - 2 : -1] if order > 1 else places
    here = places[order - 1 :]
    tokens = [ids]
    for back in range(1, order):
        tokens.append(
            np.where(here - back >= begun, text[order - 1 - back : len(text) - back], PADDING).astype(ids.dtype)
        )
    return tokens


def _pieces(parts: Iterable[Ids], kind: np.dtype[Any]) -> Iterable[Ids]:
    for part in parts:
        for begin in range(0, len(part), _PIECE):
            yield part[begin : begin + _PIECE].astype(kind)


class _Packing:
    """N-grams as whole numbers that sort alike: as many tokens in a word as it has room for."""

    def __init__(self, order: int, size: int) -> None:
        self.type = np.min_scalar_type(size - 1)
        self._order = order
        self._bits = max((size - 1).bit_length(), 1)
        self._room = _BITS // self._bits

    def packed(self, tokens: list[Ids]) -> list[Numbers]:
        words = []
        for first in range(0, self._order, self._room):
            word = np.zeros(len(tokens[0]), np.int64)
            for each in tokens[first : first + self._room]:
                word = (word << self._bits) | each
            words.append(word)
        return words

    def unpacked(self, words: list[Numbers]) -> list[Ids]:
        tokens = []
        for first, word in zip(range(0, self._order, self._room), words, strict=True):
            within = min(self._room, self._order - first)
            shifts = [self._bits * (within - 1 - place) for place in range(within)]
            tokens += [((word >> shift) & ((1 << self._bits) - 1)).astype(self.type) for shift in shifts]
        return tokens


def _merged(tables: list[_Sorted]) -> _Sorted:
    """Make one table of several, or of one that is neither sorted nor without repetitions."""
    words = [np.concatenate(each) for each in zip(*(table.words for table in tables), strict=True)]
    times = np.concatenate([table.times for table in tables])
    # A stable sort merges what is sorted already.
    order = np.lexsort(words[::-1]) if len(words) > 1 else np.argsort(words[0], kind="stable")
    words, times = [word[order] for word in words], times[order]
    starts = np.flatnonzero(changes(words))
    return _Sorted([word[starts] for word in words], np.add.reduceat(times, starts) if len(starts) else times)


def changes(columns: list[npt.NDArray[Any]]) -> npt.NDArray[np.bool_]:
    """Tell where a row (D,) is another than the one before it in one of the columns; the first one is."""
    found = np.ones(len(columns[0]), bool)
    found[1:] = False
    for column in columns:
        found[1:] |= column[1:] != column[:-1]
    return found
