"""What is peculiar to AG News as it was published: a table without a header, and references without their ampersand."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tfgen.support.wording import shorten

# Anyone who has read its description knows the columns by these names. A table is taken for it as long as each row
# begins with one of its classes.
_COLUMNS = ("class", "title", "description")
_CLASSES = ("1", "2", "3", "4")

# The ampersand of most references was turned into a space ("doesn #39;t", "J amp;J"). A number after a hash tells such
# a reference by itself; a name does only where the space (or the beginning) stands before it, because "stamp;" is a
# word. Numbers below 32 are control characters, which nobody wrote as a reference: "No. #9;".
_NUMBER_WITHOUT_AMPERSAND = re.compile(r"(?: |(?<!&)(?<!&amp;))#(0*(?:3[2-9]|[4-9][0-9]|[1-9][0-9]{2,4}));")
_NAME_WITHOUT_AMPERSAND = re.compile(r"(?:^| )(amp|quot|apos|lt|gt|nbsp|hellip);")


def columns(first: Sequence[str]) -> Sequence[str]:
    """Name the columns of a table that begins with this row; give none if it is another table.

    >>> columns(["3", "Rain", "It rains."])
    ('class', 'title', 'description')
    """
    return _COLUMNS if len(first) == len(_COLUMNS) and first[0] in _CLASSES else ()


def fault(row: Sequence[str]) -> str:
    """Say how a row shows that its table is another one; an empty string if it does not.

    >>> fault(["5", "Rain", "It rains."])
    "begins with '5', which is no class of AG News (1 to 4)"
    """
    return "" if row[0] in _CLASSES else f"begins with {shorten(repr(row[0]))}, which is no class of AG News (1 to 4)"


def repaired(text: str) -> str:
    """Give references their ampersand back, in the place of the space that took it.

    >>> repaired("Sun doesn #39;t set on J amp;J")
    'Sun doesn&#39;t set on J&amp;J'
    """
    return _NUMBER_WITHOUT_AMPERSAND.sub(r"&#\1;", _NAME_WITHOUT_AMPERSAND.sub(r"&\1;", text))
