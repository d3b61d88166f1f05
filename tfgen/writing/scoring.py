"""How likely a model finds a text: the log-probability and the rank of every token.

Axis letters: B batch, T time, V vocabulary.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.layers import graphs, time_major
from tfgen.networks import adapting
from tfgen.networks.adapting import Learner
from tfgen.networks.model import LanguageModel
from tfgen.support import interrupts
from tfgen.terms.faults import NO_DISTRIBUTION
from tfgen.vocabulary.vocabulary import END, PADDING
from tfgen.writing.like_lengths import in_batches
from tfgen.writing.loop import rows_of
from tfgen.writing.prefill import of_shapes, width_of

# So many logits are held at once, some 8 bytes each a few times over, whatever the texts and the vocabulary.
_LOGITS = 2**21
# Pieces are so many to a call, after which signals are obeyed.
_PIECES = 16


class Scorer:
    """Scores over one model, compiled once for texts of all lengths."""

    def __init__(self, model: LanguageModel) -> None:
        """Take a model."""
        self._model = model
        self._compiled = graphs.compiled(self._score, reduce_retracing=True)
        self._compiled_on = graphs.compiled(self._score_on, reduce_retracing=True)

    def __call__(
        self, texts: Sequence[npt.NDArray[np.integer[Any]]], context: Any = ()
    ) -> list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """Score rows of ids, each of at least one token.

        Args:
            texts: Ids of each text.
            context: Of the texts, one row each.

        Returns:
            For each the log-probabilities, float64 (T,), and the ranks, int32 (T,).

        Raises:
            InputError: The model's output is not a number.
        """
        scores: dict[int, tuple[npt.NDArray[Any], npt.NDArray[Any]]] = {}
        for chosen in in_batches([len(text) for text in texts]):
            of_batch = self._score_batch([texts[i] for i in chosen], rows_of(context, tf.constant(chosen)))
            scores.update(zip(chosen, of_batch, strict=True))
        return [scores[i] for i in range(len(texts))]

    def _score_batch(
        self, texts: list[npt.NDArray[np.integer[Any]]], context: Any
    ) -> list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        lengths = np.array([len(text) for text in texts], np.int32)
        ids = np.full((len(texts), 1 + lengths.max()), PADDING, np.int32)
        ids[:, 0] = END
        for row, text in zip(ids, texts, strict=True):
            row[1 : 1 + len(text)] = text
        span = _PIECES * int(_width(len(texts), self._model.size))
        parts, state = [], ()
        for begin in range(0, ids.shape[1] - 1, span):
            interrupts.check()
            piece = tf.constant(ids[:, begin : begin + span + 1])
            on = functools.partial(self._compiled_on, state=state) if begin else self._compiled
            log_p, ranks, state = on(piece, context)
            parts.append((log_p.numpy(), ranks.numpy()))
        log_probabilities, ranks = (np.concatenate(each, axis=1) for each in zip(*parts, strict=True))
        scores = [(log_probabilities[b, :n], ranks[b, :n]) for b, n in enumerate(lengths)]
        if any(np.isnan(log_p).any() for log_p, _ in scores):
            raise InputError(NO_DISTRIBUTION)
        return scores

    def _score(self, ids: tf.Tensor, context: Any) -> tuple[tf.Tensor, tf.Tensor, Any]:
        return score_tokens(self._model, ids, context)

    def _score_on(self, ids: tf.Tensor, context: Any, state: Any) -> tuple[tf.Tensor, tf.Tensor, Any]:
        return score_tokens(self._model, ids, context, state)


def _width(rows: Any, size: int) -> Any:
    """Give how many tokens of each of so many rows make a piece, where there are so many different ones."""
    return tf.minimum(tf.maximum(_LOGITS // (tf.maximum(rows, 1) * size), 1), width_of(rows))


def score_tokens(
    model: LanguageModel, ids: tf.Tensor, context: Any, state: Any = None
) -> tuple[tf.Tensor, tf.Tensor, Any]:
    """Score texts, token after token, in the graph and in pieces: what is held at once does not grow with their length.

    Args:
        model: What scores.
        ids: Int (B, 1 + T), T at least 1: what each text begins after, its tokens, and padding on the right.
        context: Of the rows.
        state: Before the first of them; None where texts begin.

    Returns:
        Log-probabilities (nats, float64) and ranks (int32) of all but the first of each row, (B, T); and the state
        before the last one, where T is a whole number of pieces.
    """
    rows, total = tf.shape(ids)[0], tf.shape(ids)[1] - 1
    start = model.start(context, rows) if state is None else state
    width = tf.minimum(_width(rows, model.size), total)
    pieces = -(-total // width)
    # All pieces are of one width, so that they can be joined; padding lies behind everything that is read off.
    ids = tf.pad(ids, [[0, 0], [0, pieces * width - total]])
    of_pieces = [tf.TensorArray(kind, pieces, element_shape=[None, None]) for kind in (tf.float64, tf.int32)]

    def score_piece(i: tf.Tensor, state: Any, of_pieces: list[tf.TensorArray]) -> tuple[Any, ...]:
        piece = ids[:, i * width : (i + 1) * width + 1]
        features, after = model.read(piece[:, :-1], None, state, context)
        scored = _scored(tf.cast(model.logits(features), tf.float64), piece[:, 1:])
        of_pieces = [array.write(i, value) for array, value in zip(of_pieces, scored, strict=True)]
        return i + 1, of_shapes(after, start), of_pieces

    _, state, of_pieces = tf.while_loop(
        lambda i, *_: i < pieces, score_piece, (tf.constant(0), start, of_pieces), parallel_iterations=1
    )
    log_p, ranks = (_side_by_side(array.stack())[:, :total] for array in of_pieces)
    return log_p, ranks, state


def score_learning(
    learner: Learner, ids: npt.NDArray[np.integer[Any]]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Score one text with a model that learns from it: each part is scored before it is learned from.

    Args:
        learner: The model.
        ids: Of the text (T,), at least one.

    Returns:
        Log-probabilities (nats, float64) and ranks (int32), (T,).

    Raises:
        InputError: The model's output is not a number.
    """
    text = np.concatenate([np.array([END], np.int32), ids])
    reading = learner.begin(text[:1])
    log_p, ranks = [], []
    for piece in adapting.pieces(text):
        each = reading.read(piece)
        of_target = np.take_along_axis(each, piece[1:, np.newaxis].astype(np.intp), axis=1)
        log_p.append(of_target[:, 0])
        ranks.append(1 + (each > of_target).sum(axis=1, dtype=np.int32))
        if np.isnan(log_p[-1]).any():
            raise InputError(NO_DISTRIBUTION)
        interrupts.check()
    return np.concatenate(log_p), np.concatenate(ranks)


def _scored(logits: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Give the log-probabilities and the ranks (B, T) of targets (B, T) under logits (B, T, V)."""
    of_target = tf.gather(logits, targets[..., tf.newaxis], axis=-1, batch_dims=2)
    ranks = 1 + tf.reduce_sum(tf.cast(logits > of_target, tf.int32), axis=-1)
    return of_target[..., 0] - tf.reduce_logsumexp(logits, axis=-1), ranks


def _side_by_side(pieces: tf.Tensor) -> tf.Tensor:
    """Turn pieces (N, B, T) into rows (B, N T)."""
    return tf.reshape(time_major.swapped(pieces), [tf.shape(pieces)[1], -1])
