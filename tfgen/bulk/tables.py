"""Rows of text in files: .txt with one a line, .jsonl, .csv and .parquet, read and written in pieces."""

from __future__ import annotations

import codecs
import contextlib
import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tfgen.corpora import columns, files
from tfgen.errors import InputError, damage
from tfgen.support import atomic_files, plain_files, wording

Row = dict[str, Any]

READ = (".txt", ".jsonl", ".csv", ".parquet")
WRITTEN = (".jsonl", ".csv", ".parquet")
_PIECE = 1 << 12  # rows of Parquet that are held at once
_BYTES = 1 << 16  # of a file that are read at once
_HALF = re.compile("[\ud800-\udfff]")


def ending(path: Path, known: tuple[str, ...]) -> str:
    """Give the kind of a file by its name.

    Raises:
        InputError: It is none of those that are known.
    """
    if (kind := path.suffix.lower()) not in known:
        raise InputError(f"the name of a table ends in {', '.join(known)}; received {str(path)!r}.")
    return kind


def rows(path: Path, names: Sequence[str]) -> Iterator[Row]:
    """Give the rows of a file in order; of a .txt each line is a row with the one column.

    Raises:
        InputError: The file cannot be read, or a row has no text in one of the columns.
    """
    kind = ending(path, READ)
    if kind == ".txt" and len(names) > 1:
        raise InputError(f"{str(path)!r} has one text a line, and {wording.listing(names)} are read: give a table.")
    found = {".txt": _lines, ".jsonl": _objects, ".csv": _cells, ".parquet": _parquet}[kind](path, names)
    for number, row in enumerate(found, start=1):
        for column in names:
            if not isinstance(row.get(column), str):
                known = wording.listing([name for name, value in row.items() if isinstance(value, str)])
                raise InputError(f"row {number:,} of {str(path)!r} has no text {column!r}; its texts are {known}.")
        yield row


def _text(path: Path) -> Iterator[str]:
    """Give the text of a file in pieces."""
    try:
        file = plain_files.opened(path)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}; check the path.") from None
    decoder, before, is_first = codecs.getincrementaldecoder("utf-8")(), 0, True
    with file:
        while True:
            piece = file.read(_BYTES)
            before += len(piece)
            try:
                text = decoder.decode(piece, final=not piece)
            except UnicodeDecodeError as error:
                at = before - len(error.object) + error.start
                raise InputError(f"{str(path)!r} is not UTF-8 at byte {at:,}; convert it first.") from None
            if text:
                yield text.removeprefix("\ufeff") if is_first else text
                is_first = False
            if not piece:
                return


def _each_line(path: Path) -> Iterator[str]:
    lines = files.Lines(_text(path), repr(str(path)))
    for line in lines:
        lines.budget = files.LONGEST_RECORD
        yield line


def _lines(path: Path, names: Sequence[str]) -> Iterator[Row]:
    for line in _each_line(path):
        yield {names[0]: line.rstrip("\r\n")}


def _objects(path: Path, names: Sequence[str]) -> Iterator[Row]:
    for number, line in enumerate(_each_line(path), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"line {number:,} of {str(path)!r} is not JSON: {wording.first_line(error)}.") from None
        if not isinstance(row, dict):
            raise InputError(f"line {number:,} of {str(path)!r} must be a JSON object; received {line.strip()[:40]!r}.")
        if "\\" in line and _HALF.search(as_line(row)):
            raise InputError(f"line {number:,} of {str(path)!r} holds half a character, a lone surrogate; remove it.")
        yield row


def _cells(path: Path, names: Sequence[str]) -> Iterator[Row]:
    place, dialect = repr(str(path)), columns.Dialect(quoting="rfc4180")
    header: list[str] | None = None
    for line, cells in columns.cells(_text(path), ".csv", place, names, dialect):
        if header is None:
            header = cells
            if twice := [name for name, times in Counter(header).items() if times > 1]:
                raise InputError(f"{place} has more than one column {twice[0]!r}; give each a name of its own.")
        elif len(cells) != len(header):
            raise InputError(
                f"{place}, line {line:,} has {wording.number(len(cells), 'cell')}, and the first row {len(header)}; "
                "repair the row, quoting any cell that holds a delimiter or a newline."
            )
        else:
            yield dict(zip(header, cells, strict=True))


def _parquet(path: Path, names: Sequence[str]) -> Iterator[Row]:
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


def check_columns(path: Path, first: Row, row: Row, number: int) -> None:
    """Refuse a row that has a column which the first row lacks, where a file has the columns of its first row.

    Raises:
        InputError: Names the row and the column.
    """
    more = [name for name in row if name not in first]
    if more and ending(path, WRITTEN) != ".jsonl":
        raise InputError(
            f"row {number:,} has {more[0]!r}, which the first row lacks, and {str(path)!r} has the columns of that: "
            "write a .jsonl file."
        )


def write(path: Path, written: Iterable[Row]) -> None:
    """Write rows to a file, whole or not at all; the columns are those of the first row.

    Raises:
        InputError: The name has another ending, or a column of Parquet has values of several types.
        OSError: It cannot be written.
    """
    kind = ending(path, WRITTEN)
    with atomic_files.file(path) as new:
        if kind == ".parquet":
            with _one_type_each(path):
                _write_parquet(new, written)
            return
        with new.open("w", encoding="utf-8", newline="") as file:
            if kind == ".jsonl":
                file.writelines(as_line(row) for row in written)
                return
            table: csv.DictWriter[str] | None = None
            for row in written:
                if table is None:
                    table = csv.DictWriter(file, [*row], lineterminator="\n")
                    table.writeheader()
                table.writerow({name: _as_cell(value) for name, value in row.items()})


def _as_cell(value: Any) -> Any:
    """Give what holds other values as JSON, which others read."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value


def as_line(row: Row) -> str:
    """Give a row as a line of JSON."""
    return json.dumps(row, ensure_ascii=False) + "\n"


@contextlib.contextmanager
def _one_type_each(path: Path) -> Iterator[None]:
    _of_arrow()
    from pyarrow.lib import ArrowException

    try:
        yield
    except (ArrowException, OverflowError) as error:
        raise InputError(
            f"{str(path)!r} cannot be written, for a column of Parquet has one type: {wording.first_line(error)}; "
            "write a .jsonl file."
        ) from None


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
