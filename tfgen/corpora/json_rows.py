"""Rows of JSON: an object a line, or one after another, or all of them in an array."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tfgen.corpora import files, line_ends
from tfgen.corpora.files import Lines
from tfgen.errors import InputError
from tfgen.support.wording import listing

_BLANK = " \t\r\n"
_BLANKS = re.compile(f"[{_BLANK}]*")
_LONGEST_WORD = len("-Infinity")  # and so many characters before the end of a cut one an error may be named


def rows(text: Iterable[str], place: str, columns: Sequence[str], a_line: bool) -> Iterator[tuple[int, list[str]]]:
    """Read some keys of each object.

    Args:
        text: The file's text, in pieces.
        place: Its name, for messages.
        columns: The keys; `a.b` is key b of the object under key a, where there is no key `a.b`.
        a_line: Whether each line is an object; else objects follow on one another, or stand in an array.

    Yields:
        The line number of each object, and its cells: an empty one where it has null, or no such key.

    Raises:
        InputError: It is no such JSON, a cell is no string, or no object has a key.

    >>> list(rows(['[{"a": {"b": "Rain"}}, ', '{"a": null}]'], "a.json", ["a.b"], a_line=False))
    [(1, ['Rain']), (1, [''])]
    """
    found: set[str] = set()
    first: dict[str, Any] | None = None
    for number, record in _each_line(text, place) if a_line else _each_object(text, place):
        first = record if first is None else first
        values = [value_of(record, column) for column in columns]
        found.update(column for column, value in zip(columns, values, strict=True) if value is not MISSING)
        where = f"{place}, line {number}"
        yield number, [_cell(value, where, column) for column, value in zip(columns, values, strict=True)]
    for column in columns:
        if first is not None and column not in found:
            raise InputError(f"{place} has no column {column!r} in any row; the first one has {listing(first)}.")


MISSING = object()


def value_of(record: Mapping[str, Any], column: str) -> Any:
    """Give what an object has under a key, or under a path of keys, such as `a.b`; `MISSING` if it has none.

    >>> value_of({"a": {"b": "Rain"}}, "a.b"), value_of({"a": None}, "a.b"), value_of({"a": 1}, "a.b") is MISSING
    ('Rain', None, True)
    """
    if column in record:
        return record[column]
    value: Any = record
    for key in column.split("."):
        if value is None:
            return None
        if not isinstance(value, Mapping) or key not in value:
            return MISSING
        value = value[key]
    return value


def _cell(value: Any, place: str, column: str) -> str:
    if value is None or value is MISSING:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):  # a label is often a number: 3 is "3"
        return str(value)
    if not isinstance(value, str):
        kind = type(value).__name__
        raise InputError(
            f"{place}: column {column!r} is {kind}, neither a string nor a whole number; use another column."
        )
    return value


def _each_line(text: Iterable[str], place: str) -> Iterator[tuple[int, dict[str, Any]]]:
    lines = Lines(text, place)
    for number, line in enumerate(lines, start=1):
        lines.budget = files.LONGEST_RECORD
        if line.strip():
            where = f"{place}, line {number}"
            yield number, _object(_parsed(line, where), where, "each line must be one JSON object")


def _parsed(line: str, place: str) -> Any:
    if line.startswith("\ufeff"):
        raise InputError(
            f"{place} begins with a byte order mark (U+FEFF), as where files were joined; remove the character."
        )
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        message = f"{place} is not JSON: {error.msg} at column {error.colno}; each line must be one JSON object."
        raise InputError(message) from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; thousands of brackets
        raise InputError(f"{place} is JSON too deep or too long to read; remove that line.") from error


def _object(value: Any, place: str, rule: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{place} holds a JSON {type(value).__name__}; {rule}.")
    return value


def _each_object(text: Iterable[str], place: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reading = _Objects(text, place)
    in_array = reading.next() == "["
    if in_array:
        reading.skip()
    while (begins := reading.next()) and not (in_array and begins == "]"):
        line, value = reading.value()
        yield line, _object(value, f"{place}, line {line}", "a JSON file must hold an array of objects")
        if in_array and reading.next() == ",":
            reading.skip()
        elif in_array and reading.next() != "]":
            raise InputError(f"{place}, line {reading.line} is not JSON: ',' or ']' is missing; check the file.")
    if in_array and not begins:
        raise InputError(f"{place} is not JSON: it ends inside the array; check whether the file is complete.")
    if in_array:
        reading.skip()
        if reading.next():
            where = f"{place}, line {reading.line}"
            raise InputError(f"{where} is not JSON: there is more after the array; check the file.")


class _Objects:
    """A text of JSON values that comes in pieces; `line` is the line at which it stands."""

    def __init__(self, text: Iterable[str], place: str) -> None:
        self.line = 1
        self._pieces = iter(line_ends.unified_pieces(text))
        self._place = place
        self._held, self._at = "", 0
        self._decoder = json.JSONDecoder()

    def next(self) -> str:
        """Give the next character that is not blank, and stay before it; an empty string at the end."""
        while True:
            end = _BLANKS.match(self._held, self._at).end()  # type: ignore[union-attr]
            self.line += self._held.count("\n", self._at, end)
            self._at = end
            if self._at < len(self._held):
                return self._held[self._at]
            if not self._more():
                return ""

    def skip(self) -> None:
        """Go on by a character."""
        self.line += self._held[self._at] == "\n"
        self._at += 1

    def value(self) -> tuple[int, Any]:
        """Read a value, and give the line on which it begins too."""
        while True:
            try:
                value, end = self._decoder.raw_decode(self._held, self._at)
            except json.JSONDecodeError as error:
                # It may be that only a part of it is here yet; so much more is read that it is not parsed too often.
                if self._is_at_end(error) and self._more(len(self._held) - self._at):
                    continue
                line = self.line + self._held.count("\n", self._at, error.pos)
                raise InputError(f"{self._place}, line {line} is not JSON: {error.msg}; check the file.") from error
            except (ValueError, RecursionError) as error:
                where = f"{self._place}, line {self.line}"
                raise InputError(f"{where} is JSON too deep or too long to read; remove that row.") from error
            begins = self.line
            self.line += self._held.count("\n", self._at, end)
            self._at = end
            return begins, value

    def _is_at_end(self, error: json.JSONDecodeError) -> bool:
        """Whether what is wrong with the value may be that the text ends too early."""
        is_cut = error.msg.startswith("Unterminated string")
        return is_cut or error.pos + _LONGEST_WORD >= len(self._held.rstrip(_BLANK))

    def _more(self, least: int = 1) -> bool:
        """Read on by so many characters, or as many as are left."""
        pieces, length = [self._held[self._at :]], 0
        while length < least and (piece := next(self._pieces, "")):
            pieces.append(piece)
            length += len(piece)
            if len(pieces[0]) + length > files.LONGEST_RECORD + len(piece):
                raise InputError(files.too_long(self._place))
        self._held, self._at = "".join(pieces), 0
        return length > 0
