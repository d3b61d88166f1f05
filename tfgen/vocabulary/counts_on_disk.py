"""Words counted exactly, however many there are: what does not fit in memory is sorted, written out, and merged."""

import collections
import contextlib
import heapq
import itertools
import json
import operator
import tempfile
from collections.abc import Iterable, Iterator
from typing import IO

Count = tuple[str, int]

_HELD = 1 << 19  # different words, some 60 MB of them
_HELD_CHARACTERS = 1 << 24  # of words that are very long
_LONG = 64
_RUNS = 64  # files that are open together


class WordCounts(contextlib.ExitStack):
    """How often each word of a text occurs.

    Attributes:
        total: how many words were counted, each occurrence.
        distinct: how many different ones, known once `most_frequent` has looked at them all.

    >>> with WordCounts() as counts:
    ...     counts.add(["to", "be", "or", "not", "to", "be"])
    ...     counts.most_frequent(2), counts.distinct
    ({'be': 2, 'to': 2}, 4)
    """

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self.total = 0
        self.distinct = 0
        self._held: collections.Counter[str] = collections.Counter()
        self._long_characters = 0
        self._runs: list[IO[str]] = []

    def add(self, words: list[str]) -> None:
        """Count some more, at most some thousands of usual length together."""
        self._held.update(words)
        self.total += len(words)
        characters = sum(map(len, words))
        if characters > _LONG * len(words):
            self._long_characters += characters
        if len(self._held) > _HELD or self._long_characters > _HELD_CHARACTERS:
            self._write_run()

    def add_counted(self, counts: Iterable[Count]) -> None:
        """Add words that were counted before, in code point order."""
        self._runs.append(self._file(counts))
        self.total += sum(number for _, number in _read(self._runs[-1]))

    def in_order(self) -> Iterator[Count]:
        """Give each word in code point order, and how often it occurs."""
        self._write_run()
        self._merge()
        return _read(self._runs[0])

    def most_frequent(self, most: int) -> dict[str, int]:
        """Give the most frequent words, and of equal ones those first in code point order."""
        if not self._runs and len(self._held) <= most:
            self.distinct = len(self._held)
            return dict(self._held)
        self._write_run()
        self._merge()
        merged = self._runs[0]
        numbers = collections.Counter(number for _, number in _read(merged))
        self.distinct = numbers.total()
        least, of_least = _cutoff(numbers, most)
        frequent: dict[str, int] = {}
        for word, number in _read(merged):
            if number > least or (number == least and of_least > 0):
                frequent[word] = number
                of_least -= number == least
        return frequent

    def _write_run(self) -> None:
        self._runs.append(self._file(iter(sorted(self._held.items()))))
        self._held.clear()
        self._long_characters = 0
        if len(self._runs) == _RUNS:
            self._merge()

    def _merge(self) -> None:
        merged = self._file(_added(self._runs))
        for run in self._runs:
            run.close()
        self._runs = [merged]

    def _file(self, counts: Iterable[Count]) -> IO[str]:
        file = tempfile.TemporaryFile("w+", encoding="ascii")  # noqa: SIM115 - closed with all others
        self.enter_context(file)
        file.writelines(f"{json.dumps(count)}\n" for count in counts)
        return file


def _read(file: IO[str]) -> Iterator[Count]:
    file.seek(0)
    return (tuple(json.loads(line)) for line in file)


def _added(runs: list[IO[str]]) -> Iterator[Count]:
    """Merge sorted runs, adding up what they say of one word."""
    for word, counts in itertools.groupby(heapq.merge(*map(_read, runs)), key=operator.itemgetter(0)):
        yield word, sum(number for _, number in counts)


def _cutoff(numbers: collections.Counter[int], most: int) -> tuple[int, int]:
    """Give the least number of occurrences among the most frequent words, and how many of that number are among them.

    >>> _cutoff(collections.Counter({5: 1, 2: 3, 1: 100}), most=3)
    (2, 2)
    """
    for number in sorted(numbers, reverse=True):
        if numbers[number] >= most:
            return number, most
        most -= numbers[number]
    return 0, 0
