"""The plain settings of a sampler: the order in which they are applied, and the range of each."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.errors import InputError
from tfgen.support import wording


class Range(NamedTuple):
    """Which numbers a setting may be; NaN is in no range.

    Attributes:
        at_least: The smallest one.
        above: Below all of them.
        at_most: The largest one.
        whole: Whether it is a number of things.
    """

    at_least: float = -math.inf
    above: float = -math.inf
    at_most: float = math.inf
    whole: bool = False


PLAIN: Mapping[str, Range] = {
    "repetition_penalty": Range(above=0, at_most=1e6),
    "temperature": Range(at_least=0),
    "top_k": Range(at_least=1, whole=True),
    "typical_p": Range(above=0, at_most=1),
    "top_p": Range(above=0, at_most=1),
    "min_p": Range(at_least=0, at_most=1),
}
"""Each plain setting, in the order in which they are applied."""


def number(name: str, value: Any, allowed: Range, largest: float = math.inf) -> npt.NDArray[Any]:
    """Give a setting as an array of no axes.

    Args:
        name: Of the setting.
        value: What was given.
        allowed: Its range.
        largest: What its type holds.

    Raises:
        InputError: Names the setting, its range and the value received.

    >>> number("top_p", 0.5, PLAIN["top_p"])
    array(0.5)
    """
    given = array(value)
    kinds = "iu" if allowed.whole else "iuf"
    fits = not given.ndim and given.dtype.kind in kinds and allowed.at_least <= given <= min(allowed.at_most, largest)
    if not fits or not given > allowed.above:
        bounds = [f"at least {allowed.at_least}"] * (allowed.at_least > -math.inf)
        bounds += [f"above {allowed.above}"] * (allowed.above > -math.inf)
        bounds += [f"at most {allowed.at_most}"] * (allowed.at_most < math.inf)
        kind = "a whole number" if allowed.whole else "a number"
        raise InputError(f"{name} must be {', '.join([kind, *bounds])}; received {wording.shown(value)}.")
    return given


def array(value: Any) -> npt.NDArray[Any]:
    """Make a setting an array; of what is none, such as a ragged list, an array of objects."""
    try:
        return np.asarray(value)
    except (TypeError, ValueError):
        return np.asarray(None)
