"""A text in colours: the hotter a piece, the less it was expected."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tfgen.cli import terminal

if TYPE_CHECKING:
    from rich.text import Text


class Heat(NamedTuple):
    """A step of the scale: its colours, and the bits it begins at."""

    bits: float
    style: str


# Backgrounds, for a space or the end of a line can surprise too; of middling brightness, for dark and light terminals.
# Two bits are a quarter of the probability: 1/4, 1/16, 1/64, 1/256, 1/1024, 1/4096.
SCALE = (
    Heat(0, ""),
    Heat(2, "color(231) on color(24)"),  # blue
    Heat(4, "color(231) on color(29)"),  # green
    Heat(6, "color(16) on color(178)"),  # gold
    Heat(8, "color(16) on color(208)"),  # orange
    Heat(10, "color(231) on color(160)"),  # red
    Heat(12, "color(231) on color(127)"),  # magenta
)


def style_of(bits: float | None) -> str:
    """Give the colours of a surprise; None, for what was not scored, is dim.

    >>> style_of(0.5), style_of(3)
    ('', 'color(231) on color(24)')
    """
    if bits is None:
        return "dim"
    return [heat.style for heat in SCALE if heat.bits <= bits or not heat.bits][-1]


def legend() -> Text:
    """Say which colours are how many bits."""
    from rich.text import Text

    ranges = itertools.zip_longest(SCALE, SCALE[1:])
    steps = [(f" {low.bits:g}-{high.bits:g} " if high else f" over {low.bits:g} ", low.style) for low, high in ranges]
    return Text.assemble("bits of surprise: ", *steps)


def coloured(pieces: Sequence[str], bits: Sequence[float | None]) -> Text:
    """Colour a text.

    Args:
        pieces: Its pieces in order, characters or words.
        bits: How much each of them surprises, -log2 of its probability; None if it was not scored.

    Returns:
        The text. Of control characters one sees the pictures, and `↵` where the end of a line has a colour.

    >>> text = coloured(["a", "b", " ", "c"], [0.1, 9, 0.2, 0.3])
    >>> text.plain, [(span.start, span.end, span.style) for span in text.spans]
    ('ab c', [(1, 2, 'color(16) on color(208)')])
    """
    from rich.text import Text

    return Text.assemble(*runs(pieces, map(style_of, bits)))


def runs(pieces: Iterable[str], styles: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Join neighbours of one style: what is shown of them, and the style."""
    for style, run in itertools.groupby(zip(pieces, styles, strict=True), key=lambda pair: pair[1]):
        shown = terminal.visible("".join(piece for piece, _ in run))
        yield shown.replace("\n", "↵\n") if style else shown, style
