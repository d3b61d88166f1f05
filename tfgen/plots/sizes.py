"""How good models are against how large they are."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tfgen.errors import InputError, check_instance, real_number
from tfgen.plots.pictures import check_path, picture, saved

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def bits_against_size(
    sizes: Mapping[str, int],
    bits: Mapping[str, Mapping[str, float | None]],
    *,
    title: str = "",
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw bits per character against the size of models, which is on a scale of logarithms.

    Args:
        sizes: Bytes of each model, by name.
        bits: Bits per character by protocol, such as "static", and of each by name of a model; None and infinity are
            not drawn.
        title: Over the picture.
        path: Where the picture is saved too, if it is; the ending chooses the format, such as `.png`.

    Returns:
        The figure, which a notebook shows.

    Raises:
        InputError: As for `check_path`; or there is no model, or a size or bits are no numbers.
    """
    check_path(path)
    check_instance("sizes", sizes, Mapping, "a mapping of names to bytes")
    check_instance("bits", bits, Mapping, "a mapping of protocols to mappings of names to bits")
    check_instance("title", title, str, "a str")
    if not sizes:
        raise InputError("there is no model to draw; give the size of at least one.")
    megabytes = {name: real_number(f"the size of {name!r}", size, above=0) / 1e6 for name, size in sizes.items()}
    drawn = {protocol: _points(protocol, of_models, megabytes) for protocol, of_models in bits.items()}
    figure = picture(8, 5)
    axes = figure.subplots()
    for (protocol, points), marker in zip(drawn.items(), "os^v", strict=False):
        axes.plot([megabytes[name] for name in points], [*points.values()], marker, label=protocol)
    for name, size in megabytes.items():
        heights = [points[name] for points in drawn.values() if name in points]
        axes.plot([size] * len(heights), heights, "-", color="0.7", zorder=0)
        if heights:
            shown = name.replace("$", r"\$")  # which would begin a formula
            axes.annotate(shown, (size, max(heights)), (0, 8), textcoords="offset points", ha="center", fontsize=8)
    axes.set(xscale="log", xlabel="megabytes", ylabel="bits per character", title=title.replace("$", r"\$"))
    for formatted in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
        formatted(lambda x, _: f"{x:g}")
    axes.margins(0.15)
    axes.grid(alpha=0.3)
    if any(drawn.values()):
        axes.legend()
    return saved(figure, path)


def _points(protocol: str, of_models: Mapping[str, float | None], known: Mapping[str, float]) -> dict[str, float]:
    """Give the bits of those models that have some, and a finite number of them."""
    check_instance(f"the bits of {protocol!r}", of_models, Mapping, "a mapping of names to bits")
    if unknown := [name for name in of_models if name not in known]:
        raise InputError(f"{unknown[0]!r} has bits and no size; give its size.")
    return {
        name: real_number(f"the bits of {name!r}", value, at_least=0)
        for name, value in of_models.items()
        if value is not None and value != math.inf
    }
