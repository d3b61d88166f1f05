"""How many threads TensorFlow computes with: the last digits of a result depend on both numbers.

TensorFlow takes them from `tf.config.threading`, else from the environment variables `TF_NUM_INTRAOP_THREADS` and
`TF_NUM_INTEROP_THREADS`, which it reads when it computes for the first time, else it takes all cores.
"""

import os
import re

import tensorflow as tf


def within() -> int:
    """Count the threads that may share one operation."""
    # Any number but 0 counts: a negative one ends the process.
    return tf.config.threading.get_intra_op_parallelism_threads() or _set("TF_NUM_INTRAOP_THREADS") or _cores()


def between() -> int:
    """Count the operations that may run at the same time."""
    configured = tf.config.threading.get_inter_op_parallelism_threads()
    return next((number for number in (configured, _set("TF_NUM_INTEROP_THREADS")) if number > 0), _cores())


def _set(name: str) -> int:
    """Read an environment variable as TensorFlow does: 0 where it is no 32-bit integer in decimal digits."""
    read = re.fullmatch(r"\s*([+-]?)0*([0-9]{1,10})\s*", os.environ.get(name, ""), re.ASCII)
    number = int(read[1] + read[2]) if read else 0
    return number if -(2**31) <= number < 2**31 else 0


def _cores() -> int:
    """Count the cores that this process may use."""
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()) or 1
