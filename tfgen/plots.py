"""Pictures for people: the learning curve and attention, drawn with matplotlib (the extra `plot`)."""

import importlib.util
import lzma
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfgen.errors import InputError, check_instance, path_of, real_number
from tfgen.support import wording

__all__ = ["attention", "check_installed", "check_path", "compressed_bits", "learning_curve"]

_ENDINGS = (".png", ".svg", ".pdf", ".jpg")


def check_installed() -> None:
    """Check before any work is done that pictures can be drawn.

    Raises:
        InputError: matplotlib is not installed.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise InputError("drawing needs matplotlib; install it: pip install matplotlib.")


def check_path(path: str | os.PathLike[str]) -> None:
    """Check before any work is done that a picture can be drawn there.

    Raises:
        InputError: matplotlib is not installed, the ending names no format of pictures, or there is no such directory.
    """
    check_installed()
    path = path_of("path", path)
    if path.suffix.lower() not in _ENDINGS:
        raise InputError(f"the name of a picture ends in {', '.join(_ENDINGS)}; received {str(path)!r}.")
    if not path.parent.is_dir():
        raise InputError(f"there is no directory {str(path.parent)!r} for the picture; make it, or choose another.")


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


def attention(
    path: str | os.PathLike[str],
    weights: Any,
    source: Sequence[str] | str,
    tokens: Sequence[str] | str,
    title: str = "",
) -> Path:
    """Draw how much each place of a source counted for each token that was written.

    Args:
        path: Of the picture; its ending chooses the format, such as `.png`.
        weights: (N, S), as `Generated.attention` has them.
        source: The S places; a text without the end that closes it is S - 1 characters.
        tokens: The N tokens.
        title: Over the picture.

    Returns:
        The path.

    Raises:
        InputError: matplotlib is not installed, the ending names no format, or the numbers do not fit.
    """
    check_path(path)
    from matplotlib.figure import Figure

    for name, some in (("source", source), ("tokens", tokens)):
        if not isinstance(some, (str, list, tuple)) or not all(isinstance(each, str) for each in some):
            raise InputError(f"{name} must be a list of str, or one str; received {wording.shown(some)}.")
    columns, rows = ([_visible(each) for each in some] for some in (source, tokens))
    columns += ["\u220e"] * (np.ndim(weights) == 2 and np.shape(weights)[1] == len(columns) + 1)
    if np.shape(weights) != (len(rows), len(columns)):
        raise InputError(
            f"there must be a weight for each of {len(rows)} tokens and {len(columns)} places; received "
            f"{np.shape(weights)}."
        )
    figure = Figure(figsize=(max(0.28 * len(columns), 2) + 1, max(0.28 * len(rows), 1) + 1), layout="constrained")
    axes = figure.subplots()
    axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_title(title)
    figure.savefig(path, dpi=120)
    return Path(path)


def _visible(token: str) -> str:
    """Give a token that can be seen: a space, and the end of a text, as their pictures."""
    return {" ": "\u2423", "\x03": "\u220e", "\n": "\u21b5"}.get(token, token.replace("$", r"\$"))


def _in_bits(name: str, points: Any) -> tuple[list[float], list[float]]:
    """Give the characters read and the bits per token of a curve."""
    try:
        pairs = [(float(read), float(nats) / math.log(2)) for read, nats in points]
    except (TypeError, ValueError):
        raise InputError(f"{name} must be pairs of numbers; received {wording.shown(points)}.") from None
    return [read for read, _ in pairs], [bits for _, bits in pairs]


def __dir__() -> list[str]:
    return __all__
