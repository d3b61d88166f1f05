"""How many threads TensorFlow computes with: the last digits of a result depend on both numbers."""

import os

import tensorflow as tf


def within() -> int:
    """Count the threads that may share one operation."""
    return tf.config.threading.get_intra_op_parallelism_threads() or _cores()


def between() -> int:
    """Count the operations that may run at the same time."""
    return tf.config.threading.get_inter_op_parallelism_threads() or _cores()


def _cores() -> int:
    """Count the cores that this process may use, of which TensorFlow takes all if nothing else is said."""
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()) or 1
