"""Batches as a function of epoch and step, and the `tf.data.Dataset` of them, which can begin anywhere.

Axis letters: B batch, T time.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.datasets.shares import WHOLE, Share

Ids = npt.NDArray[np.integer]
# Inputs, which may be a nest of arrays, and targets.
Batch = tuple[Any, Ids]
# Gives a worker's share of a batch, as a function of (epoch, step, share).
Batches = Callable[[int, int, Share], Batch]

# How many batches stand for all in a fingerprint.
_SAMPLED = 64


class Course:
    """What a dataset reads, batch by batch, and where its next iterator begins.

    Attributes:
        steps: How many batches an epoch has.
        share: Which rows of each are read.
    """

    def __init__(self, batches: Batches, steps: int, share: Share) -> None:
        """Take the batches as a function of (epoch, step, share), how many an epoch has, and the share that is read."""
        self.steps = steps
        self.share = share
        self._batches = batches
        self._next = (0, 0)

    def batch(self, epoch: int, step: int) -> Batch:
        """Give what is read of a batch."""
        return self._batches(epoch, step, self.share)

    def begin_at(self, epoch: int, step: int = 0) -> None:
        """Let the next iterator read that epoch from that step on; those after it read whole epochs, one after another.

        No batch that lies before is made. An iterator that begins at a step is for `steps - step` batches: asked for
        more it fails, for the dataset has promised `steps`.
        """
        self._next = (epoch, step)

    def begin(self) -> tuple[np.int64, np.int64]:
        """Give the next iterator its epoch and its first step."""
        epoch, step = self._next
        self._next = (epoch + 1, 0)
        return np.int64(epoch), np.int64(step)

    def fingerprint(self) -> str:
        """Tell this course from another: a hash of batches of the first epoch, all or 64 of them in even steps.

        It is of whole batches, whatever share of them is read.
        """
        digest = hashlib.sha256()
        for step in np.unique(np.linspace(0, self.steps - 1, min(self.steps, _SAMPLED)).astype(int)).tolist():
            for array in tf.nest.flatten(self._batches(0, step, WHOLE)):
                kind = np.int32 if np.issubdtype(array.dtype, np.integer) else array.dtype
                digest.update(np.ascontiguousarray(array, kind).tobytes())
        return digest.hexdigest()


def course_of(dataset: Any) -> Course | None:
    """Give the course of a dataset that this module has made, unchanged; None for any other."""
    return getattr(dataset, "_course", None)


def ids_spec(rows: int | None, length: int | None) -> tf.TensorSpec:
    """Describe ids, or targets: int32 (B, T)."""
    return tf.TensorSpec([rows, length], tf.int32)


def shared(dataset: tf.data.Dataset, share: Share) -> tf.data.Dataset:
    """Give one worker's share of a dataset that this module has made: the same batches, of their rows only its own.

    No row of another worker is read. The number of rows is not fixed in its shapes.
    """
    inputs, targets = dataset.element_spec
    specs = tf.nest.map_structure(lambda spec: tf.TensorSpec([None, *spec.shape[1:]], spec.dtype), (inputs, targets))
    course: Course = dataset._course
    return dataset_of(course._batches, course.steps, specs, share)


def dataset_of(batches: Batches, steps: int, specs: tuple[Any, tf.TensorSpec], share: Share = WHOLE) -> tf.data.Dataset:
    """Make a dataset of `steps` batches that counts its own epochs.

    Args:
        batches: What each is, as a function of (epoch, step, share).
        steps: How many an epoch has.
        specs: Shapes and types of a batch, to which its arrays are cast.
        share: Which rows of each are read.
    """
    course = Course(batches, steps, share)
    flat = tf.nest.flatten(specs)

    def load(epoch: tf.Tensor, step: tf.Tensor) -> Any:
        def as_specified(epoch: np.int64, step: np.int64) -> list[npt.NDArray[Any]]:
            arrays = tf.nest.flatten(course.batch(int(epoch), int(step)))
            return [array.astype(spec.dtype.as_numpy_dtype) for array, spec in zip(arrays, flat, strict=True)]

        tensors = tf.numpy_function(as_specified, [epoch, step], [spec.dtype for spec in flat])
        shaped = [tf.ensure_shape(tensor, spec.shape) for tensor, spec in zip(tensors, flat, strict=True)]
        return tf.nest.pack_sequence_as(specs, shaped)

    begin = tf.data.Dataset.range(1).map(lambda _: tf.numpy_function(course.begin, [], (tf.int64, tf.int64)))
    numbered = begin.flat_map(lambda epoch, first: tf.data.Dataset.range(first, steps).map(lambda step: (epoch, step)))
    # Keras counts a step too many where the number of batches is unknown.
    dataset = numbered.map(load).apply(tf.data.experimental.assert_cardinality(steps)).prefetch(2)
    # There is nothing to tune, and a dataset that is tuned keeps Python waiting for seconds when its iterator goes.
    options = tf.data.Options()
    options.autotune.enabled = False
    dataset = dataset.with_options(options)
    dataset._course = course
    return dataset
