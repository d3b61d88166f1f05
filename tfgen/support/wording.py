"""How tokens, names and numbers are put into messages, each on one line and never too long."""

import itertools
import re
from collections.abc import Iterable

_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+|^<(built-in |function|bound method)")


def name(token: object) -> str:
    """Name a token in an error message, on one line: a character with its code point."""
    shown = shorten(repr(token))
    return f"{shown} (U+{ord(token):04X})" if isinstance(token, str) and len(token) == 1 else shown


def described(value: object, longest: int = 80) -> str:
    """Show what was received, on one line: its repr, but for what has an address in it, of which the type says more.

    >>> described("a"), described(len), described(object())
    ("'a'", 'a builtin_function_or_method', 'an object')
    """
    text = " ".join(repr(value).split())
    kind = type(value).__name__
    if _ADDRESS.search(text):
        return f"{'an' if kind[0] in 'aeiouAEIOU' else 'a'} {kind}"
    return shorten(text, longest)


def number(count: int, noun: str) -> str:
    """Give a number with its noun, in the plural but for 1."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def listed(items: Iterable[str], most: int) -> str:
    """Join the first items with commas; dots stand for the others."""
    first = list(itertools.islice(items, most + 1))
    return ", ".join([*first[:most], "..."] if len(first) > most else first)


def shorten(text: str, longest: int = 80) -> str:
    """Cut a text that is too long for a message."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def listing(names: Iterable[str], most: int = 8, width: int = 40) -> str:
    """Quote some names in one line, however many and however long they are.

    >>> listing(["title", "body", "date"], most=2)
    "'title', 'body' and 1 more"
    """
    every = list(names)
    quoted = [repr(name if len(name) <= width else name[: width - 3] + "...") for name in every[:most]]
    rest = len(every) - len(quoted)
    return (", ".join(quoted) or "nothing") + (f" and {rest} more" if rest else "")
