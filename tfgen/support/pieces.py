"""Pieces of a text or of bytes, joined: libraries are slow on short ones."""

from collections.abc import Iterable, Iterator
from typing import AnyStr


def gathered(pieces: Iterable[AnyStr], least: int) -> Iterator[AnyStr]:
    """Join pieces until they are so long together; the last one may be shorter.

    >>> list(gathered(["ab", "c", "", "defg", "h"], 3))
    ['abc', 'defg', 'h']
    """
    held: list[AnyStr] = []
    length = 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        if length >= least:
            yield piece[:0].join(held)
            held, length = [], 0
    if length:
        yield held[0][:0].join(held)
