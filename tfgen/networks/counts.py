"""Counted n-grams as a language model: its state is the last tokens.

Axis letters: B batch, T time, V vocabulary, K tokens of the longest context.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError, check_instance, whole_number
from tfgen.layers.ngrams import NGrams
from tfgen.networks.model import fingerprint_of
from tfgen.ngrams import counting, kneser_ney
from tfgen.ngrams.tables import Tables
from tfgen.support import wording
from tfgen.vocabulary.vocabulary import PADDING, UNKNOWN, Vocabulary

LONGEST = 32  # tokens of an n-gram: beyond ten nothing is gained, and much memory taken


class Counts:
    """A language model of a Sequential whose layer is a table of n-grams; see `tfgen.networks.LanguageModel`.

    Attributes:
        network: The Sequential.
    """

    context = ()
    supports_jit = True
    dtype = tf.float32

    def __init__(self, network: keras.Sequential) -> None:
        """Take a network that `ngram` or `of_tables` has made.

        Raises:
            InputError: It is another one.
        """
        if not is_counts(network):
            raise InputError(f"the network must be counts, as networks.ngram gives; received {wording.shown(network)}.")
        self.network = network
        self._layer: NGrams = network.layers[-1]

    @property
    def size(self) -> int:
        """Give V."""
        return self._layer.vocabulary_size

    def start(self, context: Any, rows: Any) -> tf.Tensor:
        """Give the state before the first token: padding, int32 (B, K), which no counted text has."""
        return tf.fill([rows, self._layer.order - 1], PADDING)

    def read(
        self, ids: tf.Tensor, lengths: tf.Tensor | None, state: tf.Tensor, context: Any = ()
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Read texts: the contexts of each next token (B, T, K), and the state after each row's last token."""
        text = tf.concat([state, tf.cast(ids, tf.int32)], axis=1)
        before = self._layer.order - 1
        if lengths is None:
            return self._layer.nodes(text), text[:, tf.shape(ids)[1] :]
        last = lengths[:, tf.newaxis] + tf.range(before)
        return self._layer.nodes(text), tf.gather(text, last, axis=1, batch_dims=1)

    def logits(self, features: tf.Tensor) -> tf.Tensor:
        """Give the logarithms of the distributions of contexts: (..., K) to (..., V)."""
        return tf.math.log(self._layer.probabilities(features))

    def step(self, ids: tf.Tensor, state: tf.Tensor, context: Any = ()) -> tuple[tf.Tensor, tf.Tensor]:
        """Read one token a row: logits (B, V) of the next token, and the state after this one."""
        text = tf.concat([state, tf.cast(ids, tf.int32)[:, tf.newaxis]], axis=1)
        p = self._layer.probabilities(self._layer.nodes(text)[:, 0], compiled=True)
        return tf.math.log(p), text[:, 1:]

    def fingerprint(self, salt: bytes = b"") -> str:
        """Give a hash of the tables; the salt is hashed before them."""
        return fingerprint_of(self.network, salt)


def is_counts(network: Any) -> bool:
    """Whether a network is a table of n-grams."""
    return isinstance(network, keras.Sequential) and any(isinstance(layer, NGrams) for layer in network.layers)


def ngram(ids: npt.ArrayLike | Iterator[npt.ArrayLike], vocabulary: Vocabulary, *, order: int = 7) -> keras.Sequential:
    """Count the n-grams of a text, and smooth them; see `tfgen.ngrams.kneser_ney`.

    Args:
        ids: Of the text, int (T,), each document that ends between ends of text; or an iterator over parts of it, which
            follow on one another and need not be in memory together.
        vocabulary: What the ids mean, and what may be written at all.
        order: How many tokens an n-gram has at most: the last one, and those that it is predicted from.

    Returns:
        A Sequential of one layer, `tfgen.layers.NGrams`, from ids (B, T) to probabilities (B, T, V).

    Raises:
        InputError: There is nothing to count, an id is none of the vocabulary, or `order` is out of its range.

    >>> vocabulary = Vocabulary.from_texts(["abab"])
    >>> network = ngram(vocabulary.encode("abababab"), vocabulary, order=3)
    >>> [round(float(p), 2) for p in network(vocabulary.encode("ab")[np.newaxis])[0, -1]]
    [0.0, 0.0, 0.0, 0.93, 0.07]
    """
    return of_tables(tables_of(ids, vocabulary, order))


def tables_of(ids: npt.ArrayLike | Iterator[npt.ArrayLike], vocabulary: Vocabulary, order: int) -> Tables:
    """Give the tables of the network that `ngram` makes, with its arguments."""
    check_instance("the vocabulary", vocabulary, Vocabulary, "a tfgen.Vocabulary")
    order = whole_number("order", order, 1, most=LONGEST)
    parts = ids if isinstance(ids, Iterator) else iter([ids])
    counts = counting.count((_checked(part, len(vocabulary)) for part in parts), order, len(vocabulary))
    if not len(counts.times):
        raise InputError("there is no token to count; give a text of at least one.")
    possible = vocabulary.writable.copy()
    possible[UNKNOWN] = bool(vocabulary.counts[UNKNOWN])  # what was left out of the vocabulary is read, if not written
    return kneser_ney.smoothed(counts, possible)


def of_tables(tables: Tables) -> keras.Sequential:
    """Give a network that holds tables of n-grams."""
    network = keras.Sequential(
        [keras.Input((None,), dtype="int32", name="ids"), NGrams(**tables.settings, name="ngrams")], name="network"
    )
    network.set_weights(tables.arrays)
    return network


def _checked(part: Any, size: int) -> npt.NDArray[np.integer[Any]]:
    """Give a part of a text as an array of ids (T,).

    Raises:
        InputError: It is none.
    """
    try:
        ids = np.asarray(part)
    except (TypeError, ValueError, OverflowError):
        ids = np.empty(())
    if ids.ndim != 1 or not (ids.dtype.kind in "iu" or not len(ids)):
        raise InputError(f"ids must be whole numbers (T,), as Vocabulary.encode gives; received {wording.shown(part)}.")
    if len(ids) and not 0 < int(ids.min()) <= int(ids.max()) < size:
        raise InputError(f"ids must be from 1 to {size - 1}; received {int(ids.min())} to {int(ids.max())}.")
    return ids
