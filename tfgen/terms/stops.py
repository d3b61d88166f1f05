"""Stop strings: where a text is to end because of what it says."""

from collections.abc import Callable, Sequence
from typing import Any

from tfgen.errors import InputError
from tfgen.support import wording


class StopStrings:
    """Watches one text for strings that end it, however they are cut into pieces.

    The string that is complete first ends the text; of several that are complete at the same place, the longest.

    >>> watch = StopStrings(["END"])
    >>> watch.feed("the E"), watch.feed("ND of it"), watch.stopped
    ('the ', '', True)
    """

    def __init__(self, stops: Sequence[str], keep: bool = False) -> None:
        """Take the strings, and whether the one that ends the text is part of it."""
        self._stops = tuple(stops)
        self._keep = keep
        self._held = ""
        self.stopped = False

    def feed(self, text: str) -> str:
        """Take more of the text, and give what is certain to lie before a stop string."""
        if self.stopped:
            return ""
        self._held += text
        found = [(place + len(stop), place) for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            end, begin = min(found)
            certain, self._held = self._held[: end if self._keep else begin], ""
            return certain
        kept = max((_overlap(self._held, stop) for stop in self._stops), default=0)
        certain, self._held = self._held[: len(self._held) - kept], self._held[len(self._held) - kept :]
        return certain

    def rest(self) -> str:
        """Give what was held back, at the end of a text that did not stop."""
        rest, self._held = self._held, ""
        return rest


def as_stops(stop: str | Sequence[str] | None, spelled: Callable[[str], str] = str) -> tuple[str, ...]:
    """Check stop strings and give them as a tuple, each as `spelled` would have it in the texts that are written.

    Raises:
        InputError: One is empty or no text.
    """
    alone = isinstance(stop, str | bytes) or not isinstance(stop, Sequence)
    stops: tuple[Any, ...] = () if stop is None else (stop,) if alone else tuple(stop)
    for each in stops:
        if not isinstance(each, str) or not each:
            raise InputError(f"a stop string is a text that is not empty; received {wording.shown(each)}.")
    return tuple(map(spelled, stops))


def _overlap(text: str, stop: str) -> int:
    """Give the length of the longest end of the text that begins, but does not complete, the stop string."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
