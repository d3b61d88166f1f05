"""Hostile input: what readers are given, and what they may do with it.

A reader is a function of bytes. Whatever these are, it gives a result or raises `InputError` with a message of one
line; within seconds, within bounds of memory, and without leaving anything behind. How inputs are damaged stands in
`damage`, which readers there are in `readers`.
"""

import contextlib
import dataclasses
import pathlib
import random
import signal
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import damage
from memory_support import peak, reset_peak

from tfgen.errors import InputError

SECONDS = 20
MEMORY = 600 << 20  # bytes that one reader may take beyond what was there


@dataclasses.dataclass(frozen=True)
class Reader:
    """Something of tfgen that reads bytes.

    Attributes:
        name: For people.
        read: Reads the bytes, in an empty directory that it may use; the second argument chooses options.
        seeds: Good inputs, from which bad ones are made.
        structured: "json", "zip", "state" or "model" if damage should also keep to the format.
        share: How often it is chosen, against 1.
    """

    name: str
    read: Callable[[bytes, random.Random, pathlib.Path], Any]
    seeds: Sequence[bytes]
    structured: str = ""
    share: float = 1.0


@dataclasses.dataclass
class Finding:
    """An input with which a reader did what it may not."""

    reader: str
    number: int
    fault: str
    data: bytes

    def __str__(self) -> str:
        return f"{self.reader} {self.number}: {self.fault}\n{self.data[:300]!r}"


def fuzz(reader: Reader, count: int, seed: int, folder: pathlib.Path) -> tuple[Counter[str], list[Finding]]:
    """Give a reader so many inputs: how many it read and refused, and what else happened."""
    outcomes: Counter[str] = Counter()
    findings = []
    reset_peak()
    before = peak()
    for number in range(count):
        chance = random.Random(f"{reader.name}, {seed}, {number}")
        data = damage.case(chance, chance.choice(reader.seeds), reader.structured)
        with tempfile.TemporaryDirectory(dir=folder) as own:
            outcome = _outcome(reader, data, chance, pathlib.Path(own))
        if peak() > before + MEMORY:
            outcome = f"memory grew by {(peak() - before) >> 20} MiB"
            reset_peak()
            before = peak()
        if outcome not in ("read", "refused"):
            findings.append(Finding(reader.name, number, outcome, data))
        outcomes[outcome if outcome in ("read", "refused") else "fault"] += 1
    return outcomes, findings


def _outcome(reader: Reader, data: bytes, chance: random.Random, folder: pathlib.Path) -> str:
    try:
        with _limited():
            reader.read(data, chance, folder)
    except InputError as error:
        if len(str(error).splitlines()) > 1 or len(str(error)) >= 2000:
            return f"its message is {error!s:.500}"
        partial = [path for path in folder.rglob("*") if path.is_file() and path.name not in GIVEN]
        return f"it leaves {partial}" if partial else "refused"
    except Exception:
        return traceback.format_exc(limit=-6)
    return "read"


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    """Nothing may take long."""

    def expired(*_: Any) -> None:
        raise TimeoutError(f"it takes more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


GIVEN = {".lock"}  # names of files that readers were given, and of the one by which runs keep one another out


def written(folder: pathlib.Path, name: str, data: bytes) -> pathlib.Path:
    """Give a reader a file."""
    path = folder / name
    path.write_bytes(data)
    GIVEN.add(name)
    return path
