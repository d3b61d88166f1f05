"""Columns of a table: each cell that is not blank is a document, or each row of which no cell is blank."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import enum
import itertools
import pathlib
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, Protocol, TypeAlias

from tfgen.corpora import ag_news, compressed, json_rows, line_ends
from tfgen.corpora.corpus import BLANK_ROWS, Document
from tfgen.corpora.files import LONGEST_RECORD, Lines
from tfgen.errors import InputError
from tfgen.support.wording import listing

_DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_JSON_LINES = (".jsonl", ".ndjson")
_JSON = (*_JSON_LINES, ".json")

# The first line of a table that Excel is to open; other programs fill it up to the width of the table.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)\1*"?[\r\n]*', re.IGNORECASE)
_NUMBER = re.compile(r"\s*[-+]?[0-9][0-9.,]*\s*")

_FIELD_LIMIT_LOCK = threading.Lock()


Quoting: TypeAlias = Literal["rfc4180", "none"]


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How rows are written.

    Attributes:
        delimiter: What stands between cells; None for the one of the file: its `sep=` line, or that of its ending, or
            `;` in a .csv file whose first row has no comma.
        quoting: "rfc4180": a cell in quotes may hold delimiters, newlines and doubled quotes; "none": quotes are
            characters like others; None: by the ending, rfc4180 for .csv and none for .tsv and .tab. A cell that holds
            lines shaped like rows, as after a stray quote, is an error unless rfc4180 is asked for by name.
    """

    delimiter: str | None = None
    quoting: Quoting | None = None


_BY_ENDING = Dialect()


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
    endings = (*_DELIMITERS, *_JSON)
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
    text: Iterable[str],
    ending: str,
    place: str,
    columns: Sequence[str],
    layout: Layout = ag_news,
    dialect: Dialect = _BY_ENDING,
    noticed: Counter[str] | None = None,
) -> Iterator[tuple[Document, ...]]:
    """Read several columns of a table, row by row.

    Which rows there are, and whether they can be read, does not depend on the order of the columns.

    Args:
        text: The file's text, in pieces.
        ending: The ending of its name, as `table_ending` gives it.
        place: Its name, for messages.
        columns: Names or numbers, at least one. As soon as one is a name in the first row, that row is a header.
        layout: Names the columns of a table without a header.
        dialect: How the rows of a table are written.
        noticed: Counts the rows that are left out, as `BLANK_ROWS`.

    Yields:
        The cells of each row in which none of these is blank, in the order of `columns`, each with its line number.

    Raises:
        InputError: As for `read_column`, or two of the columns are the same one.

    >>> rows = read_rows(["day,en,de\\n1,Rain,Regen\\n2,Sun,\\n"], ".csv", "days.csv", ["de", "en"])
    >>> [tuple(cell.text for cell in row) for row in rows]
    [('Regen', 'Rain')]
    """
    if ending in _JSON:
        _check_no_dialect(dialect, place)
        rows = json_rows.rows(text, place, columns, a_line=ending in _JSON_LINES)
    else:
        rows = _table_rows(text, ending, place, columns, layout, dialect)
    for line, cells in rows:
        if all(map(str.strip, cells)):
            where = f"{place}, line {line}"
            yield tuple([Document(cell, where) for cell in cells])
        elif noticed is not None:
            noticed[BLANK_ROWS] += 1


def _table_rows(
    text: Iterable[str], ending: str, place: str, columns: Sequence[str], layout: Layout, dialect: Dialect
) -> Iterator[tuple[int, list[str]]]:
    rows = cells(text, ending, place, columns, dialect)
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


def _check_no_dialect(dialect: Dialect, place: str) -> None:
    for name, value in dataclasses.asdict(dialect).items():
        if value is not None:
            raise InputError(f"{name} is for the cells of a .csv or .tsv file, and {place} holds JSON: remove it.")


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
    if header.count(column) > 1:
        numbers = " and ".join(str(index) for index, name in enumerate(header, start=1) if name == column)
        raise InputError(
            f"{place} has more than one column {column!r}, numbers {numbers}; give the number of one, and "
            "remove the first row, which is a row like others then."
        )
    if column in header:
        return header.index(column)
    others = f"or of {listing(known)}, " if known else ""
    if len(first) == 1 and (found := re.search(r"[;|\t]", first[0])):
        spelled = "tab" if found[0] == "\t" else repr(found[0])
        others += f"or what stands between its cells (delimiter={found[0]!r}, --delimiter {spelled}), "
    raise InputError(
        f"{place} has no column {column!r} in its first row, which is {listing(first)}; "
        f"give one of these names, {others}or a number from 1 to {len(first)} if there is no header."
    )


