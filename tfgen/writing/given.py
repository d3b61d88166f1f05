"""Texts as they are given: of Python, or strings of TensorFlow or NumPy."""

from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.support import wording


def plain(given: Any) -> Any:
    """Give texts that are strings of TensorFlow or NumPy as those of Python; all else as it is."""
    array = given.numpy() if tf.is_tensor(given) and hasattr(given, "numpy") else given
    if isinstance(array, bytes) and array is not given:
        return array.decode("utf-8", "replace")
    if isinstance(array, np.ndarray) and (array.dtype.kind == "U" or (array is not given and array.dtype.kind == "O")):
        return tf.nest.map_structure(
            lambda each: each.decode("utf-8", "replace") if isinstance(each, bytes) else each, array.tolist()
        )
    if isinstance(array, np.ndarray) or tf.is_tensor(given):
        raise InputError(
            f"texts are str, or strings of TensorFlow or NumPy; received {wording.shown(array.dtype.name)}."
        )
    return given
