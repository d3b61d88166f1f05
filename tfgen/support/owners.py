"""Which process made a directory, according to its name, and whether that process still runs.

A process has a number in a number space: one start of a system, and a namespace of that. Containers have a namespace
each, so that two of them can use one number at the same time; and when a process has ended, its number is used again.
So a name says the space, the number, and when the process began.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import socket
import uuid
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")
_STATE, _BEGAN = 0, 19  # places in the line that describes a process, after its name
_NAME = re.compile(
    r"\.tfgen\.([\w-]*)\.([0-9a-f]{8}|)\.([0-9a-f]{8}|)\.(\d{1,20})\.(\d{1,20})\.[0-9a-f]{8}(\.[a-z]+)", re.A
)


class Owner(NamedTuple):
    """A process.

    Attributes:
        host: The name of its machine or container.
        boot: Which start of the system it belongs to; empty where that is unknown.
        space: Its number space; empty where that is unknown.
        number: The number of the process.
        began: When it began, in ticks of the system's clock.
    """

    host: str
    boot: str
    space: str
    number: int
    began: int


def this_process() -> Owner:
    """Describe this process."""
    host = re.sub(r"[^\w-]", "_", socket.gethostname(), flags=re.A)[:40]
    try:
        # The number comes from the same place that `runs` asks.
        boot = (_PROC / "sys/kernel/random/boot_id").read_text()[:8]
        space = [boot, str(_PROC.stat().st_dev), str((_PROC / "self/ns/pid").readlink())]
        with contextlib.suppress(FileNotFoundError):  # older systems have no such namespace
            space.append(str((_PROC / "self/ns/time").readlink()))
        line = (_PROC / "self/stat").read_text()
    except OSError:
        return Owner(host, "", "", os.getpid(), 0)
    digest = hashlib.sha256(repr(space).encode()).hexdigest()
    return Owner(host, boot, digest[:8], int(line.split(maxsplit=1)[0]), int(_fields(line)[_BEGAN]))


def _fields(line: str) -> list[str]:
    """Split the line that describes a process, after its name, which may contain anything."""
    return line.rpartition(")")[2].split()


def new_name(mark: str) -> str:
    """Give a name for a directory of this process; `mark`, its ending, is a dot and a word.

    >>> of(new_name(".unfinished"), ".unfinished") == this_process()
    True
    """
    return ".".join(["", "tfgen", *map(str, this_process()), uuid.uuid4().hex[:8]]) + mark


def of(name: str, mark: str) -> Owner | None:
    """Read such a name; None for any other."""
    matched = _NAME.fullmatch(name)
    if not matched or matched[6] != mark:
        return None
    return Owner(matched[1], matched[2], matched[3], int(matched[4]), int(matched[5]))


def runs(owner: Owner) -> bool | None:
    """Whether a process still runs; None where that cannot be known here."""
    if not owner.space or owner.space != this_process().space:
        return None
    try:
        fields = _fields((_PROC / str(owner.number) / "stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        return None
    # A process that has ended, and whose parent has not asked how, is a zombie; containers are full of them.
    return int(fields[_BEGAN]) == owner.began and fields[_STATE] not in "ZX"
