"""What a token that was written attended to."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tfgen.errors import InputError
from tfgen.plots.pictures import check_path, visible
from tfgen.support import wording


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
    columns, rows = ([visible(each) for each in some] for some in (source, tokens))
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
