"""Draws docs/figure.png: the lesson's five arrows, from what the networks of the examples really read and write.

Usage: python docs/figure.py [directory of the models]

The directory has what the examples save, digits.keras, glyphs.keras, countries.keras and dates.keras, and the model of
`tfgen demo`, python-docs.keras. Every source is one that was held out.
"""

import datetime
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from babel.dates import format_date
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

import tfgen

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "examples"))

from figure import country_lists, handwritten_digits, letters, written_dates  # noqa: E402

# What is read lies below, the network between, what is written above.
READ, STATE, WRITTEN = "#f8cfc8", "#cfe6c6", "#c9dcf5"
LINE, PALE, LOOK = "#444444", "#666666", "#d0604f"
LOW, MIDDLE, HIGH = 0.0, 1.5, 3.0
BOTTOM, ABOVE = -1.3, 2.3
TALL = 0.72
# The picture's size, and the inches that 1 is in all panels.
SIZE, UNIT = (38.5, 20.3), 0.45


def box(axes: Axes, x: float, y: float, color: str, text: str = "", *, wide: float = TALL, size: float = 13) -> None:
    """Draw a box whose middle is (x, y), and what is in it."""
    shape = FancyBboxPatch(
        (x - wide / 2, y - TALL / 2), wide, TALL, boxstyle="round,pad=0,rounding_size=0.12", fc=color, ec=LINE, lw=0.9
    )
    axes.add_patch(shape)
    axes.text(x, y, visible(text), ha="center", va="center_baseline", fontsize=size, color="black")


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], style: str = "-|>") -> None:
    """Draw an arrow between the middles of two boxes, from edge to edge."""
    gap = 0.5 * TALL + 0.03
    (x, y), (u, v) = start, end
    x, u = (x, u) if x == u else (x + gap, u - gap)
    y, v = (y, v) if y == v else (y + gap, v - gap)
    axes.add_patch(FancyArrowPatch((x, y), (u, v), arrowstyle=style, mutation_scale=9, lw=1, color=LINE, shrinkA=0))


