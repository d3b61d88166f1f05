"""What processes elsewhere write to their standard streams, heard where the command was given.

Ray would show it with the number of a process before each line, which a progress bar does not survive.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Iterator
from typing import Any, NamedTuple

# How long the listener waits for something to be said, in seconds.
_PATIENCE = 0.5


class Terminal(NamedTuple):
    """What the standard output is like where the command was given: whether it is a terminal, and how wide."""

    is_terminal: bool
    columns: int


class Said(NamedTuple):
    """What was said since it was last listened to.

    Attributes:
        pieces: Of texts, each with the name of its stream, "stdout" or "stderr".
        mistakes: Messages of mistakes, which end the work.
    """

    pieces: list[tuple[str, str]]
    mistakes: list[str]


class Board:
    """Takes what is said until it is heard: an actor of Ray, on the machine on which the command was given."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._said = Said([], [])
        self._news = asyncio.Event()

    async def say(self, stream: str, text: str) -> None:
        """Take a piece of text."""
        self._said.pieces.append((stream, text))
        self._news.set()

    async def give_up(self, message: str) -> None:
        """Take a mistake."""
        self._said.mistakes.append(message)
        self._news.set()

    async def hear(self) -> Said:
        """Give what was said, as soon as there is something, or nothing after a moment."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._news.wait(), _PATIENCE)
        self._news.clear()
        said, self._said = self._said, Said([], [])
        return said


class Voice(io.TextIOBase):
    """A standard stream whose text goes to a board."""

    def __init__(self, board: Any, stream: str, terminal: Terminal) -> None:
        """Take the board, the name of the stream, and what it ends in."""
        self._board, self._stream, self._terminal = board, stream, terminal

    def isatty(self) -> bool:
        """Whether it ends in a terminal."""
        return self._terminal.is_terminal

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Send a piece of text."""
        if not isinstance(text, str):
            raise TypeError("a text stream takes text")  # as click asks, to find out what kind of stream it is
        if text:
            self._board.say.remote(self._stream, text)
        return len(text)


@contextlib.contextmanager
def heard(board: Any, terminal: Terminal) -> Iterator[None]:
    """Send what the block writes to its standard streams to a board."""
    out, err = (Voice(board, stream, terminal) for stream in ("stdout", "stderr"))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield
