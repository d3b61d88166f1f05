"""The learning curve, and what it is compared with."""

from __future__ import annotations

import lzma
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfgen.errors import InputError, check_instance, real_number
from tfgen.plots.pictures import check_path, picture, saved
from tfgen.support import wording

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LEVELS = ("C2", "C4", "C5", "C7")
_TIMES = 3.0  # so many times the spread of the lower three quarters above them


def compressed_bits(texts: Iterable[str]) -> float:
    """Give what `xz -9` makes of the texts, in bits per character: a baseline that knows repetitions, no language.

    Raises:
        InputError: There is no text, or it is none.
    """
    check_instance("texts", texts, Iterable, "an iterable of texts")
    compressor = lzma.LZMACompressor(preset=9)
    characters = size = 0
    for text in texts:
        check_instance("each text", text, str, "a str")
        characters += len(text)
        size += len(compressor.compress(text.encode()))
    if not characters:
        raise InputError("there is no text to compress; give at least one character.")
    return 8 * (size + len(compressor.flush())) / characters


def learning_curve(
    training: Sequence[tuple[float, float]],
    validation: Sequence[tuple[float, float]] = (),
    baselines: Mapping[str, float] | None = None,
    *,
    title: str = "",
    unit: str = "character",
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw losses against the number of characters read, and mark the epoch that is kept, the best on held-out text.

    A few losses that are far above the others, such as the first ones or a spike, lie outside the picture, which says
    so; baselines never do.

    Args:
        training: Pairs of characters read and nats per token, such as `LearningCurve.training`.
        validation: The same on held-out text, one pair an epoch.
        baselines: Bits per token of other models of the same text, by name; each is a dashed line.
        title: Over the picture.
        unit: What a token is, "character" or "word".
        path: Where the picture is saved too, if it is; the ending chooses the format, such as `.png`.

    Returns:
        The figure, which a notebook shows.

    Raises:
        InputError: As for `check_path`; the points are no pairs of numbers, or there are none; a baseline is no number.
    """
    check_path(path)
    check_instance("baselines", baselines, Mapping | None, "a mapping of names to bits")
    check_instance("title", title, str, "a str")
    check_instance("unit", unit, str, "a str")
    curves = [(name, *_in_bits(name, points)) for name, points in (("training", training), ("validation", validation))]
    levels = {name: real_number(f"the baseline {name!r}", bits) for name, bits in (baselines or {}).items()}
    (*_, trained), (_, held_read, held) = curves
    if not any(map(math.isfinite, [*trained, *held])):
        raise InputError(
            "there is nothing to draw: no loss was remembered; compile with metrics=[tfgen.metrics.NatsPerCharacter()]."
        )
    figure = picture(8, 5)
    axes = figure.subplots()
    for (name, read, bits_of), style in zip(curves, ("C0-", "C1o-"), strict=True):
        if read:
            axes.plot(read, bits_of, style, label=name, markersize=4)
    if any(map(math.isfinite, held)):
        best = min(range(len(held)), key=lambda epoch: held[epoch] if math.isfinite(held[epoch]) else math.inf)
        axes.plot(
            held_read[best], held[best], "o", color="C3", markersize=11, fillstyle="none", markeredgewidth=2,
            label=f"kept: epoch {best + 1}, {held[best]:.2f}",
        )  # fmt: skip
    for number, (name, bits) in enumerate(levels.items()):
        axes.axhline(bits, color=_LEVELS[number % len(_LEVELS)], linestyle="--", label=f"{name}: {bits:.2f}")
    low, high = limits([trained, held], levels.values())
    margin = 0.06 * (high - low) or 0.1
    axes.set_ylim(low - margin, high + margin)
    beyond = max(bits for bits in [*trained, *held] if math.isfinite(bits))
    if beyond > high + margin:
        said = f"losses up to {beyond:.1f} are not shown"
        where: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "top", "fontsize": 8}
        axes.text(0.4, 0.985, said, color="#555555", bbox={"color": "white", "pad": 1}, **where)
    axes.set(xlabel="characters read", ylabel=f"bits per {unit}", title=title)
    axes.locator_params(axis="x", nbins=6)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    axes.grid(alpha=0.3)
    axes.legend()
    return saved(figure, path)


def limits(curves: Iterable[Sequence[float]], levels: Iterable[float] = ()) -> tuple[float, float]:
    """Give the lowest and the highest value that a picture of curves should hold.

    Args:
        curves: The values of each; of one a quarter at most is cut off, where they are far above the rest.
        levels: Values that lie inside in any case.

    >>> limits([[9.0, 2.5, 2.5, 2.5, 2.25, 60.0, 2.25, 2.0, 2.0]])
    (2.0, 4.0)
    """
    kept = [*levels]
    for curve in curves:
        values = np.sort([value for value in curve if math.isfinite(value)])
        if len(values):
            low, usual = float(values[0]), float(np.quantile(values, 0.75, method="higher"))
            kept += [low, min(float(values[-1]), usual + _TIMES * (usual - low))]
    return min(kept), max(kept)


def _in_bits(name: str, points: Any) -> tuple[list[float], list[float]]:
    """Give the characters read and the bits per token of a curve."""
    try:
        pairs = [(float(read), float(nats) / math.log(2)) for read, nats in points]
    except (TypeError, ValueError):
        raise InputError(f"{name} must be pairs of numbers; received {wording.shown(points)}.") from None
    return [read for read, _ in pairs], [bits for _, bits in pairs]