def cells(
    text: Iterable[str], ending: str, place: str, columns: Sequence[str], dialect: Dialect
) -> Iterator[tuple[int, list[str]]]:
    """Cut a table into cells, with whatever stands between them.

    Args:
        text: The file's text, in pieces.
        ending: The ending of its name, as `table_ending` gives it.
        place: Its name, for messages.
        columns: Names or numbers of columns that are looked for, by which a delimiter is distinguished from prose.
        dialect: How the rows are written.

    Yields:
        The rows that are not blank lines, the first among them, each with the number of the line it begins on.

    Raises:
        InputError: A row cannot be read.

    >>> list(cells(["a;b\\n1,5;2\\n"], ".csv", "a.csv", ["b"], Dialect()))
    [(1, ['a', 'b']), (2, ['1,5', '2'])]
    """
    lines = Lines(text, place)
    first = next(lines, "")
    separator = _SEPARATOR_LINE.fullmatch(first)
    delimiter = dialect.delimiter or (separator[1] if separator else _delimiter(first, ending, columns, place))
    quoting = dialect.quoting or ("rfc4180" if ending == ".csv" else "none")
    reader = csv.reader(
        lines if separator else itertools.chain([first], lines),
        delimiter=delimiter,
        quoting=csv.QUOTE_NONE if quoting == "none" else csv.QUOTE_MINIMAL,
        strict=True,
    )
    before = 1 if separator else 0
    line = before + 1
    while (row := next_row(reader, f"{place}, line {line}")) is not None:
        if row:
            if dialect.quoting is None:
                _check_no_rows_within(row, delimiter, f"{place}, line {line}")
            yield line, row
        lines.budget = LONGEST_RECORD
        line = before + reader.line_num + 1


def _delimiter(first: str, ending: str, columns: Sequence[str], place: str) -> str:
    """Give the delimiter of a table: that of its ending, or the semicolon where it is clear from the first line."""
    usual = _DELIMITERS[ending]
    if ending != ".csv" or ";" not in first:
        return usual
    by_comma, by_semicolon = (next_row(csv.reader([first], delimiter=each), place) or [] for each in (usual, ";"))
    names = {column for column in columns if not _is_number(column)}
    if names:
        return ";" if names <= {*by_semicolon} and not names <= {*by_comma} else usual
    is_prose = any(cell.startswith(" ") for cell in by_semicolon)
    return ";" if len(by_comma) == 1 and not is_prose else usual


def _check_no_rows_within(row: list[str], delimiter: str, place: str) -> None:
    """Refuse a cell of several lines one of which looks like a row of the table: so a stray quote swallows rows."""
    for index, cell in enumerate(row):
        if len(row) > 1 and ("\n" in cell or "\r" in cell):
            inner = line_ends.split(cell)[1 : None if index == len(row) - 1 else -1]
            if any(_is_like(row, line.split(delimiter), index) for line in inner):
                raise InputError(
                    f"{place}: a cell in quotes holds lines that look like rows of the table",
                    [
                        ("", "double a quote that is text"),
                        ("quoting", "say how the file is quoted: quoting='none' or 'rfc4180' (--quoting)"),
                    ],
                )


def _is_like(row: list[str], cells: list[str], but: int) -> bool:
    """Whether cells are as many as in a row, without a blank after a delimiter, and numbers where it has numbers."""
    if len(cells) != len(row) or not all(cells) or any(cell[0].isspace() for cell in cells[1:]):
        return False
    others = [index for index in range(len(row)) if index != but]
    return all(bool(_NUMBER.fullmatch(row[i])) == bool(_NUMBER.fullmatch(cells[i])) for i in others)


def next_row(reader: Iterator[list[str]], place: str) -> list[str] | None:
    """Give the next row of a `csv.reader`, of cells of any size; None at the end.

    Raises:
        InputError: It cannot be read; `place` says where.
    """
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
