"""Sources that are pictures: one input of numbers (H, W, 1) or (H, W), whose sizes are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.support import wording

_BYTES = 5  # of a number in a request, as the page writes it


def shape_of(model: Any, body: int) -> tuple[int, ...] | None:
    """Give the shape of the pictures that a model writes from.

    Args:
        model: Of a writer.
        body: Bytes that a request may have.

    Returns:
        (H, W, 1) or (H, W); None where the source is something else, or too large for a request.
    """
    spec = getattr(model, "source", None)
    if getattr(model, "source_ids", None) or not isinstance(spec, tf.TensorSpec) or spec.dtype != tf.float32:
        return None
    shape = tuple(spec.shape[1:])
    known = len(shape) in (2, 3) and None not in shape and shape[2:] in ((), (1,))
    return shape if known and _BYTES * shape[0] * shape[1] <= body else None


def picture(value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Read a picture, whose last axis of 1 may be left out.

    Args:
        value: Nested lists of numbers.
        shape: See `shape_of`.

    Returns:
        float32, of that shape.

    Raises:
        InputError: It is something else.
    """
    height, width = shape[:2]
    expected = f"source must be a picture, nested lists of {height} rows of {width} finite numbers"
    try:
        array = np.array(value, object) if isinstance(value, list) else None
    except ValueError:
        array = None
    if array is None or not array.ndim:
        raise InputError(f"{expected}; received {wording.shown(value)}.")
    for number in array.flat:
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            of = "rows of several lengths" if isinstance(number, list) else wording.shown(number)
            raise InputError(f"{expected}; received {of} in it.")
    if array.shape not in ((height, width), (height, width, 1)):
        raise InputError(f"{expected}; received numbers of shape {array.shape}.")
    # JSON has numbers that no float holds.
    large = [number for number in array.flat if not abs(number) <= float(np.finfo(np.float32).max)]
    if large:
        raise InputError(f"{expected}; received {wording.shown(large[0])} in it.")
    return array.astype(np.float32).reshape(shape)
