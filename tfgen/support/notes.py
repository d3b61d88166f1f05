"""How far long work on a text has come, noted on disk, so that work that was stopped can continue.

A note covers the first characters of the text, however many. A run that continues reads them again, because a text can
only be decompressed, decoded and split from its beginning, but does nothing else with them.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

# A note is due after so many characters, or after a share of all before, since its own cost may grow with the text.
_EVERY = 1 << 28
_SHARE = 8


def due(noted: int) -> int:
    """Give the number of characters after which the next note is due."""
    return noted + max(_EVERY, noted // _SHARE)


def write(path: Path, lines: Iterable[str]) -> None:
    """Write a note, whole or not at all; the last line is its hash."""
    new, digest = path.with_suffix(".new"), hashlib.sha256()
    try:
        with new.open("wb") as file:
            for line in lines:
                digest.update(line.encode() + b"\n")
                file.write(line.encode() + b"\n")
            file.write(digest.hexdigest().encode())
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)  # a full disk keeps the note before this one


def is_whole(path: Path) -> bool:
    """Whether there is a note, and it is as it was written."""
    digest, last = hashlib.sha256(), b""
    if path.exists():
        with path.open("rb") as file:
            for line in file:
                digest.update(last)
                last = line
    return last == digest.hexdigest().encode()


def after(characters: int, pieces: Iterable[str]) -> Iterator[str]:
    """Skip so many characters of a text.

    >>> list(after(3, ["ab", "cd", "e"]))
    ['d', 'e']
    """
    for piece in pieces:
        if rest := piece[characters:]:
            yield rest
        characters = max(characters - len(piece), 0)
