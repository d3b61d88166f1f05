"""The form of a text: Unicode normalisation and lower case, which a text may be brought into before it is learned."""

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
        text = unicodedata.normalize(normalize, text)
    if not lower:
        return text
    text = text.replace("\u03a3", "\u03c3").lower()
    return text if normalize is None else unicodedata.normalize(normalize, text)


def named(normalize: Form | None, lower: bool) -> str:
    """Name a form in a message.

    >>> named("NFC", True)
    'NFC and lower case'
    """
    return " and ".join([*([normalize] if normalize else []), *(["lower case"] if lower else [])])
