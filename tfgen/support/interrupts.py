"""Signals that ask a process to end, heard at once and obeyed where that harms nothing.

An error that a signal handler raises while C code runs can be swallowed, turned into another error, or leave a library
half changed. So the handler takes a note of the signal. It raises only where plain Python runs; in a block that is
`deferred` the note is looked at by `check`, at borders such as the end of a batch, and at the block's end. The next
signal of the kind ends the process at once.

Nothing here changes what signals do in a process that has not asked for it with `handled`.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

_HANDLED = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Stopped(KeyboardInterrupt):
    """A signal that ends the process was received."""

    def __init__(self, number: int) -> None:
        """Keep the number of the signal."""
        super().__init__()
        self.number = number


class _Heard:
    """The signal that was received, whether it has been raised, and in how many blocks it waits."""

    number: int | None = None
    raised = False
    deferring = 0


def _hear(number: int, frame: Any) -> None:
    signal.signal(number, signal.SIG_DFL)  # the next one is not waited for
    _Heard.number = number if _Heard.number is None else _Heard.number
    if not _Heard.deferring:
        check()


def hear() -> dict[int, Any]:
    """Hear the signals that would end the process; one that is ignored, as under nohup, stays ignored.

    Returns:
        The handlers that they had before.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in _HANDLED if hasattr(signal, name)]
        found = {number: signal.getsignal(number) for number in numbers}
        before = {n: each for n, each in found.items() if each in (signal.SIG_DFL, signal.default_int_handler)}
    for number in before:
        signal.signal(number, _hear)
    return before


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Hear them while the block runs."""
    before = hear()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if before:
            _Heard.number, _Heard.raised = None, False


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let a signal wait for the next `check`, or for the end of the block."""
    _Heard.deferring += 1
    try:
        yield
    finally:
        _Heard.deferring -= 1
    if not _Heard.deferring:
        check()


def finish() -> None:
    """Ignore signals from here on: nothing that they could stop is left, but libraries take a moment to end."""
    _Heard.deferring += 1
    # Python gives signals with a handler back to the system before the libraries end, and their threads would hear
    # them then, whatever this one masks; what is ignored stays so.
    for number in (getattr(signal, name) for name in _HANDLED if hasattr(signal, name)):
        signal.signal(number, signal.SIG_IGN)


def check() -> None:
    """Raise what was heard, once.

    Raises:
        Stopped: A signal was received since the process began to hear them.
    """
    if _Heard.number is not None and not _Heard.raised:
        _Heard.raised = True
        raise Stopped(_Heard.number)


def heard() -> Stopped | None:
    """Give the signal that was received, also where its error was lost: a library may drop it in a callback."""
    return None if _Heard.number is None else Stopped(_Heard.number)
