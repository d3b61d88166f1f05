"""Which arrays an encoder takes: those of the shapes of its inputs, and those that Keras brings into them.

Axis letter: B batch.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tfgen.errors import InputError

_LACKING = re.compile(r"= (-?\d+) is not in \[0, (\d+)\)")


def adjusted(shape: tf.TensorShape, expected: tf.TensorShape) -> tf.TensorShape | None:
    """Give a shape as Keras makes it fit: a last axis of 1 may be missing, or be one too many; None if none fits.

    >>> adjusted(tf.TensorShape([5, 8, 8]), tf.TensorShape([None, 8, 8, 1]))
    TensorShape([5, 8, 8, 1])
    """
    shapes = [shape]
    if shape.rank == expected.rank - 1 and expected[-1] == 1:
        shapes = [tf.TensorShape([*shape, 1])]
    elif shape.rank == expected.rank + 1 and shape[-1] == 1:
        shapes = [shape[:-1]]
    return next((each for each in shapes if expected.is_compatible_with(each)), None)


def described(source: Any) -> str:
    """Describe a nest of `tf.TensorSpec`, or of arrays: a single one as "float32 (4, 4)", without its axis B."""
    if isinstance(source, dict):
        return f"a dict of {', '.join(f'{name!r}: {described(each)}' for name, each in source.items()) or 'nothing'}"
    if isinstance(source, (list, tuple)):
        return f"a {type(source).__name__} of {' and '.join(map(described, source)) or 'nothing'}"
    return f"{source.dtype.name} ({', '.join(str(size or '?') for size in source.shape[1:])})"


def check_batches(source: Any, given: Any) -> None:
    """Refuse batches of sources that an encoder does not take, before Keras casts them or fails.

    Args:
        source: What the encoder takes, a nest of `tf.TensorSpec`.
        given: Of the batches, likewise.

    Raises:
        InputError: They have other inputs, shapes or numbers.
    """
    try:
        # What a nest of one input is called matters to nobody.
        pairs = [*zip(tf.nest.flatten(source), _alike(source, given), strict=True)]
    except (TypeError, ValueError):
        pairs = []
    if not pairs or not all(_takes(spec, leaf) for spec, leaf in pairs):
        raise InputError(f"the encoder reads {described(source)}; received batches of {described(given)}.")


def _alike(source: Any, given: Any) -> list[Any]:
    given = list(given) if isinstance(source, list) and isinstance(given, tuple) else given
    tf.nest.assert_same_structure(source, given)
    return tf.nest.flatten(given)


def _takes(spec: tf.TensorSpec, given: tf.TensorSpec) -> bool:
    fraction = given.dtype.is_floating or given.dtype.is_complex
    lossless = not fraction or (spec.dtype.is_floating and not given.dtype.is_complex)
    return lossless and adjusted(given.shape, spec.shape) is not None


@contextlib.contextmanager
def looked_up() -> Iterator[None]:
    """Refuse numbers that an embedding lacks, in one line: TensorFlow says it at the end of a trace.

    Raises:
        InputError: A block has looked one up.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if not (found := _LACKING.search(str(error))):
            raise
        number, count = map(int, found.groups())
        raise InputError(
            f"an embedding of the network has numbers from 0 to {count - 1:,}; received {number:,}: give others, or "
            "make it larger."
        ) from None
