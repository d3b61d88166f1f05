"""Signals that end a process, heard as the interruption that Ctrl-C is: what was learned is kept, and it is told."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

_HEARD = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Stopped(KeyboardInterrupt):
    """A signal has come."""

    def __init__(self, number: int) -> None:
        """Take its number."""
        super().__init__()
        self.number = number


def _stop(number: int, frame: Any) -> None:
    raise Stopped(number)


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Raise `Stopped` when a signal comes that would end the process; one that is ignored, as under nohup, stays so."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in _HEARD if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) == signal.SIG_DFL}
    for number in before:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def told(error: BaseException) -> tuple[str, int]:
    """Say in a word what an interruption was, and with which code the process ends, as shells count."""
    stopped = error if isinstance(error, Stopped) else error.__cause__  # click turns it into an error of its own
    if isinstance(stopped, Stopped):
        return f"stopped by {signal.Signals(stopped.number).name}", 128 + stopped.number
    return "interrupted", 130
