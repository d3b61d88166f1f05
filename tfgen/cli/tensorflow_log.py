"""TensorFlow as the commands import it: without its chatter, and not at all where there is no room for it."""

from __future__ import annotations

import os

from tfgen.errors import InputError
from tfgen.support import interrupts
from tfgen.support.standard_error import sifted

_ADDRESSES = 1_800 << 20  # bytes that its libraries take, most of them addresses alone; a small model then runs


def import_tensorflow() -> None:
    """Import TensorFlow and Keras and find the devices, passing on warnings and errors but no chatter.

    Raises:
        InputError: This process may not take the memory that TensorFlow takes, which would end it in the middle.
    """
    _check_limit()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever other programs of the user run on
    with interrupts.deferred(), sifted():
        import keras  # noqa: F401
        import tensorflow as tf

        tf.config.list_physical_devices()
        # Of a padded prompt TensorFlow reports once that an older processor lacks an instruction: that is done here.
        tf.transpose(tf.zeros([1, 2, 1], bool), [1, 0, 2])


def _check_limit() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < _ADDRESSES:
        raise InputError(
            f"this process may take {limit:,} bytes of memory (ulimit -v), and TensorFlow takes {_ADDRESSES:,}; raise "
            "the limit."
        )
