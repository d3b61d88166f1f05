"""What a server did, for Prometheus: counts and times, never a text."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from tfgen.serving.turns import Turn

_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128)


class Measures:
    """The numbers of one server."""

    kind = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        """Begin at zero."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)  # its memory and its time of the processor, on Linux
        self.requests = Counter(
            "tfgen_requests", "Requests with a body, by status.", ["status"], registry=self._registry
        )
        self.seconds = Histogram(
            "tfgen_request_seconds",
            "How long until their answer was there, or began.",
            registry=self._registry,
            buckets=_SECONDS,
        )
        self.rows = Gauge("tfgen_rows", "Texts that are prepared or written now.", registry=self._registry)
        self._tokens = Counter("tfgen_tokens", "Tokens that were written.", registry=self._registry)
        self._together = Histogram(
            "tfgen_turn_rows", "Texts that were written together.", registry=self._registry, buckets=_ROWS
        )
        self._turns = Histogram(
            "tfgen_turn_seconds", "How long a turn took.", registry=self._registry, buckets=_SECONDS
        )

    def notice(self, turn: Turn) -> None:
        """Count a turn."""
        self._tokens.inc(turn.tokens)
        self._together.observe(turn.rows)
        self._turns.observe(turn.seconds)

    def text(self) -> bytes:
        """Give all of them, as Prometheus reads them."""
        return generate_latest(self._registry)
