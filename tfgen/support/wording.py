"""How tokens, names and numbers are put into messages, each on one line and never too long."""

import itertools
import re
from collections.abc import Iterable


def name(token: object) -> str:
    """Name a token in an error message, on one line: a character with its code point."""
    return f"{shown(token)} (U+{ord(token):04X})" if isinstance(token, str) and len(token) == 1 else shown(token)


def shown(value: object, longest: int = 80) -> str:
    """Show a value that was received, on one line: by its type if it has no text but its address in memory.

    >>> shown("nine"), shown(None), shown(print), shown([object()])
    ("'nine'", 'None', 'builtin_function_or_method', 'list')
    """
    try:
        text = re.sub(r"\s*\n\s*", " ", repr(value))
    except Exception:  # whose class is not ours: an integer of thousands of digits has none either
        text = ""
    private = not text or (text.startswith("<") and not isinstance(value, type)) or " at 0x" in text
    return type(value).__name__ if private else shorten(text, longest)


def clause(error: object) -> str:
    """Give a message without its full stop, to stand inside another.

    >>> clause(ValueError("it is empty."))
    'it is empty'
    """
    return str(error).removesuffix(".")


def first_line(error: object) -> str:
    """Give the first line of a message that others have written, short, and without its full stop.

    >>> first_line(ValueError("it is empty.\\nsee elsewhere"))
    'it is empty'
    """
    lines = str(error).strip().splitlines()
    return shorten(clause(lines[0]) if lines else type(error).__name__, 200)


def number(count: int, noun: str, nouns: str = "") -> str:
    """Give a number with its noun, in the plural but for 1."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {nouns or f'{noun}s'}"


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
