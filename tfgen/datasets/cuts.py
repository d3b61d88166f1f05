"""Ids to batches: three ways to cut text, and the split into training and validation.

- `streams`: B parallel rows that run through the text from batch to batch, for a stateful network (truncated
  backpropagation through time, Williams and Peng 1990).
- `windows`: pieces of one length, in random order, each from the zero state.
- `documents`: one title, verse or name a row, from its beginning to its end of text.

Each gives `tf.data` datasets of `(inputs, targets)`, int32 (B, T), where the target of a position is the next token.
Every transition of the training part is a target exactly once an epoch; positions that only fill a batch up have target
0 (padding), which `TextGenerator` leaves out of loss and metrics. A batch is a function of (seed, epoch, step) alone; a
dataset counts its own epochs: each iterator made of it is one. Its `Course` knows where the next one begins.

Axis letters: B batch, T time.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.datasets import document_rows, memory_map, permutation
from tfgen.datasets.course import Batch, dataset_of, ids_spec
from tfgen.datasets.document_rows import Rows
from tfgen.datasets.shares import Share
from tfgen.errors import InputError, check_instance, real_number, whole_number
from tfgen.prepared.corpus import Prepared
from tfgen.support import wording
from tfgen.vocabulary.vocabulary import END, PADDING, Documents, OnUnknown, Vocabulary

Ids = npt.NDArray[np.integer]

# So many batches of a stream are read before pages are let go: a page has 4096 ids or less.
_ON_A_PAGE = 16
_PIECE = 1 << 20  # ids that are given together


def streams(
    corpus: Documents | Prepared,
    vocabulary: Vocabulary | None = None,
    *,
    batch_size: int = 64,
    length: int = 100,
    validation: float = 0.1,
    unknown: OnUnknown | None = None,
) -> tuple[tf.data.Dataset, tf.data.Dataset | None]:
    """Cut the text into `batch_size` parallel streams, and these into batches that follow on one another.

    Row b of a batch goes on where row b of the batch before stopped. Documents that end are joined, each between ends
    of text. The order is the text's own, so it needs no seed.

    Args:
        corpus: The text.
        vocabulary: Turns it into ids; a prepared corpus has its own.
        batch_size: B.
        length: T, over which gradients flow, at most.
        validation: Share of the text, its last part, that is kept from training; 0 for none.
        unknown: What a token outside the vocabulary does, see `Vocabulary.encode`. None: it is an error, but where the
            vocabulary has left tokens out and knows what the unknown one means.

    Returns:
        Training and validation batches, (B, T); None for no validation. All batches of a part are of one length, or
        of two that differ by one, so that each is a training step of the same weight.

    Raises:
        InputError: A setting is out of range, or the text is too short for it: the message says which one to lower.
    """
    _check_corpus(corpus)
    check(batch_size=batch_size, length=length, validation=validation)
    ids = joined_ids(corpus, vocabulary, unknown)
    training, held_out = _split_text(ids, validation)
    if len(training) < 2:
        raise InputError(
            f"the text is too short: it has {wording.number(len(ids), 'token')}, and none of the training part has one "
            "before it to be predicted from; give more text, or split it into characters rather than words."
        )
    if len(training) - 1 < batch_size * length:
        raise InputError(_too_short(len(training) - 1, batch_size, length))
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
    steps, begins = math.ceil(per_row / length), permutation.evenly(per_row, length)
    rows = np.arange(batch_size)[:, np.newaxis] * per_row

    def batch(_: int, step: int, share: Share) -> Batch:
        positions = share.of(rows) + np.arange(begins(step), begins(step + 1))
        # The last rows may be shorter than the others. The next batches lie on the same pages.
        inputs, targets = read(ids, positions, positions < transitions, keep=step % _ON_A_PAGE > 0)
        return inputs, share.targets(targets, batch_size)

    spec = ids_spec(batch_size, None if per_row % steps else per_row // steps)
    return dataset_of(batch, steps, (spec, spec))


def windows(
    corpus: Documents | Prepared,
    vocabulary: Vocabulary | None = None,
    *,
    batch_size: int = 64,
    length: int = 100,
    validation: float = 0.1,
    seed: int = 0,
    unknown: OnUnknown | None = None,
) -> tuple[tf.data.Dataset, tf.data.Dataset | None]:
    """Cut the text every `length` tokens and shuffle the pieces, each to be read from the zero state.

    Args:
        corpus: The text; documents that end are joined, each between ends of text.
        vocabulary: Turns it into ids; a prepared corpus has its own.
        batch_size: B; some batches may have a row less, all about as many.
        length: T; the last piece of the text may be shorter, and is padded.
        validation: Share of the text, its last part, that is kept from training; 0 for none.
        seed: Of the order, which is another one in each epoch.
        unknown: What a token outside the vocabulary does, see `Vocabulary.encode`. None: it is an error, but where the
            vocabulary has left tokens out and knows what the unknown one means.

    Returns:
        Training and validation batches; None for no validation.

    Raises:
        InputError: A setting is out of range, or the text is too short for it: the message says which one to lower.
    """
    _check_corpus(corpus)
    check(batch_size=batch_size, length=length, validation=validation, seed=seed)
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
    order = permutation.batches(count, batch_size, seed)

    def batch(epoch: int, step: int, share: Share) -> Batch:
        chosen = order(epoch, step)
        positions = share.of(chosen)[:, np.newaxis] * length + within
        inputs, targets = read(ids, positions, positions < transitions)
        return inputs, share.targets(targets, len(chosen))

    spec = ids_spec(None, length)
    return dataset_of(batch, math.ceil(count / batch_size), (spec, spec))


def documents(
    corpus: Documents | Prepared,
    vocabulary: Vocabulary | None = None,
    *,
    batch_size: int = 64,
    length: int = 500,
    validation: float = 0.1,
    seed: int = 0,
    unknown: OnUnknown | None = None,
) -> tuple[tf.data.Dataset, tf.data.Dataset | None]:
    """Give each document a row: the end of text before it is its first input, the one after it its last target.

    Documents of about one length share a batch, padded to the longest; batches come in random order.

    Args:
        corpus: Documents that end.
        vocabulary: Turns them into ids; a prepared corpus has its own.
        batch_size: B; some batches may have a row less, all about as many.
        length: The longest row. A longer document goes on in rows of its own, each from the zero state, whose first
            input is the last token of the row before: no transition is lost.
        validation: Share of the documents, chosen at random, that is kept from training; 0 for none.
        seed: Of that choice, and of the order, which is another one in each epoch.
        unknown: What a token outside the vocabulary does, see `Vocabulary.encode`. None: it is an error, but where the
            vocabulary has left tokens out and knows what the unknown one means.

    Returns:
        Training and validation batches (B, T), T at most `length`; None for no validation.

    Raises:
        InputError: A setting is out of range, the corpus is one running text, or it has too few documents.
    """
    _check_corpus(corpus)
    check(batch_size=batch_size, length=length, validation=validation, seed=seed)
    if not corpus.ends:
        raise InputError(
            "the corpus is one running text, not documents that end",
            [("", "use streams or windows"), ("lines", "load it with one document a line (lines=True, --lines)")],
        )
    ids = joined_ids(corpus, vocabulary, unknown)
    train, kept = document_rows.split(ids, length, _held_out(ids, validation, seed))
    return _documents(ids, train, batch_size, seed), _documents(ids, kept, batch_size, None) if validation else None


def _held_out(ids: Ids, validation: float, seed: int) -> Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]]:
    """Say which documents are kept from training, by their numbers.

    Raises:
        InputError: There are too few documents.
    """
    count = document_rows.count(ids)
    held_out = round(validation * count)
    if (validation and not held_out) or held_out == count:
        raise InputError(
            f"{count:,} documents cannot be split with validation {validation}: give more documents or set validation "
            "to 0."
        )

    def is_held_out(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        return permutation.shuffled(numbers, count, seed, -1) < held_out if held_out else np.zeros(len(numbers), bool)

    return is_held_out


def parts_of_training(
    corpus: Documents | Prepared,
    vocabulary: Vocabulary | None = None,
    *,
    documents: bool,
    validation: float = 0.1,
    seed: int = 0,
    unknown: OnUnknown | None = None,
) -> Iterator[Ids]:
    """Give the training part of `streams`, `windows` or `documents`, in parts that follow on one another.

    Args:
        corpus: The text.
        vocabulary: Turns it into ids; a prepared corpus has its own.
        documents: Whether it is that of `documents`, which are held out at random.
        validation: As for these three.
        seed: As for `documents`.
        unknown: As for these three.

    Raises:
        InputError: As for these three.
    """
    _check_corpus(corpus)
    check(batch_size=1, length=1, validation=validation, seed=seed)
    ids = joined_ids(corpus, vocabulary, unknown)
    if not documents:
        return _pieces(_split_text(ids, validation)[0])
    return _kept(ids, _held_out(ids, validation, seed))


def _pieces(ids: Ids) -> Iterator[Ids]:
    for begin in range(0, len(ids), _PIECE):
        yield np.array(ids[begin : begin + _PIECE])
        memory_map.let_go(ids)


def _kept(ids: Ids, held_out: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.bool_]]) -> Iterator[Ids]:
    """Give the end of text that all begins after, and the documents that are not held out, with their ends."""
    yield ids[:1]
    for numbers, begins, ends in document_rows.documents(ids):
        yield ids[begins[0] + 1 : ends[-1] + 1][np.repeat(~held_out(numbers), ends - begins)]
        memory_map.let_go(ids)


def _documents(ids: Ids, rows: Rows, batch_size: int, seed: int | None) -> tf.data.Dataset:
    of_batch = rows.batches(batch_size, seed)

    def batch(epoch: int, step: int, share: Share) -> Batch:
        places = of_batch(epoch, step)
        inputs, targets = read(ids, *document_rows.positions(share.of(places), places["length"].max()))
        return inputs, share.targets(targets, len(places))

    spec = ids_spec(None, None)
    return dataset_of(batch, math.ceil(len(rows) / batch_size), (spec, spec))


def joined_ids(corpus: Documents | Prepared, vocabulary: Vocabulary | None, unknown: OnUnknown | None = None) -> Ids:
    """Give the whole corpus as one row of ids (T,) of the smallest type, each document that ends between ends of text.

    Raises:
        InputError: A token is outside the vocabulary, see `streams`; a prepared corpus was prepared with another
            vocabulary; or one of the two is none.
    """
    _check_corpus(corpus)
    if isinstance(corpus, Prepared):
        return corpus.ids_of(vocabulary)
    if vocabulary is None:
        raise InputError("text needs a vocabulary: give Vocabulary.from_corpus(corpus), or a corpus that is prepared.")
    check_instance("the vocabulary", vocabulary, Vocabulary, "a tfgen.Vocabulary")
    unknown = vocabulary.on_unknown if unknown is None else unknown
    end = [np.array([END], vocabulary.id_type)] if corpus.ends else []
    pieces = [np.empty(0, vocabulary.id_type), *end]
    for text in corpus.documents:
        pieces += [*vocabulary.encode_pieces([text], unknown, vocabulary.id_type), *end]
    return np.concatenate(pieces)


def read(ids: Ids, positions: Ids, real: npt.NDArray[np.bool_], keep: bool = False) -> Batch:
    """Give inputs (B, T) and targets (B, T) from the positions that are real, and padding from all others.

    Pages of mapped ids are let go, unless they are to be kept for the next batch.
    """
    positions = np.where(real, positions, 0)
    batch = np.where(real, ids[positions], PADDING), np.where(real, ids[positions + 1], PADDING)
    if not keep:
        memory_map.let_go(ids)
    return batch


def _split_text(ids: Ids, validation: float) -> tuple[Ids, Ids]:
    cut = len(ids) - round(validation * len(ids))
    return ids[:cut], ids[cut:]


def check(batch_size: int, length: int, validation: float, seed: int = 0) -> None:
    """Refuse settings that are out of range, before any text is read.

    Raises:
        InputError: Names the setting.
    """
    whole_number("batch_size", batch_size, 1)
    whole_number("length", length, 1)  # which is written as an int32 for each row
    whole_number("seed", seed, 0, most=2**64 - 1)
    real_number("validation", validation, at_least=0, below=1)


def _check_corpus(corpus: object) -> None:
    if not isinstance(corpus, Documents | Prepared):
        raise InputError(f"a corpus is what tfgen.load_corpus gives; received {wording.shown(corpus)}.")
