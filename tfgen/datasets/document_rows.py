"""Rows of documents: where each lies in an array of ids, however many there are. The places lie in a file.

Axis letters: B batch, T time, R rows.
"""

import functools
import io
import tempfile
from collections.abc import Callable, Iterator
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from tfgen.datasets import memory_map, permutation
from tfgen.vocabulary.vocabulary import END

Ids = npt.NDArray[np.integer[Any]]
Numbers = npt.NDArray[np.int64]
Places = npt.NDArray[np.void]  # of rows: where each starts, and its length

_PIECE = 1 << 20  # ids that are looked at together
PLACE = np.dtype([("start", np.int64), ("length", np.int32)])
_ANY_LENGTH = 2**31 - 1
# Rows that are sorted by length together: enough for batches of equal rows, few enough to be held.
_POOL = 1 << 16


def count(ids: Ids) -> int:
    """Count the documents of an array of ids, each of which stands between ends of text."""
    return sum(len(begins) for _, begins, _ in documents(ids))


def documents(ids: Ids) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
    """Give the numbers of documents, where they begin and where they end, some of them at a time."""
    last = number = 0
    for begin in range(1, len(ids), _PIECE):
        ends = np.flatnonzero(ids[begin : begin + _PIECE] == END) + begin
        memory_map.let_go(ids)
        if len(ends):
            yield np.arange(number, number + len(ends)), np.concatenate([[last], ends[:-1]]), ends
            last, number = int(ends[-1]), number + len(ends)


def split(ids: Ids, length: int, held_out: Callable[[Numbers], npt.NDArray[np.bool_]]) -> tuple["Rows", "Rows"]:
    """Find the rows of documents that are trained on, and of those that are held out.

    Args:
        ids: All documents (T,), each between ends of text.
        length: The longest row. A longer document has several, each of which begins where the one before ended.
        held_out: Says which documents are, by their numbers.
    """
    with tempfile.TemporaryFile() as trained_on, tempfile.TemporaryFile() as kept:
        for numbers, begins, ends in documents(ids):
            out = held_out(numbers)
            for file, these in ((trained_on, ~out), (kept, out)):
                _places(begins[these], ends[these], length).tofile(file)
        return Rows(trained_on), Rows(kept)


def places_of(ids: Ids) -> Places:
    """Give the places of all documents (R,), each a row of any length; they are mapped from a file."""
    with tempfile.TemporaryFile() as file:
        for _, begins, ends in documents(ids):
            _places(begins, ends, _ANY_LENGTH).tofile(file)
        return _mapped(file, PLACE)


def _mapped(file: IO[bytes], place: np.dtype[Any]) -> Places:
    """Map a file of places, which may then be closed."""
    return np.memmap(file, place, "r") if file.seek(0, io.SEEK_END) else np.empty(0, place)


class Rows:
    """Where some rows lie, in a file of places."""

    def __init__(self, file: IO[bytes], place: np.dtype[Any] = PLACE, by: str = "length", pool: int = _POOL) -> None:
        """Map the file, which may then be closed.

        Args:
            file: Of places.
            place: What a place is.
            by: Rows that are alike in this field share a batch.
            pool: Among so many rows those that are alike are found.
        """
        self._by, self._pool = by, pool
        self._places = _mapped(file, place)

    def __len__(self) -> int:
        """Give R."""
        return len(self._places)

    def batches(self, batch_size: int, seed: int | None) -> Callable[[int, int], Places]:
        """Give the places of a batch as a function of (epoch, step): random, those that are alike together.

        Args:
            batch_size: B, which a batch has at most; batches differ by one row at most.
            seed: The order is a function of it and the epoch; None for the order of the text.
        """
        begins = permutation.evenly(len(self), batch_size)
        together = max(self._pool // batch_size, 1)

        @functools.lru_cache(maxsize=2)
        def pool(epoch: int, number: int) -> tuple[Places, Numbers]:
            """Give sorted places, and the order in which batches are cut from them."""
            first = number * together
            numbers = np.arange(begins(first), begins(first + together))
            rows = numbers if seed is None else permutation.shuffled(numbers, len(self), seed, epoch)
            places = memory_map.taken(self._places, rows)
            # Stable, so that rows that are alike stay in random order and meet others in each epoch.
            alike = places[np.argsort(places[self._by], kind="stable")]
            order = np.arange(min(together, -(-len(self) // batch_size) - first))
            if seed is not None:
                order = np.random.Generator(np.random.Philox(key=[seed, epoch + 1], counter=number)).permutation(order)
            return alike, order

        def batch(epoch: int, step: int) -> Places:
            alike, order = pool(epoch, step // together)
            first = step // together * together
            chosen = first + int(order[step % together])
            return alike[begins(chosen) - begins(first) : begins(chosen + 1) - begins(first)]

        return batch


def positions(places: Places, width: int) -> tuple[Numbers, npt.NDArray[np.bool_]]:
    """Give the positions (B, T) in the ids of the inputs of some rows (B,), and which are real; T is a width."""
    starts, lengths = places["start"][:, np.newaxis], places["length"][:, np.newaxis]
    within = np.arange(width)
    return starts + within, within < lengths


def _places(begins: Numbers, ends: Numbers, length: int) -> Places:
    """Cut documents into rows."""
    rows = -(-(ends - begins) // length)
    first = np.cumsum(rows) - rows
    within = np.arange(rows.sum()) - np.repeat(first, rows)
    places = np.empty(rows.sum(), PLACE)
    places["start"] = np.repeat(begins, rows) + within * length
    places["length"] = np.minimum(length, np.repeat(ends, rows) - places["start"])
    return places
