"""What a token that was written attended to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfgen.errors import InputError
from tfgen.plots.pictures import check_path, picture, saved, visible
from tfgen.support import wording

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def attention(
    weights: Any,
    source: Sequence[str] | str,
    tokens: Sequence[str] | str,
    title: str = "",
    *,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw how much each place of a source counted for each token that was written.

    Args:
        weights: (N, S), as `Generated.attention` has them.
        source: The S places; a text without the end that closes it is S - 1 characters.
        tokens: The N tokens.
        title: Over the picture.
        path: Where the picture is saved too, if it is; the ending chooses the format, such as `.png`.

    Returns:
        The figure, which a notebook shows.

    Raises:
        InputError: matplotlib is not installed, the ending names no format, or the numbers do not fit.
    """
    check_path(path)
    for name, some in (("source", source), ("tokens", tokens)):
        if not isinstance(some, (str, list, tuple)) or not all(isinstance(each, str) for each in some):
            raise InputError(f"{name} must be a list of str, or one str; received {wording.shown(some)}.")
    columns, rows = ([visible(each) for each in some] for some in (source, tokens))
    columns += ["\u220e"] * (np.ndim(weights) == 2 and np.shape(weights)[1] == len(columns) + 1)
    if np.shape(weights) != (len(rows), len(columns)):
        raise InputError(
            f"there must be a weight for each of {len(rows)} tokens and {len(columns)} places; received "
            f"{np.shape(weights)}."
        )
    figure = picture(max(0.28 * len(columns), 2) + 1, max(0.28 * len(rows), 1) + 1)
    axes = figure.subplots()
    axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_title(title)
    return saved(figure, path)
