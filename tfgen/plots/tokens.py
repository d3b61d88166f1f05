"""What may come next, at several temperatures, and what a network reads and writes, step by step.

Axis letters: K tokens shown, N steps.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tfgen.errors import InputError, check_instance, real_number, whole_number
from tfgen.plots.pictures import check_path, picture, saved, visible
from tfgen.support import wording

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tfgen.text_generator import TextGenerator
    from tfgen.writing.texts import Generated

_READ, _CELL, _WRITTEN, _OTHER = "#c0392b", "#2e8b57", "#1f5fa8", "#8a94a0"
_MOST_STEPS = 40  # in one picture that can be read


def next_token(
    generator: TextGenerator,
    prompt: str = "",
    temperatures: Sequence[float] = (0.3, 0.8, 1.0, 1.3, 1.8),
    *,
    tokens: int = 12,
    source: Any = None,
    path: str | os.PathLike[str] | None = None,
) -> Figure:
    """Draw which tokens may come next, and how a temperature makes the same distribution sharp or flat.

    Args:
        generator: Who writes.
        prompt: What stands before the token.
        temperatures: One panel each; at t, p_i becomes p_i^(1/t) over its sum, and at 0 the likeliest is certain.
        tokens: K, how many of the likeliest have a bar; the others share the last bar.
        source: What is written from, where the model has an encoder.
        path: Where the picture is saved too, if it is; the ending chooses the format, such as `.png`.

    Returns:
        The figure, which a notebook shows.

    Raises:
        InputError: matplotlib is not installed, there is no temperature, or an argument is out of its range.
    """
    _check(generator, prompt, path)
    check_instance("temperatures", temperatures, (list, tuple), "a list of numbers")
    if not temperatures:
        raise InputError("temperatures must hold at least one; received none.")
    chosen = [real_number("a temperature", each, at_least=0) for each in temperatures]
    shown = whole_number("tokens", tokens, 1, 100)
    every = _written(generator, prompt, source, length=1, alternatives=len(generator.vocabulary), temperature=1.0)
    names, nats = zip(*every.alternatives[0], strict=True)
    labels = [visible(name) for name in names[:shown]] + ["others"] * (len(names) > shown)
    figure = picture(1.2 + 1.7 * len(chosen), 0.9 + 0.26 * len(labels))
    panels = figure.subplots(1, len(chosen), sharex=True, sharey=True, squeeze=False)[0]
    for axes, temperature in zip(panels, chosen, strict=True):
        shares = at_temperature(np.array(nats), temperature)
        bars = [*shares[:shown], shares[shown:].sum()][: len(labels)]
        axes.barh(range(len(labels)), bars, color=[_WRITTEN] * shown + [_OTHER])
        for place, share in enumerate(bars):
            axes.text(share + 0.03, place, f"{share:.0%}" if share >= 0.005 else "", va="center", fontsize=8)
        axes.set(title=f"temperature {temperature:g}", xlim=(0, 1.25), xticks=[])
        axes.spines[["top", "right", "bottom"]].set_visible(False)
    panels[0].set_yticks(range(len(labels)), labels)
    panels[0].invert_yaxis()
    figure.suptitle(f"after \u201c{visible(prompt[-60:])}\u201d" if prompt else "at the beginning of a text")
    return saved(figure, path)


def unrolled(
    generator: TextGenerator,
    prompt: str = "",
    length: int = 10,
    *,
    alternatives: int = 3,
    source: Any = None,
    path: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Figure:
    """Draw a network unrolled in time: what it reads at each step, what it writes, and what else was likely.

    Args:
        generator: Who writes.
        prompt: What it reads first; of a long one the last tokens are shown.
        length: N, how many tokens it writes.
        alternatives: How many of the likeliest other tokens stand above each that was written.
        source: What is written from, where the model has an encoder.
        path: Where the picture is saved too, if it is; the ending chooses the format, such as `.png`.
        **settings: As for `TextGenerator.generate`: `seed`, `temperature` (0, the likeliest, if it is not given).

    Returns:
        The figure, which a notebook shows.

    Raises:
        InputError: matplotlib is not installed, or an argument is out of its range.
    """
    _check(generator, prompt, path)
    whole_number("length", length, 1, _MOST_STEPS)
    others = whole_number("alternatives", alternatives, 0, 20)
    new = _written(generator, prompt, source, **{"temperature": 0, **settings}, length=length, alternatives=others + 1)
    pieces = [visible(generator.vocabulary.tokens[i]) for i in generator.vocabulary.encode(prompt)]
    before = ["\u220e", *pieces][-max(_MOST_STEPS - len(new.tokens), 1) :]
    written = [visible(token) for token in new.tokens]
    read = [*before, *written[:-1]]
    figure = picture(max(0.62 * len(read) + 0.8, 4), 2.3 + 0.2 * others)
    axes = figure.subplots()
    _cells(axes, read)
    for step, token in enumerate(written):
        place = len(before) - 1 + step
        share = math.exp(new.log_probabilities[step])
        _arrow(axes, (place, 1.25), (place, 1.75))
        axes.text(place, 1.95, token, color=_WRITTEN, ha="center", va="center", fontweight="bold")
        axes.text(place, 2.2, f"{share:.0%}", color=_WRITTEN, ha="center", va="center", fontsize=7)
        likely = [each for each in new.alternatives[step] if each[0] != new.tokens[step]]
        for height, (other, nats) in enumerate(likely[:others]):
            text = f"{visible(other)} {math.exp(nats):.0%}"
            axes.text(place, 2.5 + 0.22 * height, text, color=_OTHER, ha="center", va="center", fontsize=7)
        if step + 1 < len(written):
            _arrow(axes, (place + 0.15, 1.85), (place + 0.85, 0.2), color=_OTHER, linestyle=":")
    axes.set(xlim=(-0.8, len(read) - 0.2), ylim=(-0.3, 2.5 + 0.22 * others))
    axes.axis("off")
    return saved(figure, path)


def at_temperature(nats: npt.NDArray[np.float64], temperature: float) -> npt.NDArray[np.float64]:
    """Give probabilities at a temperature of tokens whose log-probabilities are given, the likeliest first.

    >>> at_temperature(np.log([0.8, 0.2]), 0.5).round(3).tolist(), at_temperature(np.log([0.8, 0.2]), 0).tolist()
    ([0.941, 0.059], [1.0, 0.0])
    """
    if temperature == 0:
        return np.eye(1, len(nats))[0]
    powers = np.exp((nats - nats[0]) / temperature)
    return np.asarray(powers / powers.sum())


def _check(generator: TextGenerator, prompt: str, path: str | os.PathLike[str] | None) -> None:
    """Refuse, before anything is written, what cannot be drawn."""
    # Whatever writes will do, and importing the class would import TensorFlow.
    if not callable(getattr(generator, "generate", None)):
        raise InputError(f"generator must be a tfgen.TextGenerator; received {wording.shown(generator)}.")
    check_instance("the prompt", prompt, str, "a str")
    check_path(path)


def _written(generator: TextGenerator, prompt: str, source: Any, **settings: Any) -> Generated:
    """Write one text, with its numbers."""
    under = {} if source is None else {"source": source}
    new: Generated = generator.generate(prompt, return_scores=True, **under, **settings)
    return new


def _cells(axes: Any, read: Sequence[str]) -> None:
    """Draw the network once for each token that is read, and its state going on."""
    for place, token in enumerate(read):
        axes.text(place, 0, token, color=_READ, ha="center", va="center", fontweight="bold")
        _arrow(axes, (place, 0.2), (place, 0.7))
        axes.scatter(place, 1, s=320, marker="s", color=_CELL, alpha=0.85)
        if place:
            _arrow(axes, (place - 0.72, 1), (place - 0.28, 1), color=_CELL)


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float], **style: Any) -> None:
    axes.annotate(
        "", end, start, arrowprops={"arrowstyle": "->", "color": "#555555", "shrinkA": 0, "shrinkB": 0, **style}
    )
