"""Sources and the texts written from them, to batches: a picture and its captions, a date and its ISO form.

A pair is a row: its text, from the end of text before it to the one after it, and its source beside it. What holds of
`tfgen.datasets.documents` holds here; and no source is in both parts of the split.

Axis letters: B batch, T time, S places of a source, N sources, R pairs.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.corpora.corpus import find_forbidden
from tfgen.datasets import cuts, document_rows, pair_sources, permutation
from tfgen.datasets.course import Batch, dataset_of, ids_spec
from tfgen.datasets.document_rows import Rows
from tfgen.datasets.pair_sources import Sources
from tfgen.datasets.shares import Share
from tfgen.errors import InputError, check_choice, check_instance
from tfgen.prepared.corpus import Prepared
from tfgen.support import wording
from tfgen.terms import sources as sources_given
from tfgen.vocabulary.vocabulary import Documents, OnUnknown, Vocabulary

Ids = npt.NDArray[np.integer[Any]]
Numbers = npt.NDArray[np.int64]
HoldOut = Literal["source", "text"]

# A pair: where its text lies in the ids of all texts, and its source in those of all sources, or which of them it is.
_PAIR = np.dtype([("start", np.int64), ("length", np.int32), ("source", np.int64), ("source_length", np.int32)])
_TOGETHER = 1 << 16  # pairs that are looked at at once
_POOLED = 50  # batches, among whose pairs those with sources of like lengths are found


def pairs(
    sources: Any,
    texts: Any,
    vocabulary: Vocabulary | None = None,
    *,
    source_vocabulary: Vocabulary | None = None,
    batch_size: int = 64,
    length: int | None = None,
    validation: float = 0.1,
    hold_out: HoldOut = "source",
    seed: int = 0,
    unknown: OnUnknown | None = None,
) -> tuple[tf.data.Dataset, tf.data.Dataset | None]:
    """Give each text a row, with its source beside it, for a generator with an encoder.

    Pairs whose sources are texts of about one length share a batch, padded to the longest; batches come in random
    order.

    Args:
        sources: N of them: an array whose first axis is N, such as pictures (N, height, width, channels), or a list of
            them one by one; a dict, tuple or list of such arrays for an encoder with several inputs; or texts, as a
            list or an array of str, a `Corpus` or `Prepared`.
        texts: What is written from each: N texts, likewise; or for each source a list of one or several (the captions
            of a picture), each of which makes a pair.
        vocabulary: Turns texts into ids; prepared ones have their own.
        source_vocabulary: Turns sources into ids, where they are texts: that of the encoder.
        batch_size: B; one batch of an epoch may be smaller.
        length: The most tokens of a text, its end included; a longer one is refused. None: it may be of any length.
        validation: Share of the sources, chosen at random, that is kept from training; 0 for none.
        hold_out: "source": all pairs of a source are held out, or none, and equal sources are one. "text": the same of
            texts, where sources are few, such as labels, and all of them must be trained on.
        seed: Of that choice, and of the order, which is another one in each epoch.
        unknown: What a token outside a vocabulary does, see `Vocabulary.encode`. None: it is an error, but where the
            vocabulary has left tokens out and knows what the unknown one means.

    Returns:
        Training and validation batches `((source, ids), targets)`; None for no validation. ids and targets are int32
        (B, T); a source that is text is int32 (B, S), closed by an end of text.

    Raises:
        InputError: A setting is out of range, or the sources and the texts do not go together.
    """
    cuts.check(batch_size, 1 if length is None else length, validation, seed)
    check_choice("hold_out", hold_out, ["source", "text"])
    for given in (vocabulary, source_vocabulary):
        check_instance("a vocabulary", given, Vocabulary | None, "a tfgen.Vocabulary")
    if vocabulary is not None and not vocabulary.ends:
        raise InputError(
            "the vocabulary must know the end of a text, or texts would never end: make it with ends=True."
        )
    sources, texts = sources_given.plain(sources), sources_given.plain(texts)
    texts, owners = _flattened(texts)
    ids = _joined("texts", texts, vocabulary, unknown)
    places = document_rows.places_of(ids)
    expected = len(places) if owners is None else int(owners[-1]) + 1
    if not expected:
        raise InputError("there must be at least one text, and a source for it; received none.")
    table = _Table(ids, places, owners, _sources(sources, expected, source_vocabulary, unknown))
    if expected != len(table.sources):
        raise InputError(
            f"there must be one source for each text, or list of texts; received "
            f"{wording.number(len(table.sources), 'source')} and {expected:,} of these."
        )
    if length is not None:
        table.check_length(length)
    held_out = _held_out(table.contents(hold_out), validation, seed, hold_out)
    train, kept = table.split(held_out, batch_size)
    return _dataset(table, train, batch_size, seed), _dataset(table, kept, batch_size, None) if validation else None


def different(sources: Documents | Prepared, most: int) -> int:
    """Count different sources, up to so many."""
    if isinstance(sources, Prepared):
        texts = pair_sources.Texts(sources.ids)
        contents: Iterable[Any] = map(texts.content, range(len(texts)))
    else:
        contents = sources.documents
    seen: set[Any] = set()
    for each in contents:
        seen.add(each)
        if len(seen) == most:
            break
    return len(seen)


class _Listed(NamedTuple):
    """Texts at hand, as `joined_ids` takes them."""

    documents: Any
    ends: bool = True


def _flattened(texts: Any) -> tuple[Any, Numbers | None]:
    """Give texts one by one, and the number of the source of each; None where each has a source of its own."""
    if not isinstance(texts, (list, tuple)) or all(isinstance(each, str) for each in texts):
        return texts, None
    for number, some in enumerate(texts, start=1):
        if not isinstance(some, (list, tuple)) or not some:
            raise InputError(
                "texts must be a list of texts, or for each source a list of at least one; received "
                f"{wording.shown(some)} as number {number:,}."
            )
    owners = np.repeat(np.arange(len(texts)), [len(some) for some in texts])
    return [text for some in texts for text in some], owners


def _sources(given: Any, count: int, vocabulary: Vocabulary | None, unknown: OnUnknown | None) -> Sources:
    if isinstance(given, Prepared) or hasattr(given, "documents") or sources_given.are_texts(given):
        if vocabulary is None and not isinstance(given, Prepared):
            raise InputError("sources that are texts need a source_vocabulary: that of the encoder.")
        return pair_sources.Texts(_joined("sources", given, vocabulary, unknown))
    return pair_sources.Arrays(given, count)


def _joined(name: str, given: Any, vocabulary: Vocabulary | None, unknown: OnUnknown | None) -> Ids:
    """Give the ids of all texts, each between ends of text."""
    if not (isinstance(given, Prepared) or hasattr(given, "documents")):
        if not isinstance(given, (list, tuple, np.ndarray)) or not all(isinstance(text, str) for text in given):
            raise InputError(f"{name} must be a list of str; received {wording.shown(given)}.")
        for number, text in enumerate(given, start=1):
            if found := find_forbidden(text):
                raise InputError(f"number {number:,} of the {name} holds {found}; remove it.")
        given = _Listed(given)
    if not given.ends:
        raise InputError(f"the {name} are one running text; give one for each pair, such as a column of a table.")
    try:
        return cuts.joined_ids(given, vocabulary, unknown)
    except InputError as error:
        raise error.within(f"in the {name}") from None


class _Table(NamedTuple):
    """All pairs.

    Attributes:
        ids: Of all texts, each between ends of text.
        texts: Where each text lies (R,).
        owners: The number of the source of each, int64 (R,); None: its own.
        sources: N of them.
    """

    ids: Ids
    texts: document_rows.Places
    owners: Numbers | None
    sources: Sources

    def check_length(self, length: int) -> None:
        """Refuse a text of more tokens."""
        too_long = np.flatnonzero(self.texts["length"] > length)
        if len(too_long):
            tokens = self.texts["length"][too_long[0]]
            raise InputError(
                f"text {too_long[0] + 1:,} has {tokens:,} tokens, its end included, and length is {length:,}: raise "
                f"length, or leave out {wording.number(len(too_long), 'text')} of this kind."
            )

    def contents(self, of: HoldOut) -> npt.NDArray[np.uint64]:
        """Tell sources, or texts, apart: for each pair (R,) a hash, which equal ones share."""
        if of == "source":
            hashes = _hashes(map(self.sources.content, range(len(self.sources))))
            return hashes if self.owners is None else hashes[self.owners]
        return _hashes(self.ids[start : start + length].tobytes() for start, length in self.texts)

    def _pairs(self, begin: int) -> npt.NDArray[np.void]:
        """Give some pairs, from that number on."""
        texts = self.texts[begin : begin + _TOGETHER]
        table = np.empty(len(texts), _PAIR)
        table["start"], table["length"] = texts["start"], texts["length"]
        numbers = np.arange(begin, begin + len(texts))
        numbers = numbers if self.owners is None else self.owners[numbers]
        table["source"], table["source_length"] = self.sources.places(numbers)
        return table

    def split(self, held_out: npt.NDArray[np.bool_], batch_size: int) -> tuple[Rows, Rows]:
        """Give the rows that are trained on, and those that are held out."""
        with tempfile.TemporaryFile() as trained_on, tempfile.TemporaryFile() as kept:
            for begin in range(0, len(self.texts), _TOGETHER):
                out, some = held_out[begin : begin + _TOGETHER], self._pairs(begin)
                some[~out].tofile(trained_on)
                some[out].tofile(kept)
            # Not by the length of texts: those of one length are often of one kind, and batches of one kind each pull
            # the weights this way and that.
            by, pool = "source_length", _POOLED * batch_size
            return Rows(trained_on, _PAIR, by, pool), Rows(kept, _PAIR, by, pool)


def _hashes(contents: Iterator[bytes]) -> npt.NDArray[np.uint64]:
    return np.frombuffer(b"".join(hashlib.blake2b(each, digest_size=8).digest() for each in contents), np.uint64)


def _held_out(contents: npt.NDArray[np.uint64], validation: float, seed: int, of: HoldOut) -> npt.NDArray[np.bool_]:
    """Choose which pairs are held out: bool (R,)."""
    if not validation:
        return np.zeros(len(contents), bool)
    different = np.unique(contents)
    number = round(validation * len(different))
    if number in (0, len(different)):
        other = [("hold_out", 'hold out texts with hold_out="text"')] if of == "source" else []
        raise InputError(
            f"{wording.number(len(different), f'different {of}')} cannot be split with validation {validation}",
            [("", "give more"), *other, ("", "set validation to 0")],
        )
    chosen = permutation.shuffled(np.arange(len(different)), len(different), seed, -1) < number
    return chosen[np.searchsorted(different, contents)]


def _dataset(table: _Table, rows: Rows, batch_size: int, seed: int | None) -> tf.data.Dataset:
    of_batch = rows.batches(batch_size, seed)

    def batch(epoch: int, step: int, share: Share) -> Batch:
        places = of_batch(epoch, step)
        own = share.of(places)
        inputs, targets = cuts.read(table.ids, *document_rows.positions(own, places["length"].max()))
        source = table.sources.batch(own["source"], own["source_length"], places["source_length"].max())
        return (source, inputs), share.targets(targets, len(places))

    spec = ids_spec(None, None)
    return dataset_of(batch, math.ceil(len(rows) / batch_size), ((table.sources.spec, spec), spec))
