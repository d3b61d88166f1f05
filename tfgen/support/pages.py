"""A text with the numbers behind its tokens as HTML, for notebooks: it can be read on light pages and on dark ones."""

import html
import math
from collections.abc import Iterable

# A background through which the page is seen, and the letters are the page's own: contrast is that of the page, nearly.
_HOT = "255, 110, 0"
_MOST = 0.5
_BITS_OF_MOST = 10

_TEXT = "white-space: pre-wrap; overflow-wrap: anywhere; font-family: ui-monospace, monospace; line-height: 1.6"
_CONTROL = {**{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"}, 0x7F: "\u2421"}


def escaped(text: str) -> str:
    """Make a text harmless and visible: control characters as their pictures, half characters as unknown ones.

    >>> escaped("<b>" + chr(27))
    '&lt;b&gt;␛'
    """
    return html.escape(text.translate(_CONTROL).encode("utf-8", "replace").decode("utf-8"))


def warmth(bits: float) -> str:
    """Give the background of a surprise, the stronger the more bits, up to ten.

    >>> warmth(0), warmth(5), warmth(float("inf"))
    ('', 'background: rgba(255, 110, 0, 0.25)', 'background: rgba(255, 110, 0, 0.5)')
    """
    share = min(max(bits, 0) / _BITS_OF_MOST, 1)
    return f"background: rgba({_HOT}, {round(_MOST * share, 2):g})" if share >= 0.02 else ""


def surprises(
    tokens: Iterable[str], bits: Iterable[float], notes: Iterable[str], before: str = "", after: str = ""
) -> str:
    """Colour tokens by surprise.

    Args:
        tokens: Of the text, in order.
        bits: How much each surprises, -log2 of its probability.
        notes: What is shown of each while the pointer rests on it.
        before: What stands before them, uncoloured.
        after: What stands after them.

    Returns:
        A `div`.
    """
    spans = [
        f'<span style="{warmth(each)}" title="{escaped(note)}">{_shown(token, each)}</span>'
        for token, each, note in zip(tokens, bits, notes, strict=True)
    ]
    return f'<div dir="auto" style="{_TEXT}">{escaped(before)}{"".join(spans)}{escaped(after)}</div>'


def percent(nats: float) -> str:
    """Give the probability of which this is the logarithm, in percent.

    >>> percent(math.log(0.25)), percent(-20.0)
    ('25%', '2.1e-07%')
    """
    return f"{100 * math.exp(nats):.2g}%"


def paragraph(text: str) -> str:
    """Give a line of plain text."""
    return f"<p>{escaped(text)}</p>"


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Give a table of plain texts."""
    top = "".join(f"<th>{escaped(head)}</th>" for head in heads)
    lines = ("".join(f'<td style="{_TEXT}">{escaped(cell)}</td>' for cell in row) for row in rows)
    return f"<table><tr>{top}</tr>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"


def _shown(token: str, bits: float) -> str:
    """Show a token; a line's end that surprises, by an arrow that can have a background."""
    return escaped(token).replace("\n", "\u21b5\n") if warmth(bits) else escaped(token)
