"""Connections that end where a client takes too long: to say what it asks for, or to take the answer."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

_ASKING = 10.0  # seconds from the beginning of a connection, or the end of an answer, to the end of the next headers


def patient(answering: float, asking: float = _ASKING) -> type[H11Protocol]:
    """Give uvicorn's protocol with limits: it waits for ever for headers that come a byte now and then.

    Args:
        answering: Seconds from the end of the headers to the end of the answer.
        asking: Seconds until then.
    """

    class Patient(H11Protocol):
        """A connection that is waited for so long."""

        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait(asking)

        def connection_lost(self, exc: Exception | None) -> None:
            self._wait(None)
            super().connection_lost(exc)

        def handle_events(self) -> None:
            before = self.cycle
            super().handle_events()
            if self.cycle is not before:
                self._wait(asking if self.cycle.response_complete else answering)

        def on_response_complete(self) -> None:
            self._wait(asking)
            super().on_response_complete()

        def _wait(self, seconds: float | None) -> None:
            if self._timer is not None:
                self._timer.cancel()
            closing = self.transport is None or self.transport.is_closing()
            self._timer = None if seconds is None or closing else self.loop.call_later(seconds, self.transport.abort)

    return Patient