def line(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw a line upwards between the middles of two boxes, from edge to edge, where arrows would be too many."""
    axes.plot([start[0], end[0]], [start[1] + TALL / 2, end[1] - TALL / 2], color=LINE, lw=0.7, zorder=0)


def chain(axes: Axes, xs: Sequence[float], y: float = MIDDLE, *, both: bool = False) -> None:
    """Draw the steps of a recurrent network, each handing its state to the next, or in both directions."""
    for x in xs:
        box(axes, x, y, STATE)
    for x, after in itertools.pairwise(xs):
        arrow(axes, (x, y), (after, y), "<|-|>" if both else "-|>")


def picture(axes: Axes, x: float, pixels: np.ndarray) -> None:
    """Draw a picture that is read, larger than a box, for it is to be recognised."""
    left, right, top = x - 0.75, x + 0.75, LOW + TALL / 2
    axes.imshow(1 - pixels[..., 0], cmap="gray", vmin=0, vmax=1, extent=(left, right, top - 1.5, top))
    axes.plot([left, right, right, left, left], [top, top, top - 1.5, top - 1.5, top], color=LINE, lw=0.9)


def finish(axes: Axes, left: float, right: float, title: str, explained: str, high: float = HIGH) -> None:
    """Say over the highest boxes what a panel shows, and give it the room between two places."""
    middle = (left + right) / 2
    axes.text(middle, high + 1.5, title, ha="center", fontsize=17, fontweight="bold")
    axes.text(middle, high + 0.85, explained, ha="center", fontsize=12.5, color=PALE)
    axes.set_xlim(left, right)
    axes.set_ylim(BOTTOM, high + ABOVE)
    axes.axis("off")


def visible(token: str) -> str:
    """Give a token that can be seen."""
    return {" ": "\u2423", "\n": "\u21b5", "\x03": "\u220e"}.get(token, token.replace("$", r"\$"))


def one_to_one(axes: Axes, model: tfgen.TextGenerator) -> None:
    """Draw a digit and its class."""
    _, test = handwritten_digits.split()
    (digit,) = model.generate(source=test.pictures[:1], length=1, temperature=0)
    picture(axes, 0, test.pictures[0])
    box(axes, 0, MIDDLE, STATE)
    box(axes, 0, HIGH, WRITTEN, digit)
    arrow(axes, (0, LOW), (0, MIDDLE))
    arrow(axes, (0, MIDDLE), (0, HIGH))
    finish(axes, -2, 2, "one-to-one", "a digit \u2192 its class")


def one_to_many(axes: Axes, model: tfgen.TextGenerator, letter: str = "\u00f1") -> None:
    """Draw a letter of the face that was held out, and the words of its name."""
    face = letters.split().unseen_face
    pixels = face.pictures[face.letters.index(letter)]
    (name,) = model.generate(source=pixels[np.newaxis], length=15, min_length=1, temperature=0)
    words = name.split()
    xs = [1.9 * place for place in range(len(words))]
    picture(axes, xs[0], pixels)
    arrow(axes, (xs[0], LOW), (xs[0], MIDDLE))
    chain(axes, xs)
    for x, word in zip(xs, words, strict=True):
        box(axes, x, HIGH, WRITTEN, word, wide=1.75, size=11)
        arrow(axes, (x, MIDDLE), (x, HIGH))
    finish(axes, -1.2, xs[-1] + 1.2, "one-to-many", "a picture of a letter \u2192 the words of its name")


def many_to_one(axes: Axes, model: tfgen.TextGenerator) -> None:
    """Draw a list of countries and its language."""
    text = next(
        text
        for text, language in zip(*country_lists.drawn(500, held_out=True, seed=1)[:2], strict=True)
        if language == "Swedish" and len(text) < 22
    )
    (language,) = model.generate(source=[text], length=1, temperature=0, unknown="unknown")
    xs = [float(place) for place in range(len(text))]
    middle = (xs[0] + xs[-1]) / 2
    for place, character in enumerate(text):
        box(axes, place, LOW, READ, character)
        box(axes, place, MIDDLE, STATE)
        # Patterns are up to five characters wide; the largest of each, over all places, is what is known of the list.
        for near in xs[max(0, place - 2) : place + 3]:
            line(axes, (near, LOW), (place, MIDDLE))
        line(axes, (place, MIDDLE), (middle, HIGH))
    box(axes, middle, HIGH, WRITTEN, language, wide=2.2)
    finish(axes, -0.6, xs[-1] + 0.6, "many-to-one", "a list of countries \u2192 the language it is written in")


def many_to_many(axes: Axes, model: tfgen.TextGenerator) -> None:
    """Draw a date, its ISO form, and what attention looks at meanwhile."""
    day = next(day for day in written_dates.days(held_out=True) if day >= datetime.date(1952, 5, 1))
    text = format_date(day, "long", locale="fr")
    (found,) = model.generate(source=[text], length=10, temperature=0, return_scores=True)
    reading, writing = ([1.25 * place for place in range(len(each))] for each in (text, found.text))
    upper, high = MIDDLE + 3.0, HIGH + 3.0
    for x, character in zip(reading, text, strict=True):
        box(axes, x, LOW, READ, character)
        arrow(axes, (x, LOW), (x, MIDDLE))
    chain(axes, reading, both=True)
    chain(axes, writing, upper)
    arrow(axes, (reading[0], MIDDLE), (writing[0], upper))
    for weights, x, character in zip(found.attention, writing, found.text, strict=False):  # the end is not drawn
        box(axes, x, high, WRITTEN, character)
        arrow(axes, (x, upper), (x, high))
        for place, weight in zip(reading, weights, strict=False):
            if weight > 0.05:
                ends = [place, x], [MIDDLE + TALL / 2, upper - TALL / 2]
                axes.plot(*ends, color=LOOK, lw=4 * float(weight), alpha=0.8, solid_capstyle="butt", zorder=0)
    said = "a date \u2192 ISO 8601; red: what attention looks at"
    finish(axes, -1, max(reading[-1], writing[-1]) + 1, "many-to-many", said, high)


def synchronous(axes: Axes, model: tfgen.TextGenerator, prompt: str = "The ", length: int = 20) -> None:
    """Draw a text, and after each character the one that the language model holds likeliest."""
    text = model.generate(prompt, length=length, temperature=0)
    read = [text[: place + 1] for place in range(len(text) - 1)]
    written = [after[-1] for after in model.generate(read, length=1, temperature=0)]
    xs = [float(place) for place in range(len(read))]
    for x, before, after in zip(xs, read, written, strict=True):
        box(axes, x, LOW, READ, before[-1])
        arrow(axes, (x, LOW), (x, MIDDLE))
        box(axes, x, HIGH, WRITTEN, after)
        arrow(axes, (x, MIDDLE), (x, HIGH))
    chain(axes, xs)
    said = "a text \u2192 its next characters: the language model"
    finish(axes, -1, xs[-1] + 1, "many-to-many, synchronous", said)


# Where the lower left corner of each panel is.
PANELS = [
    (one_to_one, "digits", (0.8, 13.5)),
    (one_to_many, "glyphs", (7.5, 13.5)),
    (many_to_one, "countries", (0.5, 6.7)),
    (many_to_many, "dates", (24.5, 8.6)),
    (synchronous, "python-docs", (7.2, 0.0)),
]


def draw(models: Path, path: Path) -> None:
    """Draw the five panels, all to one scale."""
    figure = Figure(figsize=(SIZE[0] * UNIT, SIZE[1] * UNIT), facecolor="white")
    for panel, name, (left, bottom) in PANELS:
        axes = figure.add_axes((0, 0, 1, 1), label=name)
        panel(axes, keras.saving.load_model(models / f"{name}.keras"))
        wide, tall = np.ptp([axes.get_xlim(), axes.get_ylim()], axis=1)
        axes.set_position((left / SIZE[0], bottom / SIZE[1], wide / SIZE[0], tall / SIZE[1]))
        axes.set_aspect("auto")  # a picture in it has changed it
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    draw(Path(sys.argv[1] if len(sys.argv) > 1 else "."), HERE / "figure.png")
