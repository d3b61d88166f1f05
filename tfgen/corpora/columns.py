"""Columns of a table: each cell that is not blank is a document, or each row of which no cell is blank."""

from __future__ import annotations

import contextlib
import csv
import enum
import json
import pathlib
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from tfgen.corpora import ag_news, compressed
from tfgen.corpora.corpus import Document
from tfgen.corpora.files import LONGEST_RECORD, Lines
from tfgen.errors import InputError
from tfgen.support.wording import listing

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_JSON_LINES = (".jsonl", ".ndjson")

_FIELD_LIMIT_LOCK = threading.Lock()


class Layout(Protocol):
    """A table that is published without a header row, though its columns have names; `ag_news` is one."""

    def columns(self, first: Sequence[str], /) -> Sequence[str]:
        """Name the columns of a table that begins with this row; give none if it is another table."""

    def fault(self, row: Sequence[str], /) -> str:
        """Say how a row shows that its table is another one; an empty string if it does not."""


def table_ending(path: pathlib.Path | None, place: str) -> str:
    """Recognise the format of a table by the ending of its name.

    Args:
        path: The file, or None for standard input, which has no ending.
        place: What to call it in the message.

    Returns:
        The ending, in lower case.

    Raises:
        InputError: It is not one that columns are read from.

    >>> table_ending(pathlib.Path("News.CSV"), "'News.CSV'")
    '.csv'
    """
    ending = "" if path is None else compressed.uncompressed_name(path).suffix.lower()
    endings = (*_DELIMITERS, *_JSON_LINES)
    if ending not in endings:
        raise InputError(f"a column cannot be read from {place}; use a file that ends in {', '.join(endings)}.")
    return ending


def read_column(
    text: Iterable[str], ending: str, place: str, column: str, layout: Layout = ag_news
) -> Iterator[Document]:
    """Read one column of a table.

    Args:
        text: The file's text, in pieces.
        ending: The ending of its name, as `table_ending` gives it.
        place: Its name, for messages.
        column: Name or number of the column, as described in `load_corpus`.
        layout: Names the columns of a table without a header.

    Yields:
        The cells that are not blank, each with its line number.

    Raises:
        InputError: No such column, or a row that cannot be read, with its line number.

    >>> [cell.text for cell in read_column(["id,title\\n1,Rain\\n2,Sun\\n"], ".csv", "news.csv", "title")]
    ['Rain', 'Sun']
    """
    for (cell,) in read_rows(text, ending, place, [column], layout):
        yield cell


def read_rows(
    text: Iterable[str], ending: str, place: str, columns: Sequence[str], layout: Layout = ag_news
) -> Iterator[tuple[Document, ...]]:
    """Read several columns of a table, row by row.

    Which rows there are, and whether they can be read, does not depend on the order of the columns.

    Args:
        text: The file's text, in pieces.
        ending: The ending of its name, as `table_ending` gives it.
        place: Its name, for messages.
        columns: Names or numbers, at least one. As soon as one is a name in the first row, that row is a header.
        layout: Names the columns of a table without a header.

    Yields:
        The cells of each row in which none of these is blank, in the order of `columns`, each with its line number.

    Raises:
        InputError: As for `read_column`, or two of the columns are the same one.

    >>> rows = read_rows(["day,en,de\\n1,Rain,Regen\\n2,Sun,\\n"], ".csv", "days.csv", ["de", "en"])
    >>> [tuple(cell.text for cell in row) for row in rows]
    [('Regen', 'Rain')]
    """
    if ending in _JSON_LINES:
        rows = _json_rows(text, place, columns)
    else:
        rows = _table_rows(text, _DELIMITERS[ending], place, columns, layout)
    for line, cells in rows:
        if all(map(str.strip, cells)):
            where = f"{place}, line {line}"
            yield tuple([Document(cell, where) for cell in cells])


def _table_rows(
    text: Iterable[str], delimiter: str, place: str, columns: Sequence[str], layout: Layout
) -> Iterator[tuple[int, list[str]]]:
    rows = _rows(text, delimiter, place)
    line, first = next(rows, (1, []))
    if not first:
        return
    indices, found = _locate(columns, first, place, layout)
    last, width = max(indices), len(first)
    if found is not _Found.BY_HEADER:
        yield line, [first[index] for index in indices]
    for line, row in rows:
        if found is _Found.BY_LAYOUT and (fault := layout.fault(row)):
            raise InputError(
                f"{place}, line {line} {fault}, so that its columns have no names; give the number of one, from 1 to "
                f"{len(first)}."
            )
        # A row longer than the first has, most often, an unquoted delimiter in its text: the cell would be cut short.
        if not last < len(row) <= width:
            raise InputError(
                f"{place}, line {line} has {len(row)} cells where the first row has {width}; "
                "repair the row, quoting any cell that holds a delimiter or a newline."
            )
        yield line, [row[index] for index in indices]


