"""How a command that was stopped by a signal is described."""

from __future__ import annotations

import signal

from tfgen.support import interrupts


def outcome(error: BaseException | None = None) -> tuple[str, int]:
    """Describe an interruption in a few words, and give the exit code that shells use for it."""
    stopped = interrupts.heard() or error
    if isinstance(stopped, interrupts.Stopped) and stopped.number != signal.SIGINT:
        return f"stopped by {signal.Signals(stopped.number).name}", 128 + stopped.number
    return "interrupted", 130
