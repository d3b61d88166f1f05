"""What may be done to a text before it is learned. Nothing happens unless it is asked for."""

from __future__ import annotations

import html
import html.entities
import re

from tfgen.errors import InputError

_REFERENCE = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")

# AG News was published with the ampersand of most references turned into a space ("doesn #39;t", "J amp;J"). A number
# after a hash tells such a reference by itself; a name does only where the space (or the beginning) stands before it,
# because "stamp;" is a word. Numbers below 32 are control characters, which nobody wrote as a reference: "No. #9;".
_NUMBER_WITHOUT_AMPERSAND = re.compile(r"(?: |(?<!&)(?<!&amp;))#(0*(?:3[2-9]|[4-9][0-9]|[1-9][0-9]{2,4}));")
_NAME_WITHOUT_AMPERSAND = re.compile(r"(?:^| )(amp|quot|apos|lt|gt|nbsp|hellip);")

_GUTENBERG_START = re.compile(r"^\*\*\* ?START OF TH(?:E|IS) PROJECT GUTENBERG.{0,400}?\*\*\*[^\n]*\n", re.M | re.S)
_GUTENBERG_END = re.compile(r"^\*\*\* ?END OF TH(?:E|IS) PROJECT GUTENBERG", re.M)


def unescape(text: str) -> str:
    """Turn HTML's character references back into the characters they stand for.

    References escaped twice (`&amp;lt;`) are resolved, and references that have lost their ampersand, as in AG News,
    are repaired first, with the space that took its place. A reference must be closed by a semicolon, so that
    `AT&T` and `?a=1&copy=2` stay. Tags stay too: they are text once unescaped. A reference that stands for no
    character (`&#3;`, `&nothing;`) is left as it is.

    Args:
        text: Any text.

    Returns:
        The text with its references resolved.

    >>> unescape("Sun doesn #39;t set on J amp;J &lt;b&gt;...&lt;/b&gt; &amp;quot;yet&amp;quot;")
    'Sun doesn\\'t set on J&J <b>...</b> "yet"'
    """
    text = _NAME_WITHOUT_AMPERSAND.sub(r"&\1;", text)
    text = _NUMBER_WITHOUT_AMPERSAND.sub(r"&#\1;", text)
    once = _REFERENCE.sub(_resolve, text)
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
            f"{place} has no line that begins '*** {missing} OF THE PROJECT GUTENBERG EBOOK'; "
            "leave strip_gutenberg (--strip-gutenberg) away, or download the plain text eBook whole"
        )
    return text[start.end() : end.start()]
