"""Standard error without TensorFlow's chatter, which it writes while it starts, converts or finds a prompt padded.

It writes log lines to the file descriptor itself, the first of them before it reads any setting. The descriptor is
therefore made a pipe to a small process, `sieve`, which passes on everything but known chatter, even when this process
dies.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import uuid
from collections.abc import Iterator

from tfgen.support import sieve


@contextlib.contextmanager
def sifted() -> Iterator[None]:
    """Drop known chatter from standard error while the block runs; everything else is passed on at once, in order.

    When the block has ended, all that was written in it has been passed on. Where no process can be started, as on
    Windows, nothing is dropped.
    """
    pipe = _begun()
    try:
        yield
    finally:
        if pipe is not None:
            _flush()
            pipe.end()


def sift_from_now_on() -> None:
    """Drop known chatter from standard error until this process ends, as a notebook's kernel wants it."""
    _begun()


def _begun() -> _Pipe | None:
    _flush()
    try:
        return _Pipe()
    except (OSError, RuntimeError, AttributeError, NotImplementedError):  # no process, no thread, or no such call
        return None


def _flush() -> None:
    with contextlib.suppress(OSError, AttributeError):  # the disk is full, or there is no stream
        sys.stderr.flush()


class _Pipe:
    """Standard error as a pipe to a sieve; if that is killed, a thread takes its place."""

    def __init__(self) -> None:
        self._maker = os.getpid()
        self._word = uuid.uuid4().hex
        self._passed_on = threading.Event()
        with contextlib.ExitStack() as undo:

            def closing(descriptor: int) -> int:
                undo.callback(os.close, descriptor)
                return descriptor

            self._before = closing(os.dup(2))
            self._out, self._into = map(closing, os.pipe())
            self._answers, answering = map(closing, os.pipe())
            self._sieve = _start_sieve(self._word, self._out, answering)
            threading.Thread(target=self._watch, daemon=True).start()
            os.dup2(self._into, 2)
            undo.pop_all()
        os.close(answering)

    def end(self) -> None:
        """Wait until everything has been passed on; other processes can still write to the pipe."""
        try:
            if os.getpid() == self._maker:  # a forked process would not get the answer
                sieve.write(self._into, sieve.marker(self._word))
                self._passed_on.wait()
        finally:
            os.dup2(self._before, 2)
            os.close(self._into)

    def _watch(self) -> None:
        """Take the answers of the sieve until it ends, and do its work if it ended early."""
        while os.read(self._answers, 1):
            self._passed_on.set()
        sieve.sift(self._word, self._out, self._before, self._passed_on.set)
        for descriptor in (self._before, self._out, self._answers):
            os.close(descriptor)
        os.waitpid(self._sieve, 0)


def _start_sieve(word: str, source: int, answering: int) -> int:
    """Start the process in a session of its own, with all signals blocked: it ends with its input."""
    return os.posix_spawn(
        sys.executable or "",
        ["python", "-I", "-S", sieve.__file__, word],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, source, 0), (os.POSIX_SPAWN_DUP2, answering, 1)],
        setsid=True,
        setsigmask=signal.valid_signals(),
    )
