"""What may be done to a text before it is learned. Nothing happens unless it is asked for."""

from __future__ import annotations

import html
import html.entities
import re
from collections.abc import Callable

from tfgen.corpora import ag_news
from tfgen.errors import InputError

_REFERENCE = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")

_LINE = r"(?:\A|(?<=[\r\n]))"  # the beginning of one
_GUTENBERG_START = re.compile(
    _LINE + r"\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG.{0,400}?\*\*\*[^\r\n]*(?:\r\n|\n|\r)", re.S
)
_GUTENBERG_END = re.compile(_LINE + r"\*\*\* ?END OF TH(?:E|IS) PROJECT GUTENBERG")


def unescape(text: str, repair: Callable[[str], str] = ag_news.repaired) -> str:
    """Turn HTML's character references back into the characters they stand for.

    References escaped twice (`&amp;lt;`) are resolved. A reference must be closed by a semicolon, so that `AT&T` and
    `?a=1&copy=2` stay. Tags stay too: they are text once unescaped. A reference that stands for no character (`&#3;`,
    `&nothing;`) is left as it is.

    Args:
        text: Any text.
        repair: Repairs damaged references first; by default those of AG News, which have lost their ampersand.

    Returns:
        The text with its references resolved.

    >>> unescape("Sun doesn #39;t set on J amp;J &lt;b&gt;...&lt;/b&gt; &amp;quot;yet&amp;quot;")
    'Sun doesn\\'t set on J&J <b>...</b> "yet"'
    """
    once = _REFERENCE.sub(_resolve, repair(text))
    return _REFERENCE.sub(_resolve, once)


def _resolve(match: re.Match[str]) -> str:
    reference = match.group()
    if reference[1] == "#":
        digits = reference[2:-1].lstrip("xX0")
        # `html.unescape` gives nothing, or U+FFFD, for what HTML forbids, and fails on thousands of digits.
        character = html.unescape(reference) if len(digits) <= 7 else ""
        return reference if character in ("", "\ufffd") else character
    return html.entities.html5.get(reference[1:], reference)


def strip_gutenberg(text: str, place: str) -> str:
    """Cut a Project Gutenberg eBook to what lies between its START and END lines.

    Args:
        text: The eBook, with its header and licence.
        place: Where it comes from, for the message.

    Returns:
        The text between the line that begins `*** START OF` and the one that begins `*** END OF`.

    Raises:
        InputError: A marker line is missing.

    >>> book = "Title: X" + chr(10) + "*** START OF THE PROJECT GUTENBERG EBOOK X ***" + chr(10) + "Once." + chr(10)
    >>> strip_gutenberg(book + "*** END OF THE PROJECT GUTENBERG EBOOK X ***", "x.txt")
    'Once.\\n'
    """
    start = _GUTENBERG_START.search(text)
    end = _GUTENBERG_END.search(text, start.end()) if start else None
    if start is None or end is None:
        missing = "START" if start is None else "END"
        raise InputError(
            f"{place} has no line that begins '*** {missing} OF THE PROJECT GUTENBERG EBOOK'",
            [
                ("strip_gutenberg", "remove strip_gutenberg (--strip-gutenberg)"),
                ("", "download the whole plain text eBook"),
            ],
        )
    return text[start.end() : end.start()]
