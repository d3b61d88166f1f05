"""Three countries in a list, in one of 20 languages, beside the language: "Peru, Malta och Tchad" is Swedish.

The names and the way to put them in a list are those of Unicode's CLDR, which Babel brings (BSD; the data under the
Unicode licence). All 20 languages are written in Latin letters. A quarter of the countries is held out, the same ones
in every language, so that a test list is told by how the language spells and joins, not by names learned by heart.
"""

import random
import zlib
from typing import NamedTuple

from babel import Locale
from babel.lists import format_list
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

_LANGUAGES = "ca cs da de en es et eu fi fr hu is it lt nl pl pt ro sv tr"
LANGUAGES = _LANGUAGES.split()
# Codes of two letters that name unions, leftovers and tests of software.
NO_COUNTRIES = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}


class Lists(NamedTuple):
    """Lists of countries, row by row: as they are written, the language's name in English, and the countries' codes."""

    written: list[str]
    languages: list[str]
    countries: list[tuple[str, ...]]


def countries(held_out: bool) -> list[str]:
    """Give the codes of the countries that all languages name, those that are held out or all others."""
    named = set.intersection(*(set(Locale(language).territories) for language in LANGUAGES))
    return [code for code in sorted(named - NO_COUNTRIES) if len(code) == 2 and is_held_out(code) == held_out]


def is_held_out(code: str) -> bool:
    """Whether a country is one of the quarter that no language shows in training; a hash decides, it never changes."""
    return zlib.crc32(code.encode()) % 4 == 0


def drawn(count: int, *, held_out: bool, seed: int = 0) -> Lists:
    """Draw lists of three countries and a language for each, all equally likely; the same seed draws the same lists."""
    draw, pool = random.Random(seed), countries(held_out)
    rows = [(tuple(draw.sample(pool, 3)), Locale(draw.choice(LANGUAGES))) for _ in range(count)]
    written = [format_list([locale.territories[code] for code in codes], locale=locale) for codes, locale in rows]
    return Lists(written, [locale.english_name for _, locale in rows], [codes for codes, _ in rows])


def naive_bayes(train: Lists, test: Lists) -> list[str]:
    """Tell the languages by counts of one to four characters in a row: the baseline."""
    counts = CountVectorizer(analyzer="char", lowercase=False, ngram_range=(1, 4))
    return make_pipeline(counts, MultinomialNB(alpha=0.1)).fit(train.written, train.languages).predict(test.written)
