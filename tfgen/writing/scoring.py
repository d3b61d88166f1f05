"""How likely a model finds a text: the log-probability and the rank of every token.

Axis letters: B batch, T time, V vocabulary.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.networks import recurrent
from tfgen.vocabulary.vocabulary import END, PADDING

_ROWS = 64
# Logits of this many positions of a row are held at once, whatever the length of the text.
_PIECE = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Score:
    """What a model thinks of one text, read from its beginning.

    Attributes:
        text: The text.
        tokens: Its T tokens, as the model reads them.
        log_probabilities: float64 (T,), ln p(token | all before it), in nats, of the whole softmax, as in training.
        characters: How many characters (code points) were read: all but those that were skipped.
        ranks: int (T,), 1 where the token was the likeliest of all, 2 where one was likelier, and so on.
    """

    text: str
    tokens: tuple[str, ...]
    characters: int
    log_probabilities: npt.NDArray[np.float64]
    ranks: npt.NDArray[np.int32]

    @property
    def nats(self) -> float:
        """The whole text's cost: -ln p(text)."""
        return -math.fsum(self.log_probabilities)

    @property
    def nats_per_character(self) -> float:
        """`nats` over the number of characters, so that words and characters compare."""
        return self.nats / self.characters

    @property
    def bits_per_character(self) -> float:
        """`nats_per_character` over ln 2."""
        return self.nats_per_character / math.log(2)

    @property
    def perplexity(self) -> float:
        """Give e to the nats per token (Jelinek et al. 1977); infinity where that is too large a number."""
        with np.errstate(over="ignore"):
            return float(np.exp(self.nats / len(self.tokens)))


class Scorer:
    """Scores over one network, compiled once for texts of all lengths."""

    def __init__(self, network: keras.Sequential) -> None:
        """Take a network that passes `recurrent.check`."""
        self._network = network
        self._compiled = tf.function(self._score_piece, reduce_retracing=True, autograph=False)

    def __call__(
        self, texts: Sequence[npt.NDArray[np.integer[Any]]]
    ) -> list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        """Score rows of ids, each of at least one token.

        Returns:
            For each the log-probabilities, float64 (T,), and the ranks, int32 (T,).

        Raises:
            InputError: The network gives no numbers.
        """
        # Texts of about one length share a batch, so that little is padding.
        by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        scores: dict[int, tuple[npt.NDArray[Any], npt.NDArray[Any]]] = {}
        for begin in range(0, len(by_length), _ROWS):
            chosen = by_length[begin : begin + _ROWS]
            scores.update(zip(chosen, self._score_batch([texts[i] for i in chosen]), strict=True))
        return [scores[i] for i in range(len(texts))]

    def _score_batch(
        self, texts: list[npt.NDArray[np.integer[Any]]]
    ) -> list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]:
        lengths = np.array([len(text) for text in texts], np.int32)
        targets = np.full((len(texts), lengths.max()), PADDING, np.int32)
        for row, text in zip(targets, texts, strict=True):
            row[: len(text)] = text
        inputs = np.concatenate([np.full((len(texts), 1), END, np.int32), targets[:, :-1]], axis=1)
        state = recurrent.zero_state(self._network, len(texts))
        pieces = []
        for begin in range(0, lengths.max(), _PIECE):
            place = np.s_[:, begin : begin + _PIECE]
            *piece, state = self._compiled(tf.constant(inputs[place]), tf.constant(targets[place]), state)
            pieces.append([part.numpy() for part in piece])
        log_probabilities, ranks = (np.concatenate(parts, axis=1) for parts in zip(*pieces, strict=True))
        scores = [(log_probabilities[b, :n], ranks[b, :n]) for b, n in enumerate(lengths)]
        if any(np.isnan(log_p).any() for log_p, _ in scores):
            raise InputError(recurrent.NO_NUMBERS)
        return scores

    def _score_piece(
        self, inputs: tf.Tensor, targets: tf.Tensor, state: recurrent.State
    ) -> tuple[tf.Tensor, tf.Tensor, recurrent.State]:
        return score_tokens(self._network, inputs, targets, state)


def score_tokens(
    network: keras.Sequential, inputs: tf.Tensor, targets: tf.Tensor, state: recurrent.State
) -> tuple[tf.Tensor, tf.Tensor, recurrent.State]:
    """Score one token after another, in the graph.

    Args:
        network: A network that passes `recurrent.check`.
        inputs: Int (B, T), padded on the right.
        targets: Int (B, T), the token after each input.
        state: The state before the first input.

    Returns:
        Log-probabilities (nats, float64) and ranks (int32) of the targets, each (B, T), and the state after the inputs.
    """
    # Padding lies on the right, behind everything that is read off, so that no mask is needed.
    rows, state = recurrent.features(network, inputs, state)
    logits = tf.cast(recurrent.logits_of(network, rows), tf.float64)
    of_target = tf.gather(logits, targets[..., tf.newaxis], axis=-1, batch_dims=2)
    ranks = 1 + tf.reduce_sum(tf.cast(logits > of_target, tf.int32), axis=-1)
    return of_target[..., 0] - tf.reduce_logsumexp(logits, axis=-1), ranks, state
