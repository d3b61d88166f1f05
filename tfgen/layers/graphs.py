"""Functions that are compiled once for each model.

TensorFlow counts traces by the code of a function, and warns of the fifth in a row that it is traced too often: so it
would of five models, each of which is traced once.
"""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Compile a function of one model, whose traces are counted by themselves.

    Args:
        function: Of tensors, and of nests of them.
        options: Of `tf.function`.
    """
    return tf.function(functools.partial(function), autograph=False, **options)
