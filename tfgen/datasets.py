"""Ids to batches: three ways to cut text, and the split into training and validation.

- `streams`: B parallel rows that run through the text from batch to batch, for a stateful network (truncated
  backpropagation through time, Williams and Peng 1990).
- `windows`: pieces of one length, in random order, each from the zero state.
- `documents`: one title, verse or name a row, from its beginning to its end of text.

Each gives `tf.data` datasets of `(inputs, targets)`, int32 (B, T), where the target of a position is the next token.
Every transition of the training part is a target exactly once an epoch; positions that only fill a batch up have target
0 (padding), which `TextGenerator` leaves out of loss and metrics. A batch is a function of (seed, epoch, step) alone; a
dataset counts its own epochs: each iterator made of it is one.

Axis letters: B batch, T time.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.vocabulary import END, PADDING, OnUnknown, Vocabulary

Ids = npt.NDArray[np.integer]
Batch = tuple[Ids, Ids]


class Texts(Protocol):
    """What batches are made from; `tfgen.corpora.Corpus` is one."""

    @property
    def documents(self) -> Sequence[str]:
        """The texts, in order."""

    @property
    def ends(self) -> bool:
        """Whether each document ends by itself, as a title does, rather than being cut off."""


def streams(
    corpus: Texts,
    vocabulary: Vocabulary,
    *,
    batch_size: int = 64,
    length: int = 100,
    validation: float = 0.1,
    unknown: OnUnknown = "unknown",
) -> tuple[tf.data.Dataset, tf.data.Dataset | None]:
    """Cut the text into `batch_size` parallel streams, and these into batches that follow on one another.

    Row b of a batch goes on where row b of the batch before stopped. Documents that end are joined, each between ends
    of text. The order is the text's own, so it needs no seed.

    Args:
        corpus: The text.
        vocabulary: Turns it into ids.
        batch_size: B.
        length: T, over which gradients flow.
        validation: Share of the text, its last part, that is kept from training; 0 for none.
        unknown: What a token outside the vocabulary does, see `Vocabulary.encode`.

    Returns:
        Training and validation batches, (B, T) all of them; None for no validation. A validation part that is shorter
        than B streams of T has a smaller T.

    Raises:
        InputError: A setting is out of range, or the text is too short for it: the message says which one to lower.
    """
    _check(batch_size=batch_size, length=length, validation=validation)
    ids = joined_ids(corpus, vocabulary, unknown)
    training, held_out = _split_text(ids, validation)
    if len(training) - 1 < batch_size * length:
        raise InputError(_too_short(max(len(training) - 1, 0), batch_size, length))
    if not validation:
        return _streams(training, batch_size, length), None
    transitions = max(len(held_out) - 1, 0)
    if transitions < batch_size:
        mend = f"lower batch_size to {transitions}" if transitions else f"raise validation above {validation}"
        raise InputError(
            f"the validation part is too short for {batch_size} streams: it has {transitions:,} tokens to predict; "
            f"{mend}, or set validation to 0."
        )
    return _streams(training, batch_size, length), _streams(held_out, batch_size, length)


def _too_short(transitions: int, batch_size: int, length: int) -> str:
    mends = []
    if transitions >= batch_size:
        mends.append(f"lower length to {transitions // batch_size}")
    if transitions >= length:
        mends.append(f"lower batch_size to {transitions // length}")
    if not mends:
        mends = [f"lower both batch_size to 1 and length to {transitions}"] * (transitions > 0) + ["give more text"]
    return (
        f"the text is too short: {transitions:,} tokens to predict, and batch_size {batch_size} times length {length} "
        f"needs {batch_size * length:,}; {' or '.join(mends)}."
    )


def _streams(ids: Ids, batch_size: int, length: int) -> tf.data.Dataset:
    transitions = len(ids) - 1
    per_row = math.ceil(transitions / batch_size)
    length = min(length, per_row)
    rows = np.arange(batch_size)[:, np.newaxis] * per_row
    within = np.arange(length)

    def batch(_: int, step: int) -> Batch:
        offsets = step * length + within
        positions = rows + offsets
        # The last row may be shorter than the others, and the last batch than its length.
        real = (offsets < per_row) & (positions < transitions)
        positions = np.where(real, positions, 0)
        return np.where(real, ids[positions], PADDING), np.where(real, ids[positions + 1], PADDING)

    return _dataset(batch, math.ceil(per_row / length), (batch_size, length))


def windows(
    corpus: Texts,
    vocabulary: Vocabulary,
    *,
    batch_size: int = 64,
    length: int = 100,
    validation: float = 0.1,
    seed: int = 0,
    unknown: OnUnknown = "unknown",
) -> tuple[tf.data.Dataset, tf.data.Dataset | None]:
    """Cut the text every `length` tokens and shuffle the pieces, each to be read from the zero state.

    Args:
        corpus: The text; documents that end are joined, each between ends of text.
        vocabulary: Turns it into ids.
        batch_size: B; the last batch of an epoch may be smaller.
        length: T; the last piece of the text may be shorter, and is padded.
        validation: Share of the text, its last part, that is kept from training; 0 for none.
        seed: Of the order, which is another one in each epoch.
        unknown: What a token outside the vocabulary does, see `Vocabulary.encode`.

    Returns:
        Training and validation batches; None for no validation.

    Raises:
        InputError: A setting is out of range, or the text is too short for it: the message says which one to lower.
    """
    _check(batch_size=batch_size, length=length, validation=validation, seed=seed)
    ids = joined_ids(corpus, vocabulary, unknown)
    training, held_out = _split_text(ids, validation)
    for name, part in (("training", training), ("validation", held_out)):
        transitions = max(len(part) - 1, 0)
        if transitions < length and (validation or name == "training"):
            mend = f"lower length to {transitions}" if transitions else "give more text"
            raise InputError(
                f"the {name} part is too short for one window of length {length}: it has {transitions:,} tokens to "
                f"predict; {mend}{', or set validation to 0' if name == 'validation' else ''}."
            )
    train = _windows(training, batch_size, length, seed)
    return train, _windows(held_out, batch_size, length, None) if validation else None


def _windows(ids: Ids, batch_size: int, length: int, seed: int | None) -> tf.data.Dataset:
    transitions = len(ids) - 1
    count = math.ceil(transitions / length)
    within = np.arange(length)

    @functools.lru_cache(maxsize=4)
    def order(epoch: int) -> Ids:
        return _order(seed, epoch, count)

    def batch(epoch: int, step: int) -> Batch:
        chosen = order(epoch)[step * batch_size : (step + 1) * batch_size]
        positions = chosen[:, np.newaxis] * length + within
        real = positions < transitions
        positions = np.where(real, positions, 0)
        return np.where(real, ids[positions], PADDING), np.where(real, ids[positions + 1], PADDING)

    return _dataset(batch, math.ceil(count / batch_size), (None, length))


def documents(
    corpus: Texts,
    vocabulary: Vocabulary,
    *,
    batch_size: int = 64,
    length: int = 500,
    validation: float = 0.1,
    seed: int = 0,
    unknown: OnUnknown = "unknown",
) -> tuple[tf.data.Dataset, tf.data.Dataset | None]:
    """Give each document a row: the end of text before it is its first input, the one after it its last target.

    Documents of about one length share a batch, padded to the longest; batches come in random order.

    Args:
        corpus: Documents that end.
        vocabulary: Turns them into ids.
        batch_size: B; the last batch of an epoch may be smaller.
        length: The longest row. A longer document goes on in rows of its own, each from the zero state, whose first
            input is the last token of the row before: no transition is lost.
        validation: Share of the documents, chosen at random, that is kept from training; 0 for none.
        seed: Of that choice, and of the order, which is another one in each epoch.
        unknown: What a token outside the vocabulary does, see `Vocabulary.encode`.

    Returns:
        Training and validation batches (B, T), T at most `length`; None for no validation.

    Raises:
        InputError: A setting is out of range, the corpus is one running text, or it has too few documents.
    """
    _check(batch_size=batch_size, length=length, validation=validation, seed=seed)
    if not corpus.ends:
        raise InputError(
            "the corpus is one running text, not documents that end; use streams or windows, or load it with one "
            "document a line (lines=True, --lines)."
        )
    held_out = round(validation * len(corpus.documents))
    if (validation and not held_out) or held_out == len(corpus.documents):
        raise InputError(
            f"{len(corpus.documents):,} documents cannot be split with validation {validation}: give more documents or "
            "set validation to 0."
        )
    order = np.random.Generator(np.random.Philox(key=[seed, 0])).permutation(len(corpus.documents))
    training_rows = _Rows([corpus.documents[i] for i in sorted(order[held_out:])], vocabulary, length, unknown)
    train = _documents(training_rows, batch_size, seed)
    if not validation:
        return train, None
    validation_rows = _Rows([corpus.documents[i] for i in sorted(order[:held_out])], vocabulary, length, unknown)
    return train, _documents(validation_rows, batch_size, None)


class _Rows:
    """Documents as one array of ids, and where the rows lie in it."""

    def __init__(self, texts: Sequence[str], vocabulary: Vocabulary, length: int, unknown: OnUnknown) -> None:
        end = np.array([END], np.int32)
        pieces = [end, *(piece for text in texts for piece in (vocabulary.encode(text, unknown), end))]
        self.ids = _compact(np.concatenate(pieces), vocabulary)
        ends = np.cumsum([0, *(len(text) + 1 for text in pieces[1::2])])
        starts = [np.arange(begin, end, length) for begin, end in itertools.pairwise(ends.tolist())]
        self.starts = np.concatenate(starts)
        stops = np.concatenate([np.minimum(s + length, e) for s, e in zip(starts, ends[1:], strict=True)])
        self.lengths = stops - self.starts

    def batch(self, rows: Ids) -> Batch:
        within = np.arange(self.lengths[rows].max())
        real = within < self.lengths[rows, np.newaxis]
        positions = np.where(real, self.starts[rows, np.newaxis] + within, 0)
        return np.where(real, self.ids[positions], PADDING), np.where(real, self.ids[positions + 1], PADDING)


def _documents(rows: _Rows, batch_size: int, seed: int | None) -> tf.data.Dataset:
    steps = math.ceil(len(rows.starts) / batch_size)

    @functools.lru_cache(maxsize=4)
    def order(epoch: int) -> list[Ids]:
        shuffled = _order(seed, epoch, len(rows.starts))
        # Stable, so that rows of one length stay in random order and meet others in each epoch.
        by_length = shuffled[np.argsort(rows.lengths[shuffled], kind="stable")]
        batches = [by_length[begin : begin + batch_size] for begin in range(0, len(by_length), batch_size)]
        return [batches[i] for i in _order(seed, epoch, steps)]

    def batch(epoch: int, step: int) -> Batch:
        return rows.batch(order(epoch)[step])

    return _dataset(batch, steps, (None, None))


def _order(seed: int | None, epoch: int, count: int) -> npt.NDArray[np.int64]:
    """Give the order of an epoch: a function of (seed, epoch), or the natural order where there is no seed."""
    if seed is None:
        return np.arange(count)
    return np.random.Generator(np.random.Philox(key=[seed, epoch + 1])).permutation(count)


def joined_ids(corpus: Texts, vocabulary: Vocabulary, unknown: OnUnknown = "error") -> Ids:
    """Give the whole corpus as one row of ids, each document that ends between ends of text."""
    end = [np.array([END], np.int32)] if corpus.ends else []
    pieces = [*end, *(ids for text in corpus.documents for ids in (vocabulary.encode(text, unknown), *end))]
    return _compact(np.concatenate(pieces), vocabulary)


def _compact(ids: Ids, vocabulary: Vocabulary) -> Ids:
    return ids.astype(np.min_scalar_type(len(vocabulary) - 1))


def _split_text(ids: Ids, validation: float) -> tuple[Ids, Ids]:
    cut = len(ids) - round(validation * len(ids))
    return ids[:cut], ids[cut:]


def _dataset(batch: Callable[[int, int], Batch], steps: int, shape: tuple[int | None, ...]) -> tf.data.Dataset:
    """Make a dataset of `steps` batches that counts its own epochs."""
    epochs = itertools.count()

    def this_epoch() -> list[int]:
        return [next(epochs)]

    def load(epoch: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def as_int32(epoch: np.int64, step: np.int64) -> Batch:
            inputs, targets = batch(int(epoch), int(step))
            return inputs.astype(np.int32), targets.astype(np.int32)

        inputs, targets = tf.numpy_function(as_int32, [epoch, step], (tf.int32, tf.int32))
        return tf.ensure_shape(inputs, shape), tf.ensure_shape(targets, shape)

    epoch = tf.data.Dataset.from_generator(this_epoch, output_signature=tf.TensorSpec([], tf.int64))
    numbered = epoch.flat_map(lambda e: tf.data.Dataset.range(steps).map(lambda s: (e, s)))
    # Keras counts a step too many where the number of batches is unknown.
    return numbered.map(load).apply(tf.data.experimental.assert_cardinality(steps)).prefetch(2)


def _check(batch_size: int, length: int, validation: float, seed: int = 0) -> None:
    for name, value, least in (("batch_size", batch_size, 1), ("length", length, 1), ("seed", seed, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
            raise InputError(f"{name} must be a whole number of at least {least}; received {value!r}.")
    if not 0 <= validation < 1:
        raise InputError(f"validation is a share, at least 0 and below 1; received {validation!r}.")
