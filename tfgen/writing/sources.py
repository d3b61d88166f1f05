"""What texts depend on beside themselves, from what a user gives to what a model takes.

Axis letters: B batch, P texts, S places of a source.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tfgen.errors import InputError, read_each
from tfgen.layers import graphs
from tfgen.networks.model import checked_context
from tfgen.networks.source_shapes import adjusted, described, looked_up
from tfgen.support import interrupts, wording
from tfgen.terms import sources
from tfgen.vocabulary.vocabulary import OnUnknown
from tfgen.writing.like_lengths import in_batches
from tfgen.writing.loop import rows_of

# So many sources are encoded at once: an encoder of pictures needs far more memory for a row than what it gives.
_ROWS = 256

# So many numbers are held of what was read of all sources: 1 GiB, and less than that of one batch that is written.
_MOST = 2**28


class Encoded(NamedTuple):
    """Sources, read.

    Attributes:
        context: What the model takes, a nest whose first axis is the number of sources.
        rows: How many sources there are.
        one: Whether a single source was given, which stands for all texts, and not several in a batch.
    """

    context: Any
    rows: int
    one: bool


class Sources:
    """Reads the sources of one model."""

    def __init__(self, model: Any) -> None:
        """Take a model; one that has a method `encode` reads its sources itself, see `networks.Conditioned`."""
        self._model = model
        self._encode: Callable[[Any], Any] | None = None
        if hasattr(model, "encode"):
            self._encode = graphs.compiled(model.encode, input_signature=[model.source])

    def context(self, source: Any, texts: int, several: bool, unknown: OnUnknown) -> tuple[Any, int, bool]:
        """Give the context of some texts.

        Args:
            source: As for `Writer.generate`.
            texts: P, how many texts were given.
            several: Whether they were given as a list.
            unknown: What a token of a source outside the vocabulary does.

        Returns:
            The context of all rows; how many rows there are, a single text or source being repeated; and whether these
            are several, which give a list.

        Raises:
            InputError: The source is not what the model takes, or there is another number of sources than of texts.
        """
        if not tf.nest.flatten(self._model.context):
            if source is not None:
                raise InputError("this model writes without a source; received one: remove it.")
            return (), texts, several
        if source is None:
            raise InputError(f"this model writes from a source, {self._described()}; received none.")
        encoded = self._encoded(source, texts, unknown)
        rows = texts if encoded.one else encoded.rows
        if not encoded.one and several and texts != rows:
            received = f"{wording.number(encoded.rows, 'source')} for {wording.number(texts, 'text')}"
            raise InputError(f"there must be one source for each text; received {received}.")
        repeated = np.zeros(rows, np.int32) if encoded.one and rows != 1 else None
        if repeated is not None and self._encode is not None:
            self._check_size(encoded.context, rows)
        return rows_of(encoded.context, repeated), rows, several or not encoded.one

    def _encoded(self, source: Any, texts: int, unknown: OnUnknown) -> Encoded:
        if self._encode is None:
            return Encoded(checked_context(self._model, source, texts), texts, texts == 1)
        if self._model.source_ids is None:
            batch, one = self._arrays(source)
            batches: list[tuple[Sequence[int], Any]] = [*_cut(batch)]
        else:
            given, one = sources.texts(source), isinstance(sources.plain(source), str)
            batches = [*self._of_like_lengths(given, unknown)]
        if not batches:
            return Encoded(_empty(self._model.context), 0, False)
        places = np.concatenate([of_rows for of_rows, _ in batches])
        if self._model.source_ids is not None:  # the last are the longest
            self._check_size(self._model.context, len(places), batches[-1][1].shape[1])
        read = []
        with looked_up():
            for _, batch in batches:
                interrupts.check()
                read.append(self._encode(batch))
                self._check_size(read[-1], len(places))
        context = tf.nest.map_structure(lambda *leaves: tf.concat(_alike(leaves), axis=0), *read)
        in_order = (np.diff(places) == 1).all()
        return Encoded(rows_of(context, None if in_order else np.argsort(places)), len(places), one)

    def _of_like_lengths(self, texts: list[str], unknown: OnUnknown) -> Iterator[tuple[list[int], tf.Tensor]]:
        """Give batches of ids (B, S), texts of about one length together, and the places of their rows."""
        for chosen in in_batches([*map(len, texts)]):
            places = sorted(chosen)
            try:
                yield places, tf.constant(self._model.source_ids([texts[i] for i in places], unknown))
            except InputError as error:
                if len(texts) == 1:
                    raise error.within("in the source") from None
                read_each("source", texts, lambda text: self._model.source_ids([text], unknown))
                raise

    def _check_size(self, context: Any, rows: int, places: int = 1) -> None:
        """Refuse sources of which more must be held than memory may have room for.

        Args:
            context: What is held, or its description.
            rows: Of how many sources.
            places: The size of each axis that the description leaves open.

        Raises:
            InputError: Says how much.
        """
        of_row = sum(math.prod(size or places for size in leaf.shape[1:]) for leaf in tf.nest.flatten(context))
        if of_row * rows > _MOST:
            raise InputError(
                f"{wording.number(rows, 'source')}, each taken as long as the longest, would make {of_row * rows:,} "
                f"numbers to keep (the limit is {_MOST:,}); give shorter ones, or fewer at once."
            )

    def _arrays(self, source: Any) -> tuple[Any, bool]:
        """Give arrays as tensors with a first axis of rows, and whether there was none."""
        expected = self._model.source
        leaves, specs = self._leaves(expected, source), tf.nest.flatten(expected)
        for exactly, one in itertools.product((True, False), (False, True)):
            found = [_of_batch(leaf, spec.shape, exactly, one) for leaf, spec in zip(leaves, specs, strict=True)]
            shapes = [shape for shape in found if shape is not None]
            if len(shapes) == len(specs) and len({shape[0] for shape in shapes}) == 1:
                given = zip(leaves, shapes, specs, strict=True)
                tensors = [tf.constant(leaf.reshape(shape), spec.dtype) for leaf, shape, spec in given]
                return tf.nest.pack_sequence_as(expected, tensors), one
        received = ", ".join(f"{leaf.dtype.name} {leaf.shape}" for leaf in leaves)
        raise InputError(f"this model writes from a source, {self._described()}; received {received}.")

    def _leaves(self, expected: Any, source: Any) -> list[Any]:
        """Give the arrays of a source in the order of the inputs, each of its input's type."""
        # A model of several inputs may have them as a list, and a user as a tuple.
        source = list(source) if isinstance(expected, list) and isinstance(source, tuple) else source
        try:
            return tf.nest.flatten(keras.tree.map_structure_up_to(expected, _array, expected, source))
        except InputError as error:
            raise error.within(f"this model writes from a source, {self._described()}") from None
        except (TypeError, ValueError):
            received = f"a dict of {wording.listing(map(str, source))}" if isinstance(source, dict) else None
            raise InputError(
                f"this model writes from a source, {self._described()}; received {received or wording.shown(source)}."
            ) from None

    def _described(self) -> str:
        if getattr(self._model, "source_ids", None):
            return "a text or a list of them"
        return described(getattr(self._model, "source", self._model.context))


