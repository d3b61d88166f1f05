"""How names are listed in messages."""

from __future__ import annotations

from collections.abc import Iterable


def listing(names: Iterable[str], most: int = 8, width: int = 40) -> str:
    """Quote some names in one line, however many and however long they are.

    >>> listing(["title", "body", "date"], most=2)
    "'title', 'body' and 1 more"
    """
    every = list(names)
    quoted = [repr(name if len(name) <= width else name[: width - 3] + "...") for name in every[:most]]
    rest = len(every) - len(quoted)
    return (", ".join(quoted) or "nothing") + (f" and {rest} more" if rest else "")
