"""Whose turn it is: requests of the same settings share a batch, and batches take turns of some milliseconds.

So a long text holds up nobody for longer than a turn, and a request that was cancelled costs nothing after the turn in
which it was.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

from tfgen.errors import InputError
from tfgen.writing.batch import Batch, Piece, Row

_logger = logging.getLogger("tfgen.serving")

_AIM = 0.02  # seconds that reading takes in a turn, and writing
_MOST_STEPS, _MOST_READ = 64, 1024  # tokens of a row
_FIRST, _LEAST = 16, 4

_ENDS = "the server ends."

Event = tuple[int, Piece] | Exception
"""What a request hears: which of its texts has become longer, and by what. Or what has ended it: an InputError is a
mistake of its own, a ConnectionAbortedError says that the server ends, and any other is the server's mistake."""


class Turn(NamedTuple):
    """What was done at once.

    Attributes:
        rows: Texts that were written together.
        tokens: That were written.
        seconds: That it took.
    """

    rows: int
    tokens: int
    seconds: float


class Job:
    """The texts of one request."""

    def __init__(
        self, key: Hashable, batch: Batch, rows: Sequence[Row], deadline: float, hear: Callable[[list[Event]], None]
    ) -> None:
        """Take what is written.

        Args:
            key: Jobs of the same key share a batch.
            batch: An empty one, for the first job of its key.
            rows: The texts.
            deadline: Of `time.monotonic`, when the texts end.
            hear: Called in the thread of the turns, with what is new; it must not wait.
        """
        self.key, self.batch, self.deadline, self.hear = key, batch, deadline, hear
        self.places = {row: place for place, row in enumerate(rows)}
        self.cancelled = False


class Turns:
    """All jobs of a server, whatever their models."""

    def __init__(self, most: int, noticed: Callable[[Turn], None] = lambda turn: None) -> None:
        """Take how many rows there may be at once, and what is called after each turn."""
        self._most, self._noticed = most, noticed
        self._changed = threading.Condition()
        self._reserved = 0
        self._arrived: list[Job] = []
        self._closed = False
        self._groups: OrderedDict[Hashable, _Group] = OrderedDict()

    @property
    def reserved(self) -> int:
        """How many rows there are, those that are still prepared among them."""
        return self._reserved

    def reserve(self, rows: int) -> bool:
        """Keep room for so many rows; False if there is none."""
        with self._changed:
            room = not self._closed and self._reserved + rows <= self._most
            self._reserved += rows if room else 0
            return room

    def release(self, rows: int) -> None:
        """Give the room back."""
        with self._changed:
            self._reserved -= rows

    def submit(self, job: Job) -> None:
        """Let a job take part from the next turn on."""
        with self._changed:
            if not self._closed:
                self._arrived.append(job)
                self._changed.notify()
                return
        _tell(job, [ConnectionAbortedError(_ENDS)])

    def cancel(self, job: Job) -> None:
        """Let a job have no part in any turn that has not begun."""
        job.cancelled = True

    def close(self) -> None:
        """End: `run` returns after the turn at hand, and what is unfinished hears so. Signal handlers may call it."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def run(self) -> None:
        """Take turns until `close`."""
        while True:
            with self._changed:
                while not (self._arrived or self._groups or self._closed):
                    self._changed.wait()
                if self._closed:
                    break
            self.turn()
        jobs = self._arrived + [job for group in self._groups.values() for job in group.jobs]
        for job in jobs:
            _tell(job, [ConnectionAbortedError(_ENDS)])

    def turn(self) -> None:
        """Let the jobs that came join, those that are over leave, and the group whose turn it is read and write."""
        with self._changed:
            arrived, self._arrived = self._arrived, []
        for job in arrived:
            self._groups.setdefault(job.key, _Group(job.batch)).add(job)
        now = time.monotonic()
        for key, group in list(self._groups.items()):
            group.sweep(now)
            if not group.jobs:
                del self._groups[key]
        if not self._groups:
            return
        key, group = next(iter(self._groups.items()))
        self._groups.move_to_end(key)
        try:
            self._noticed(group.turn())
        except Exception as error:
            _log(error)
            group.fail()
        if not group.jobs:
            self._groups.pop(key)


class _Group:
    """The jobs that share a batch."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._reading, self._writing = _Pace(_MOST_READ), _Pace(_MOST_STEPS)
        self.jobs: list[Job] = []
        self._of: dict[Row, Job] = {}

    def add(self, job: Job) -> None:
        self.jobs.append(job)
        self._of |= dict.fromkeys(job.places, job)
        self._batch.add(job.places)

    def sweep(self, now: float) -> None:
        """Let go of what was cancelled, and end what has no time left."""
        for job in [job for job in self.jobs if job.cancelled or now >= job.deadline]:
            self._batch.drop(job.places)
            if not job.cancelled:
                _tell(job, [(place, row.cut()) for row, place in job.places.items()])
            self._forget(job, list(job.places))

    def turn(self) -> Turn:
        begun = time.perf_counter()
        if self._batch.reads:
            self._reading.timed(len(self._batch), self._batch.read)
        written = self._writing.timed(len(self._batch), self._batch.write) if self._batch.writes else []
        heard: dict[Job, list[Event]] = {}
        for row, piece in written:
            job = self._of[row]
            heard.setdefault(job, []).append(piece if isinstance(piece, InputError) else (job.places[row], piece))
        tokens = sum(piece.size for _, piece in written if isinstance(piece, Piece))
        for job, events in heard.items():
            _tell(job, events)
        ended = [row for row, piece in written if isinstance(piece, InputError) or piece.reason]
        for row in ended:
            self._forget(self._of[row], [row])
        return Turn(len(written), tokens, time.perf_counter() - begun)

    def fail(self) -> None:
        for job in self.jobs:
            _tell(job, [RuntimeError("a batch failed.")])
        self.jobs = []

    def _forget(self, job: Job, rows: Sequence[Row]) -> None:
        for row in rows:
            del job.places[row], self._of[row]
        if not job.places:
            self.jobs.remove(job)


class _Pace:
    """How many tokens are done at once, so that it takes about as long as it should.

    Its clock is that of the processor: where other processes take their share, smaller turns would not be there sooner,
    and cost more together.
    """

    def __init__(self, most: int) -> None:
        self._most, self._size, self._rows = most, _FIRST, 1

    def timed(self, rows: int, work: Callable[[int], Any]) -> Any:
        if rows > 2 * self._rows:  # each token may take much longer now
            self._size = min(self._size, _FIRST)
        self._rows = rows
        begun = time.process_time()
        done = work(self._size)
        seconds = time.process_time() - begun
        if seconds > 1.5 * _AIM:
            self._size = max(self._size // 2, _LEAST)
        elif seconds < 0.6 * _AIM:
            self._size = min(self._size * 2, self._most)
        return done


def _tell(job: Job, events: list[Event]) -> None:
    with contextlib.suppress(RuntimeError):  # its event loop has ended, and nobody listens
        job.hear(events)


def _log(error: Exception) -> None:
    """Say where an error came from, and not what it says, which may quote what somebody wrote."""
    places = "".join(traceback.format_tb(error.__traceback__))
    _logger.error("a batch failed with %s:\n%s", type(error).__name__, places)
