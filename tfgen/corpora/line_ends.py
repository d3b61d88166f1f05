r"""What ends a line, in every reader: `\n`, `\r\n` or `\r`, and nothing else.

The other separators of Unicode (U+000B, U+000C, U+001C to U+001E, U+0085, U+2028, U+2029) belong to the text.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

CHANGED = "line_ends_changed"
"""Under this name it is counted how many line ends became `\\n`."""

_END = re.compile("\r\n|\n|\r")


def unified(text: str) -> str:
    r"""Turn each end of a line into `\n`.

    >>> unified("one\r\ntwo\rthree\r\r\n")
    'one\ntwo\nthree\n\n'
    """
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def unified_pieces(pieces: Iterable[str], noticed: Counter[str] | None = None) -> Iterator[str]:
    r"""Turn each end of a line into `\n`, in a text that comes in pieces.

    Args:
        pieces: The text; `\r\n` may lie across the border of two pieces.
        noticed: Counts the ends that were not `\n` yet, as `CHANGED`.

    Yields:
        The text in pieces, none of them empty.

    >>> list(unified_pieces(["one\r", "\ntwo\r", "three\r"]))
    ['one', '\ntwo', '\nthree', '\n']
    """
    waiting = False  # whether the last piece ended with \r, which may be the first half of an end
    for piece in pieces:
        text = "\r" + piece if waiting else piece
        waiting = text.endswith("\r")
        text = text[:-1] if waiting else text
        if "\r" in text:
            if noticed is not None:
                noticed[CHANGED] += text.count("\r")
            text = unified(text)
        if text:
            yield text
    if waiting:
        if noticed is not None:
            noticed[CHANGED] += 1
        yield "\n"


def split(text: str) -> list[str]:
    r"""Give the lines of a text without their ends; after the last end there is one more, which may be empty.

    >>> split("one\r\ntwo\u2028\rthree\n")
    ['one', 'two\u2028', 'three', '']
    """
    return _END.split(text)


def count(text: str, before: str = "") -> int:
    r"""Count the ends of lines in a text, which follows on another.

    >>> count("one\r\ntwo\rthree\n"), count("\ntwo", "one\r")
    (3, 0)
    """
    if "\r" not in text:
        return text.count("\n") - (before.endswith("\r") and text.startswith("\n"))
    halves = (before[-1:] + text).count("\r\n")
    return text.count("\n") + text.count("\r") - halves
