"""Dates as people write them, in 60 languages, beside the one way of ISO 8601: "5 mai 1952" is 1952-05-05.

The languages' ways are those of Unicode's CLDR, which Babel brings (BSD; the data under the Unicode licence). Two
things are kept from training. A tenth of the calendar's days is held out, the same days in every language, so that no
test date has been seen in a neighbour's words. And five languages are left out wholly.
"""

import datetime
import random
import zlib
from typing import NamedTuple

from babel.dates import format_date, parse_date

_LANGUAGES = (
    "af ar az be bg bs ca cs cy da de el en eo es et eu fa fi fil fr fy ga gd he hi hr hu hy is it ja ka kk ko ky "
    "lb lt lv mk mn ms mt nl nn pl pt ro ru sl sq sr sv sw ta th tr uz vi zh"
)
LANGUAGES = _LANGUAGES.split()
LEFT_OUT = {"sk": "Slovak", "nb": "Norwegian", "id": "Indonesian", "gl": "Galician", "uk": "Ukrainian"}
STYLES = ("long", "full", "medium")  # "5. Mai 1952", "Montag, 5. Mai 1952", "05.05.1952"; none leaves out the century
FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2049, 12, 31)


class Dates(NamedTuple):
    """Dates, row by row: as they are written, as ISO writes them, and the language."""

    written: list[str]
    iso: list[str]
    languages: list[str]


def days(held_out: bool) -> list[datetime.date]:
    """Give the calendar's days, those that are held out or all others."""
    every = (FIRST + datetime.timedelta(n) for n in range((LAST - FIRST).days + 1))
    return [day for day in every if is_held_out(day) == held_out]


def is_held_out(day: datetime.date) -> bool:
    """Whether a day is one of the tenth that no language shows in training; a hash decides, so it never changes."""
    return zlib.crc32(day.isoformat().encode()) % 10 == 0


def drawn(count: int, *, held_out: bool, languages: list[str] = LANGUAGES, seed: int = 0) -> Dates:
    """Draw dates: day, language and style are equally likely, each by itself.

    Args:
        count: How many.
        held_out: Whether from the days that are held out, or from all others.
        languages: Codes of CLDR.
        seed: The same seed draws the same dates.
    """
    draw, pool = random.Random(seed), days(held_out)
    rows = [(draw.choice(pool), draw.choice(languages), draw.choice(STYLES)) for _ in range(count)]
    written = [format_date(day, style, locale=language) for day, language, style in rows]
    return Dates(written, [day.isoformat() for day, _, _ in rows], [language for _, language, _ in rows])


def read_by_babel(written: str, language: str) -> str | None:
    """Read a date with Babel's own parser, which is told the language: ISO, or None where it gives up."""
    try:
        return parse_date(written, locale=language, format="medium").isoformat()
    except (ValueError, IndexError):  # a month in letters
        return None
