"""A server that runs until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from tfgen.serving.asgi import Application

_CONNECTIONS = 1024  # at once
_IDLE = 5  # seconds that a connection may wait for its next request
_HEADERS = 16 * 1024  # bytes
_SLOW = 30  # seconds that a client may take longer to read an answer than the answer takes
_READING = 2  # seconds that a client may take to hear that the server ends


def run(app: Application, listener: socket.socket, seconds: float, begun: Callable[[], None]) -> int:
    """Serve until a signal comes.

    SIGTERM lets what was begun come to its end; SIGINT, or a second signal, ends it where it is.

    Args:
        app: From `application`.
        listener: Is bound to an address.
        seconds: That an answer may take, and that may be waited for what was begun.
        begun: Called when clients are answered from now on.

    Returns:
        The number of the signal.
    """
    import uvicorn

    from tfgen.serving.patience import patient

    for name in ("uvicorn.error", "asyncio"):  # which warn of malformed requests, and of streams whose reader has left
        logging.getLogger(name).setLevel(logging.ERROR)
    config = uvicorn.Config(
        app,
        http=patient(answering=seconds + _SLOW),
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_CONNECTIONS,
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=math.ceil(seconds),
        h11_max_incomplete_event_size=_HEADERS,
    )
    heard: list[int] = []

    class Server(uvicorn.Server):
        """uvicorn's, which says what it heard in the place of raising it once more."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            with _heard_by(self.handle_exit):
                yield

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            begun()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            self.should_exit = True
            if heard or sig == signal.SIGINT:
                app.end()
                self.config.timeout_graceful_shutdown = _READING
            self.force_exit = len(heard) > 1
            heard.append(sig)

    asyncio.run(Server(config).serve(sockets=[listener]))
    return heard[0] if heard else 0


@contextlib.contextmanager
def _heard_by(handler: Any) -> Iterator[None]:
    """Let signals that end the process call a handler while the block runs; one that is ignored stays so."""
    found = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    first = threading.current_thread() is threading.main_thread()
    numbers = [number for number in found if first and signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, each in before.items():
            signal.signal(number, each)