def _array(spec: tf.TensorSpec, value: Any) -> Any:
    """Take a value as an array of the type that is expected."""
    if spec.dtype == tf.string:
        return np.asarray(value, object)
    return sources.as_type(sources.numbers(value), spec.dtype.as_numpy_dtype)


def _of_batch(leaf: Any, expected: tf.TensorShape, exactly: bool, one: bool) -> tf.TensorShape | None:
    """Give the shape that an array has as a batch, or as one row of it; None where it does not fit."""
    if leaf.shape == (0,):  # no source at all, which says nothing of its shape
        return tf.TensorShape([0, *(size or 1 for size in expected[1:])])
    shape = tf.TensorShape([*[1] * one, *leaf.shape])
    if exactly:
        return shape if expected.is_compatible_with(shape) else None
    return adjusted(shape, expected)


def _cut(batch: Any) -> Iterator[tuple[range, Any]]:
    """Give a nest of rows in pieces, and the places of the rows of each."""
    rows = len(tf.nest.flatten(batch)[0])
    for i in range(0, rows, _ROWS):
        yield range(i, min(i + _ROWS, rows)), tf.nest.map_structure(lambda leaf, i=i: leaf[i : i + _ROWS], batch)


def _alike(leaves: tuple[tf.Tensor, ...]) -> list[tf.Tensor]:
    """Fill tensors (B, S, ...) up with zeros on the right, which masks leave out, so that they can be put together."""
    shapes = np.array([leaf.shape.as_list() for leaf in leaves])
    missing = shapes.max(axis=0) - shapes
    missing[:, 0] = 0  # the rows
    return [tf.pad(leaf, [(0, size) for size in sizes]) for leaf, sizes in zip(leaves, missing.tolist(), strict=True)]


def _empty(context: Any) -> Any:
    return tf.nest.map_structure(
        lambda spec: tf.zeros([0, *(size or 1 for size in spec.shape[1:])], spec.dtype), context
    )
