"""The form of a text: Unicode normalisation and lower case, which a text may be brought into before it is learned."""

import functools
import itertools
import re
import unicodedata
from typing import Literal, TypeAlias

Form: TypeAlias = Literal["NFC", "NFD", "NFKC", "NFKD"]
FORMS = ("NFC", "NFD", "NFKC", "NFKD")


def in_form(text: str, normalize: Form | None, lower: bool) -> str:
    """Bring a text into a form; in that form already, it stays as it is.

    Each character is made lower by itself, so that a text can be cut: a sigma is the same one wherever it stands.

    Args:
        text: Any text.
        normalize: A normalisation form, see `unicodedata.normalize`; None for none.
        lower: Whether to make it lower case.

    >>> in_form("\u039f\u03a3, Zoe\u0308", "NFC", True)
    '\u03bf\u03c3, zo\xeb'
    """
    if normalize is not None:
        text = _normalized(text, normalize)
    if not lower:
        return text
    text = text.replace("\u03a3", "\u03c3").lower()
    return text if normalize is None else _normalized(text, normalize)


def _normalized(text: str, normalize: Form) -> str:
    """Normalise a text in a time that is linear in it.

    `unicodedata` sorts the marks on a letter by inserting one after another, in the square of their number. What is
    sorted already takes it no time, and sorting marks changes no form of a text.
    """
    apart: Form = "NFD" if normalize in ("NFC", "NFD") else "NFKD"
    marks = frozenset() if text.isascii() else _marks(apart)
    # Of a hundred characters in a row two are looked at.
    if marks and any(one in marks and other in marks for one, other in itertools.pairwise(text[::50])):
        text = re.sub(f"[{''.join(marks)}]{{100,}}", lambda run: _in_order(run[0], apart), text)
    return unicodedata.normalize(normalize, text)


def _in_order(marks: str, apart: Form) -> str:
    """Take marks apart, as a form does first, and put them into its order."""
    every = "".join(unicodedata.normalize(apart, mark) for mark in marks)
    return "".join(sorted(every, key=unicodedata.combining))


@functools.cache
def _marks(apart: Form) -> frozenset[str]:
    """Give the characters that are marks alone when they are taken apart in this form."""
    every = map(chr, range(0x300, 0x20000))  # those beyond are ideographs, or unassigned
    some = [each for each in every if unicodedata.combining(each) or unicodedata.decomposition(each)]
    return frozenset(each for each in some if all(map(unicodedata.combining, unicodedata.normalize(apart, each))))


def named(normalize: Form | None, lower: bool) -> str:
    """Name a form in a message.

    >>> named("NFC", True)
    'NFC and lower case'
    """
    return " and ".join([*([normalize] if normalize else []), *(["lower case"] if lower else [])])
