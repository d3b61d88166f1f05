"""The prepared texts in the cache: which there are, when each was last used, and their removal.

A process that trains on one holds a shared lock on its ids, see `corpus`; what is locked is never removed. Where there
are no locks, the system keeps ids that a process has mapped until it ends, although they have no name any more.
"""

import contextlib
import dataclasses
import math
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfgen.errors import InputError
from tfgen.prepared.corpus import IDS, MANIFEST, cache_directory, read_manifest
from tfgen.prepared.workspace import KEPT_DAYS, MARK
from tfgen.support import atomic_files
from tfgen.support.locks import Lock

DAY = 24 * 60 * 60  # seconds
_NAME = re.compile("[0-9a-f]{40}")
_BYTES = {"uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8}  # of an id


@dataclasses.dataclass(frozen=True)
class Entry:
    """A prepared text in the cache, or the work of a run that was stopped.

    Attributes:
        path: The directory.
        source: What the user asked for; None for a stopped run, and where the manifest cannot be read.
        size: In bytes.
        tokens: How many ids it should hold; None where that is not known.
        last_used: In seconds since 1970.
        in_use: Whether a process reads it now.
        damaged: Whether its manifest cannot be read, or its ids are not as many bytes as that says.
    """

    path: Path
    source: str | None
    size: int
    last_used: float
    tokens: int | None = None
    in_use: bool = False
    damaged: bool = False


def entries() -> list[Entry]:
    """List what is in the cache, changing nothing; the least recently used come first."""
    found = [_stopped_run(path) for path in atomic_files.abandoned(cache_directory(), MARK)]
    for path in _directories():
        if text := _prepared(path):
            found.append(dataclasses.replace(text, in_use=_is_in_use(path)))
    return sorted(found, key=lambda entry: entry.last_used)


def remove(unused_for: float = -math.inf) -> list[Entry]:
    """Remove prepared texts that are not in use, and the work of stopped runs; nothing else that may be there.

    What has no manifest that can be read stays: nothing proves that it is ours.

    Args:
        unused_for: Only what was not used for so many seconds.

    Returns:
        What was removed.
    """
    before, removed = time.time() - unused_for, []
    for path in atomic_files.abandoned(cache_directory(), MARK):
        if (run := _stopped_run(path)).last_used <= before:
            atomic_files.discard(path)
            removed.append(run)
    for path in _directories():
        if not (lock := _lock(path)):
            continue
        with lock, contextlib.suppress(OSError):  # Windows removes nothing that is open
            if (text := _removable(path)) and text.last_used <= before and lock.is_current():
                atomic_files.remove(path)
                removed.append(text)
    return removed


def remove_old() -> list[Entry]:
    """Remove what was not used for `KEPT_DAYS`; see `remove`."""
    return remove(KEPT_DAYS * DAY)


def _directories() -> Iterator[Path]:
    with contextlib.suppress(OSError):
        for path in sorted(cache_directory().iterdir()):
            if _NAME.fullmatch(path.name) and atomic_files.is_own(path):
                yield path


def _lock(path: Path) -> Lock | None:
    """Lock a text for an instant; None where it is in use, or cannot be locked."""
    try:
        return Lock(path / IDS)
    except (OSError, InputError):
        return None


def _is_in_use(path: Path) -> bool:
    try:
        Lock(path / IDS).close()
    except BlockingIOError:
        return True
    except (OSError, InputError):  # it cannot be locked: what is damaged may have no ids
        pass
    return False


def _removable(path: Path) -> Entry | None:
    """Describe a prepared text whose manifest says that it is one."""
    text = _prepared(path)
    return text if text and text.source is not None else None


def _prepared(path: Path) -> Entry | None:
    """Describe a directory, if it is a prepared text and nothing else; the ids are not read."""
    try:
        status = {each.name: each.lstat() for each in path.iterdir()}
    except OSError:
        return None
    if MANIFEST not in status or not set(status) <= {IDS, MANIFEST} or not all(map(_is_regular, status.values())):
        return None
    whole = Entry(path, None, sum(each.st_size for each in status.values()), status[MANIFEST].st_mtime, damaged=True)
    try:
        manifest = read_manifest(path)
    except (OSError, ValueError, RecursionError):
        return whole
    if manifest["key"][: len(path.name)] != path.name:
        return None
    damaged = IDS not in status or status[IDS].st_size != _ids_size(manifest)
    return dataclasses.replace(whole, source=manifest["source"], tokens=manifest["tokens"], damaged=damaged)


def _is_regular(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode)


def _ids_size(manifest: dict[str, Any]) -> int:
    """Give the bytes that the ids should have; 0, which no text has, where the type is none of ids."""
    return manifest["tokens"] * _BYTES.get(manifest["type"], 0)


def _stopped_run(path: Path) -> Entry:
    size = sum(each.lstat().st_size for each in path.rglob("*"))
    return Entry(path, None, size, atomic_files.last_change(path))
