"""The learning curve, and what it is compared with."""

import lzma
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfgen.errors import InputError, check_instance, real_number
from tfgen.plots.pictures import check_path
from tfgen.support import wording


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
    path: str | os.PathLike[str],
    training: Sequence[tuple[float, float]],
    validation: Sequence[tuple[float, float]],
    baselines: Mapping[str, float],
    title: str,
    unit: str = "character",
) -> Path:
    """Draw losses against the number of characters read.

    Args:
        path: Of the picture; its ending chooses the format, such as `.png`.
        training: Pairs of characters read and nats per token.
        validation: The same on held-out text.
        baselines: Bits per token of other models of the same text, by name; each is a dashed line.
        title: Over the picture.
        unit: What a token is, "character" or "word".

    Returns:
        The path.

    Raises:
        InputError: As for `check_path`; or the points are no pairs of numbers, or a baseline is no number.
    """
    check_path(path)
    check_instance("baselines", baselines, Mapping, "a mapping of names to bits")
    curves = [(name, *_in_bits(name, points)) for name, points in (("training", training), ("validation", validation))]
    levels = {name: real_number(f"the baseline {name!r}", bits) for name, bits in baselines.items()}
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for (name, read, bits_of), style in zip(curves, ("C0-", "C1o-"), strict=True):
        if read:
            axes.plot(read, bits_of, style, label=name)
    for number, (name, bits) in enumerate(levels.items()):
        axes.axhline(bits, color=f"C{number + 2}", linestyle="--", label=f"{name}: {bits:.2f}")
    axes.set(xlabel="characters read", ylabel=f"bits per {unit}", title=title)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,.0f}")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
    return Path(path)


def _in_bits(name: str, points: Any) -> tuple[list[float], list[float]]:
    """Give the characters read and the bits per token of a curve."""
    try:
        pairs = [(float(read), float(nats) / math.log(2)) for read, nats in points]
    except (TypeError, ValueError):
        raise InputError(f"{name} must be pairs of numbers; received {wording.shown(points)}.") from None
    return [read for read, _ in pairs], [bits for _, bits in pairs]
