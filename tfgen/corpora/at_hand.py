"""Texts that are in Python already: lists, and tables of other libraries, known by what they can do alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tfgen.corpora import json_rows
from tfgen.errors import InputError
from tfgen.support import wording


def texts(values: Iterable[Any], column: str | None) -> Iterator[Any]:
    """Give the texts of a column, or of a table's column of that name: None for those that are missing.

    Args:
        values: Texts; or a table, such as a `DataFrame` or a `datasets.Dataset`, or rows that are mappings.
        column: Which column of a table; of rows, `a.b` is what is under b in what is under a.

    Raises:
        InputError: It is a table and no column is named, or it has no such column.

    >>> list(texts({"title": ["Rain", None, float("nan"), "Sun"]}, "title"))
    ['Rain', None, None, 'Sun']
    """
    names = _columns(values)
    if names is not None:
        if column is None or column not in names:
            asked = "name one (column=)" if column is None else f"there is no {wording.shown(column)}"
            raise InputError(f"texts is a table of the columns {wording.listing(names)}; {asked}: column={names[0]!r}.")
        values = values[column]  # type: ignore[index]
    elif column is not None:
        values = _cells(values, column)
    for value in values:
        text = value.as_py() if hasattr(value, "as_py") else value  # a scalar of Arrow
        if isinstance(text, Mapping):
            raise InputError(
                f"texts has rows of the columns {wording.listing(map(str, text))}; name one, such as "
                f"column={next(iter(text), 'text')!r}."
            )
        yield None if _is_missing(text) else text


def _columns(values: Any) -> list[str] | None:
    """Give the names of a table's columns; None if it is no table."""
    names = list(values) if isinstance(values, Mapping) else None
    for attribute in ("column_names", "columns"):  # of `datasets` and Arrow; of pandas and Polars
        if names is None and hasattr(values, "__getitem__"):
            found = getattr(values, attribute, None)
            names = list(found) if isinstance(found, Iterable) and not isinstance(found, str) else None
    return [str(name) for name in names] if names else None


def _cells(rows: Iterable[Any], column: str) -> Iterator[Any]:
    first: Mapping[str, Any] | None = None
    is_found = False
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise InputError(f"texts has no columns: row {number} is {wording.shown(row)}; omit column=.")
        first = row if first is None else first
        value = json_rows.value_of(row, column)
        is_found = is_found or value is not json_rows.MISSING
        yield None if value is json_rows.MISSING else value
    if first is not None and not is_found:
        raise InputError(
            f"texts has no column {wording.shown(column)} in any row; the first one has "
            f"{wording.listing(map(str, first))}."
        )


def _is_missing(value: Any) -> bool:
    return value is None or type(value).__name__ == "NAType" or (isinstance(value, float) and value != value)
