"""Signals that end a process, handled as Ctrl-C is: what was learned is kept, and the command says how it ended."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

_HANDLED = ("SIGTERM", "SIGHUP")  # Windows has no SIGHUP


class Stopped(KeyboardInterrupt):
    """A signal that ends the process was received."""

    def __init__(self, number: int) -> None:
        """Keep the number of the signal."""
        super().__init__()
        self.number = number


def _stop(number: int, frame: Any) -> None:
    raise Stopped(number)


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Raise `Stopped` when a signal would end the process; one that is ignored, as under nohup, stays ignored."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in _HANDLED if hasattr(signal, name)]
        before = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) == signal.SIG_DFL}
    for number in before:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def outcome(error: BaseException) -> tuple[str, int]:
    """Describe an interruption in a few words, and give the exit code that shells use for it."""
    stopped = error if isinstance(error, Stopped) else error.__cause__  # click raises an error of its own from it
    if isinstance(stopped, Stopped):
        return f"stopped by {signal.Signals(stopped.number).name}", 128 + stopped.number
    return "interrupted", 130
