"""Answers on disk, part by part: what is written is not written again, whoever was killed."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from tfgen.bulk import tables
from tfgen.errors import InputError
from tfgen.support import atomic_files
from tfgen.support.locks import Lock

_RECORD = "run.json"
_LOCK = ".lock"


class Parts:
    """The parts of one run, in a directory beside the file that they become."""

    def __init__(self, output: Path) -> None:
        """Take the file."""
        self.directory = output.with_name(f"{output.name}.parts")
        self._output = output

    @contextlib.contextmanager
    def begun(self, run: dict[str, str], overwrite: bool) -> Iterator[None]:
        """Begin a run, or go on with the same one, while no other process does.

        Args:
            run: What makes it this run: names and hashes.
            overwrite: Whether another one that was stopped there is removed.

        Raises:
            InputError: Another one was stopped there, or is at work.
        """
        self.directory.mkdir(exist_ok=True)
        try:
            lock = Lock(self.directory / _LOCK, make=True)
        except BlockingIOError:
            raise InputError(f"another process writes {str(self._output)!r} now: wait for it.") from None
        with lock:
            before = self._record()
            if before is not None and before != run:
                if not overwrite:
                    differ = next(name for name in {**run, **before} if run.get(name) != before.get(name))
                    raise InputError(
                        f"{str(self.directory)!r} holds a run that was stopped, of another {differ}",
                        [("", "give what was given then"), ("overwrite", "begin anew (--overwrite, overwrite=True)")],
                    )
                for path in self.directory.glob("*.jsonl"):
                    path.unlink()
            with atomic_files.file(self.directory / _RECORD) as new:
                new.write_text(json.dumps(run), "utf-8")
            yield

    def _record(self) -> dict[str, str] | None:
        try:
            found = json.loads((self.directory / _RECORD).read_bytes()[:10_000])
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def path(self, number: int) -> Path:
        """Give the path of a part."""
        return self.directory / f"{number:09d}.jsonl"

    def has(self, number: int) -> bool:
        """Whether a part is written."""
        return self.path(number).exists()

    def add(self, number: int, rows: list[tables.Row]) -> None:
        """Write a part, whole or not at all."""
        tables.write(self.path(number), rows)

    def join(self, count: int) -> None:
        """Make the file of all parts, and remove them."""
        tables.write(self._output, (row for number in range(count) for row in self._read(number)))
        shutil.rmtree(self.directory)

    def _read(self, number: int) -> Iterator[tables.Row]:
        with self.path(number).open(encoding="utf-8") as file:
            yield from map(json.loads, file)
