"""Rows of text in files: .txt with one a line, .jsonl, .csv and .parquet, read and written in pieces."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tfgen.errors import InputError, damage
from tfgen.support import atomic_files, plain_files, wording

Row = dict[str, Any]

READ = (".txt", ".jsonl", ".csv", ".parquet")
WRITTEN = (".jsonl", ".csv", ".parquet")
_PIECE = 1 << 12  # rows of Parquet that are held at once


def ending(path: Path, known: tuple[str, ...]) -> str:
    """Give the kind of a file by its name.

    Raises:
        InputError: It is none of those that are known.
    """
    if path.suffix not in known:
        raise InputError(f"the name of a table ends in {', '.join(known)}; received {str(path)!r}.")
    return path.suffix


def rows(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    """Give the rows of a file in order; of a .txt each line is a row with the first of the columns.

    Raises:
        InputError: The file cannot be read, or a row has no text in one of the columns.
    """
    kind = ending(path, READ)
    found = {".txt": _lines, ".jsonl": _objects, ".csv": _cells, ".parquet": _parquet}[kind](path, columns[0])
    for number, row in enumerate(found, start=1):
        for column in columns:
            if not isinstance(row.get(column), str):
                known = wording.listing([name for name, value in row.items() if isinstance(value, str)])
                raise InputError(f"row {number:,} of {str(path)!r} has no text {column!r}; its texts are {known}.")
        yield row


def _open(path: Path) -> Iterator[str]:
    try:
        file = plain_files.opened(path)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}; check the path.") from None
    with file:
        for number, line in enumerate(file, start=1):
            try:
                text = line.decode()
            except UnicodeDecodeError as error:
                raise InputError(
                    f"line {number:,} of {str(path)!r} is not UTF-8 ({error.reason}); convert it first."
                ) from None
            yield text.removeprefix("\ufeff") if number == 1 else text


def _lines(path: Path, column: str) -> Iterator[Row]:
    for line in _open(path):
        yield {column: line.removesuffix("\n").removesuffix("\r")}


def _objects(path: Path, column: str) -> Iterator[Row]:
    for number, line in enumerate(_open(path), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"line {number:,} of {str(path)!r} is not JSON: {wording.first_line(error)}.") from None
        if not isinstance(row, dict):
            raise InputError(f"line {number:,} of {str(path)!r} must be a JSON object; received {line.strip()[:40]!r}.")
        yield row


def _cells(path: Path, column: str) -> Iterator[Row]:
    yield from csv.DictReader(_open(path), restkey="", strict=True)


def _parquet(path: Path, column: str) -> Iterator[Row]:
    parquet = _of_arrow()
    with damage(lambda error: f"{str(path)!r} is no Parquet file: {wording.first_line(error)}."):
        for batch in parquet.ParquetFile(path).iter_batches(batch_size=_PIECE):
            yield from batch.to_pylist()


def _of_arrow() -> Any:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise InputError("Parquet files need another package: pip install pyarrow.") from None
    return parquet


def write(path: Path, written: Iterable[Row]) -> None:
    """Write rows to a file, whole or not at all; the columns are those of the first row.

    Raises:
        InputError: The name has another ending.
        OSError: It cannot be written.
    """
    kind = ending(path, WRITTEN)
    with atomic_files.file(path) as new:
        if kind == ".parquet":
            _write_parquet(new, written)
            return
        with new.open("w", encoding="utf-8", newline="") as file:
            if kind == ".jsonl":
                file.writelines(as_line(row) for row in written)
                return
            table = csv.writer(file, lineterminator="\n")
            for number, row in enumerate(written):
                if not number:
                    table.writerow(row)
                table.writerow(row.values())


def as_line(row: Row) -> str:
    """Give a row as a line of JSON."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def _write_parquet(path: Path, written: Iterable[Row]) -> None:
    import pyarrow

    parquet, writer, held = _of_arrow(), None, list[Row]()
    for row in written:
        held.append(row)
        if len(held) == _PIECE:
            writer = _add(parquet, pyarrow, writer, path, held)
            held = []
    if held or writer is None:
        writer = _add(parquet, pyarrow, writer, path, held)
    writer.close()


def _add(parquet: Any, pyarrow: Any, writer: Any, path: Path, held: list[Row]) -> Any:
    table = pyarrow.Table.from_pylist(held, schema=writer.schema if writer else None)
    writer = writer or parquet.ParquetWriter(path, table.schema)
    writer.write_table(table)
    return writer
