"""Which process made a directory, told by the name of that, and whether it still runs.

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
_STATE, _BEGAN = 0, 19  # in the line that describes a process, behind its name
_NAME = re.compile(
    r"\.tfgen\.([\w-]*)\.([0-9a-f]{8}|)\.([0-9a-f]{8}|)\.(\d{1,20})\.(\d{1,20})\.[0-9a-f]{8}(\.[a-z]+)", re.A
)


class Owner(NamedTuple):
    """A process.

    Attributes:
        host: The name of the machine or container.
        boot: The start of its system; empty where that is unknown.
        space: The number space; empty where that is unknown.
        number: Of the process.
        began: When it began, in ticks of the system.
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
        # All from one place: the numbers that it gives are those that it is asked with.
        boot = (_PROC / "sys/kernel/random/boot_id").read_text()[:8]
        space = [boot, str(_PROC.stat().st_dev), str((_PROC / "self/ns/pid").readlink())]
        with contextlib.suppress(FileNotFoundError):  # older systems have none
            space.append(str((_PROC / "self/ns/time").readlink()))
        line = (_PROC / "self/stat").read_text()
    except OSError:
        return Owner(host, "", "", os.getpid(), 0)
    digest = hashlib.sha256(repr(space).encode()).hexdigest()
    return Owner(host, boot, digest[:8], int(line.split(maxsplit=1)[0]), int(_fields(line)[_BEGAN]))


def _fields(line: str) -> list[str]:
    """Cut the line that describes a process, behind its name, in which anything can stand."""
    return line.rpartition(")")[2].split()


def new_name(mark: str) -> str:
    """Give a name for a directory of this process, which ends in a dot and a word.

    >>> of(new_name(".unfinished"), ".unfinished") == this_process()
    True
    """
    return ".".join(["", "tfgen", *map(str, this_process()), uuid.uuid4().hex[:8]]) + mark


def of(name: str, mark: str) -> Owner | None:
    """Read such a name; None if it is none."""
    matched = _NAME.fullmatch(name)
    if not matched or matched[6] != mark:
        return None
    return Owner(matched[1], matched[2], matched[3], int(matched[4]), int(matched[5]))


def runs(owner: Owner) -> bool | None:
    """Whether a process still runs; None where that cannot be known from here."""
    if not owner.space or owner.space != this_process().space:
        return None
    try:
        fields = _fields((_PROC / str(owner.number) / "stat").read_text())
    except (FileNotFoundError, ProcessLookupError):
        return False
    except OSError:
        return None
    # One that has ended, but that nobody has asked how, as in containers, is a zombie.
    return int(fields[_BEGAN]) == owner.began and fields[_STATE] not in "ZX"
