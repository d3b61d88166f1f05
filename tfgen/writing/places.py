"""Where text can be written: in a process that has TensorFlow's threads, and outside of its graphs."""

from __future__ import annotations

import tensorflow as tf

from tfgen.errors import InputError
from tfgen.support import forks


def check() -> None:
    """Refuse a place in which writing would wait for ever, or could not look at what it writes.

    Raises:
        InputError: This process was forked after TensorFlow had computed, or a graph is being traced.
    """
    forks.check()
    if not tf.executing_eagerly():
        raise InputError(
            "text cannot be written or scored inside of a tf.function or a tf.Graph, which hold tensors alone: call "
            "this outside, or give a tf.function the model's own network; received a call while a graph was traced."
        )