class _Found(enum.Enum):
    """By what columns were found."""

    BY_NUMBER = enum.auto()
    BY_HEADER = enum.auto()
    BY_LAYOUT = enum.auto()


def _locate(columns: Sequence[str], first: list[str], place: str, layout: Layout) -> tuple[list[int], _Found]:
    """Find columns by their numbers or names, and give their indices."""
    names = [column for column in columns if not _is_number(column)]
    known = layout.columns(first)
    if not names:
        found, header = _Found.BY_NUMBER, []
    elif any(name in known and name not in first for name in names):
        found, header = _Found.BY_LAYOUT, [*known]
    else:
        found, header = _Found.BY_HEADER, first
    indices = [
        _by_number(column, first, place) if _is_number(column) else _by_name(column, header, first, known, place)
        for column in columns
    ]
    if len({*indices}) < len(indices):
        raise InputError(f"{place} has one and the same column for {listing(columns)}; give two different ones.")
    return indices, found


def _is_number(column: str) -> bool:
    return re.fullmatch("[0-9]+", column) is not None


def _by_number(column: str, first: list[str], place: str) -> int:
    if len(column) > 6 or not 1 <= int(column) <= len(first):
        raise InputError(f"{place} has no column {column[:12]}; its columns are numbered 1 to {len(first)}.")
    return int(column) - 1


def _by_name(column: str, header: list[str], first: list[str], known: Sequence[str], place: str) -> int:
    if column in header:
        return header.index(column)
    others = f"or of {listing(known)}, " if known else ""
    raise InputError(
        f"{place} has no column {column!r} in its first row, which is {listing(first)}; "
        f"give one of these names, {others}or a number from 1 to {len(first)} if there is no header."
    )


def _rows(text: Iterable[str], delimiter: str, place: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank lines, each with the number of the line it begins on."""
    lines = Lines(text, place)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = 1
    while (row := _next_row(reader, f"{place}, line {line}")) is not None:
        if row:
            yield line, row
        lines.budget = LONGEST_RECORD
        line = reader.line_num + 1


def _next_row(reader: Iterator[list[str]], place: str) -> list[str] | None:
    try:
        with _fields_of_any_size():
            return next(reader, None)
    except csv.Error as error:
        advice = "quote cells that hold quotes, delimiters or newlines, doubling the quotes inside"
        raise InputError(f"{place}: {error}; {advice}.") from error


@contextlib.contextmanager
def _fields_of_any_size() -> Iterator[None]:
    """Lift the csv module's limit of 131,072 characters a cell.

    The limit is the whole process's, so it is lifted for one row at a time: a generator that held it while suspended
    would leave it lifted, and locked, for as long as a traceback keeps the generator alive.
    """
    with _FIELD_LIMIT_LOCK:
        before = csv.field_size_limit(LONGEST_RECORD)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _json_rows(text: Iterable[str], place: str, columns: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    lines = Lines(text, place)
    for number, line in enumerate(lines, start=1):
        lines.budget = LONGEST_RECORD
        if line.strip():
            record = _json_record(line, f"{place}, line {number}")
            yield number, [_json_cell(record, f"{place}, line {number}", column) for column in columns]


def _json_record(line: str, place: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        message = f"{place} is not JSON: {error.msg} at column {error.colno}; each line must be one JSON object."
        raise InputError(message) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of brackets
        raise InputError(f"{place} is JSON too deep or too long to read; remove that line.") from error
    if not isinstance(record, dict):
        raise InputError(f"{place} holds a JSON {type(record).__name__}; each line must be one JSON object.")
    return record


def _json_cell(record: dict[str, Any], place: str, column: str) -> str:
    if column not in record:
        raise InputError(f"{place} has no column {column!r}; it has {listing(record)}.")
    value = record[column]
    if not isinstance(value, str):
        kind = "null" if value is None else type(value).__name__
        raise InputError(f"{place}: column {column!r} is {kind}, not a string; use a column of strings.")
    return value
