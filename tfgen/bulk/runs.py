"""A file of rows to a file of answers, in this process or in several.

The rows are read twice: once to find what cannot be answered before anything is, and once in groups. In several
processes groups go to actors of Ray Data over the model, which takes only as many as are worked on, and starts an actor
anew that has died.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tfgen import model_files
from tfgen.bulk import tables
from tfgen.bulk.parts import Parts
from tfgen.bulk.requests import TOGETHER, Request, readers
from tfgen.errors import InputError, check_instance, path_of, whole_number
from tfgen.support import interrupts
from tfgen.vocabulary.vocabulary import Vocabulary

Group = tuple[int, list[tables.Row]]


def answer(
    model: str | os.PathLike[str],
    source: str | os.PathLike[str],
    output: str | os.PathLike[str],
    request: Request,
    *,
    workers: int | None = None,
    address: str | None = None,
    overwrite: bool = False,
    show: Callable[[int, int], Any] = lambda done, rows: None,
) -> int:
    """Answer each row of a file: write on from its prompt, or score its text.

    A call that was stopped goes on where it was when it is made again.

    Args:
        model: A `.keras` file.
        source: A .txt file with one text a line, or a .jsonl, .csv or .parquet file with the columns that are read.
        output: A .jsonl, .csv or .parquet file: the rows of the source, in their order, with the answers as columns.
        request: What is asked for.
        workers: In how many processes, with Ray; None works in this one. The answers are the same.
        address: Of a Ray that is there; None starts one here.
        overwrite: Whether a file of that name, or another run that was stopped, is replaced.
        show: Called with the number of rows that are done, and of all.

    Returns:
        How many rows there are.

    Raises:
        InputError: A file cannot be used, a row cannot be answered, or `output` exists.
        OSError: A file cannot be written; what was there before is unharmed.
    """
    workers = None if workers is None else whole_number("workers", workers, 1)
    return Run(model, source, output, request, overwrite).answer(workers, address, show)


class Run:
    """Rows of a file, each of which can be answered, as was seen without TensorFlow; arguments as of `answer`."""

    def __init__(
        self,
        model: str | os.PathLike[str],
        source: str | os.PathLike[str],
        output: str | os.PathLike[str],
        request: Request,
        overwrite: bool,
    ) -> None:
        """Look at all that is given.

        Raises:
            InputError: A file cannot be used, a row cannot be answered, or `output` exists.
        """
        self._model, self._source = path_of("model", model), path_of("source", source)
        self._output, self._overwrite = path_of("output", output), overwrite
        check_instance("request", request, Request, "a tfgen.bulk.Request")
        self._request = request
        tables.ending(self._output, tables.WRITTEN)
        if not self._output.parent.is_dir():
            raise InputError(f"there is no directory {str(self._output.parent)!r}: make it, or choose another place.")
        if self._output.exists() and not overwrite:
            raise InputError(
                f"{str(self._output)!r} exists",
                [("", "choose another name"), ("overwrite", "replace it (--overwrite, overwrite=True)")],
            )
        self._count = _checked(self._source, self._output, request, readers(self._model, request))

    def answer(self, workers: int | None, address: str | None, show: Callable[[int, int], Any]) -> int:
        """Answer what is left of them."""
        request, count = self._request, self._count
        run = {"model": _hash(self._model), "source": _hash(self._source), "request": request.fingerprint()}
        parts, groups = Parts(self._output), -(-count // TOGETHER)
        with parts.begun(run, self._overwrite):
            waiting = [number for number in range(groups) if not parts.has(number)]
            done = count - _rows_of(waiting, count)
            show(done, count)
            if waiting:
                wanted = set(waiting)
                left = (group for group in _grouped(self._source, request) if group[0] in wanted)
                given = self._model, request, left
                for number, rows in _here(*given) if workers is None else _there(*given, workers, address):
                    parts.add(number, rows)
                    done += len(rows)
                    show(done, count)
                    interrupts.check()
            parts.join(groups)
        return count


def _rows_of(groups: list[int], count: int) -> int:
    return sum(min(TOGETHER, count - number * TOGETHER) for number in groups)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _grouped(source: Path, request: Request) -> Iterator[Group]:
    every = tables.rows(source, request.columns)
    return enumerate(iter(lambda: [*itertools.islice(every, TOGETHER)], []))


def _checked(source: Path, output: Path, request: Request, known: dict[str, Vocabulary]) -> int:
    """Count the rows, and refuse those that cannot be answered, or written."""
    count, first = 0, None
    for _, rows in _grouped(source, request):
        request.check(known, rows, count)
        first = first or rows[0]
        for number, row in enumerate(rows, start=count + 1):
            tables.check_columns(output, first, row, number)
        count += len(rows)
    if not count:
        raise InputError(f"{str(source)!r} has no row; give a text a row.")
    return count


class Answering:
    """The model of a file, which answers groups of rows."""

    def __init__(self, model: Path | bytes, request: Request) -> None:
        """Load the model, of which another machine has no file but its content."""
        if isinstance(model, bytes):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.keras")
                path.write_bytes(model)
                self._writer: Any = model_files.load(path).writer
        else:
            self._writer = model_files.load(model).writer
        self._request = request

    def rows(self, rows: Sequence[tables.Row], numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Answer rows (R,) with their numbers."""
        return self._request.answers(self._writer, rows, numbers)

    def group(self, group: Group) -> Group:
        """Add the answers to the rows of a group."""
        number, rows = group
        first = number * TOGETHER
        answers = self.rows(rows, range(first, first + len(rows)))
        return number, [{**row, **of_row} for row, of_row in zip(rows, answers, strict=True)]


def _here(model: Path, request: Request, groups: Iterator[Group]) -> Iterator[Group]:
    answering = Answering(model, request)
    for group in groups:
        yield answering.group(group)


def _there(
    model: Path, request: Request, groups: Iterator[Group], workers: int, address: str | None
) -> Iterator[Group]:
    from tfgen.bulk import ray_data
    from tfgen.machines import cluster

    # One process more than actors, for what reads and writes beside them.
    with cluster.connected(workers + 1, address, threads=1):
        yield from ray_data.answered(groups, model.read_bytes(), request, workers)
