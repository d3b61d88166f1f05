"""How the next tokens are chosen: drawn, greedily or not, or searched for.

Axis letters: B batch, V vocabulary, N new tokens, K beams, P prompts.
"""

import math
from typing import Any, NamedTuple

import tensorflow as tf

from tfgen.sampling import chain as chains
from tfgen.sampling.selection import draws, select
from tfgen.sampling.transform import NEVER
from tfgen.vocabulary.vocabulary import END, PADDING, UNKNOWN
from tfgen.writing.loop import Choice, Position, rows_of

_SMALLEST = 1e-250  # of what a log-probability is divided by, which gives no infinity


class Drawing(NamedTuple):
    """Draws each token, or takes the likeliest at temperature 0.

    Attributes:
        allowed: bool (V,), the tokens that may ever be drawn.
        chain: Transforms, applied in the order given.
        min_length: Scalar int32: a row does not end before it has drawn so many tokens.
        alternatives: How many of the likeliest tokens to record at each step, with log-probabilities (nats) of what was
            drawn; 0 records the drawn ids alone. Part of the structure.
        uniforms: float64 (N, B), the numbers that decide; None: those of the position's seeds and steps.
    """

    allowed: tf.Tensor
    chain: chains.Chain
    min_length: tf.Tensor
    alternatives: int = 0
    uniforms: tf.Tensor | None = None

    @property
    def recorded(self) -> dict[str, tf.TensorSpec]:
        """Ids, and on request what `record_scores` gives."""
        specs = {"ids": tf.TensorSpec([None], tf.int32)}
        if self.alternatives:
            specs |= {name: tf.TensorSpec([None], tf.float64) for name in ("log_p", "sampler_log_p")}
            specs["alternatives"] = tf.TensorSpec([None, self.alternatives], tf.int32)
            specs["alternatives_log_p"] = tf.TensorSpec([None, self.alternatives], tf.float64)
        return specs

    def begin(self, position: Position, length: tf.Tensor) -> tf.Tensor:
        """Give the uniform numbers (N, B) of all steps."""
        return draws(position.seeds, position.drawn, length) if self.uniforms is None else self.uniforms

    def choose(self, t: tf.Tensor, position: Position, carried: tf.Tensor) -> tuple[Choice, tf.Tensor]:
        """Draw."""
        logits = _possible(position, self.allowed, self.min_length)
        shaped, given = chains.apply(self.chain, logits, position.sampler)
        drawn = select(shaped, carried[t])
        nothing = (drawn == PADDING) & ~position.finished  # which has no logit that is finite, or has NaN among them
        drawn = tf.cond(tf.reduce_any(nothing), lambda: _reasons(drawn, nothing, logits), lambda: drawn)
        ids = tf.where(position.finished, PADDING, drawn)
        record = {"ids": ids, **(self._scores(logits, shaped, drawn) if self.alternatives else {})}
        return Choice(ids, None, chains.update(self.chain, position.sampler, ids, given), record), carried

    def _scores(self, logits: tf.Tensor, shaped: tf.Tensor, drawn: tf.Tensor) -> dict[str, tf.Tensor]:
        log_p = tf.nn.log_softmax(logits)
        likeliest = tf.math.top_k(log_p, self.alternatives)
        return {
            "log_p": tf.gather(log_p, drawn, batch_dims=1, axis=1),
            "sampler_log_p": tf.gather(tf.nn.log_softmax(shaped), drawn, batch_dims=1, axis=1),
            "alternatives": likeliest.indices,
            "alternatives_log_p": likeliest.values,
        }


class BeamSearch(NamedTuple):
    """Searches for the likeliest text with some beams a prompt (Lowerre 1976), by log-probability over length^penalty.

    Rows of a batch are prompt-major: B is prompts times K, and all K rows of a prompt begin equal.

    Attributes:
        allowed: bool (V,), the tokens that may ever be chosen.
        chain: Transforms; the search is over the distribution that they give.
        min_length: Scalar int32: a row does not end before it has so many tokens.
        length_penalty: Scalar float64: 0 compares sums, 1 means per token (as Hugging Face's setting of this name).
        width: K, for how many beams there is room. Part of the structure.
        beams: Scalar int32: how many of them are searched with; the rest has no probability.
        so_far: Scores and lengths of the beams, both float64 (P, K): of `first_beams`, or of the search before, which
            goes on. A score is NaN from where the model has lost its distribution.
    """

    allowed: tf.Tensor
    chain: chains.Chain
    min_length: tf.Tensor
    length_penalty: tf.Tensor
    width: int
    beams: tf.Tensor
    so_far: tuple[tf.Tensor, tf.Tensor]

    @property
    def recorded(self) -> dict[str, tf.TensorSpec]:
        """Ids, and the row of the step before that each belongs to."""
        return {name: tf.TensorSpec([None], tf.int32) for name in ("ids", "parents")}

    def begin(self, position: Position, length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Give scores and lengths of the beams, (P, K)."""
        return self.so_far

    def choose(self, t: tf.Tensor, position: Position, carried: Any) -> tuple[Choice, Any]:
        """Keep the K best of all continuations of all beams."""
        scores, lengths = carried
        logits = _possible(position, self.allowed, self.min_length)
        shaped, given = chains.apply(self.chain, logits, position.sampler)
        size = tf.shape(shaped)[1]
        # A finished text goes on with padding, at no cost; so do the beams of a prompt that has no way on.
        padding = tf.where(tf.range(size) == PADDING, tf.constant(0.0, tf.float64), NEVER)
        log_p = tf.where(shaped > NEVER, tf.nn.log_softmax(shaped), NEVER)
        log_p = tf.where(position.finished[:, tf.newaxis], padding, log_p)
        log_p = tf.reshape(log_p, [-1, self.width, size])
        ways = tf.reduce_any((scores > NEVER) & tf.reduce_any(log_p > NEVER, axis=-1), axis=-1)
        log_p = tf.where(ways[:, tf.newaxis, tf.newaxis], log_p, padding)
        lost = tf.reshape(~_is_distribution(logits) & ~position.finished, tf.shape(scores)) & (scores > NEVER)
        scores = tf.where(tf.reduce_any(lost, axis=-1, keepdims=True), tf.constant(math.nan, tf.float64), scores)
        lengths += tf.reshape(tf.cast(~position.finished, tf.float64), tf.shape(lengths))
        totals = scores[:, :, tf.newaxis] + log_p
        ranked = per_length(totals, lengths[:, :, tf.newaxis], self.length_penalty)
        best = tf.math.top_k(tf.reshape(ranked, [-1, self.width * size]), self.width).indices
        beams, ids = best // size, best % size
        parents = tf.reshape(tf.range(tf.shape(best)[0])[:, tf.newaxis] * self.width + beams, [-1])
        scores = tf.gather(tf.reshape(totals, [-1, self.width * size]), best, batch_dims=1)
        scores = tf.where(tf.range(self.width) < self.beams, scores, NEVER)
        ids = tf.reshape(tf.where(scores == NEVER, PADDING, ids), [-1])  # what cannot be has ended
        lengths = tf.gather(lengths, beams, batch_dims=1)
        states, given = rows_of((position.sampler, given), parents)
        choice = Choice(ids, parents, chains.update(self.chain, states, ids, given), {"ids": ids, "parents": parents})
        return choice, (scores, lengths)


def first_beams(prompts: int, width: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Give scores and lengths of beams before their first token: one a prompt is alive, or its copies would tie.

    Args:
        prompts: P.
        width: K.

    Returns:
        Both float64 (P, K).
    """
    scores = tf.where(tf.range(width) == 0, tf.constant(0.0, tf.float64), NEVER)
    return tf.tile(scores[tf.newaxis], [prompts, 1]), tf.zeros([prompts, width], tf.float64)


def per_length(totals: tf.Tensor, lengths: tf.Tensor, penalty: tf.Tensor) -> tf.Tensor:
    """Give log-probabilities over length^penalty, of each prompt (the first axis) times a number of its own, so that no
    power is too large.
    """
    longest = tf.reduce_max(lengths, axis=list(range(1, lengths.shape.rank)), keepdims=True)
    return totals / tf.maximum((lengths / tf.maximum(longest, 1.0)) ** penalty, _SMALLEST)


def _reasons(drawn: tf.Tensor, nothing: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Say of rows for which there is nothing to draw whether that is the model's fault, by the id of the unknown."""
    return tf.where(nothing & ~_is_distribution(logits), UNKNOWN, drawn)


def _is_distribution(logits: tf.Tensor) -> tf.Tensor:
    """Say whether logits (B, V) are those of some distribution: bool (B,)."""
    return tf.reduce_any(logits > NEVER, axis=-1) & ~tf.reduce_any(tf.math.is_nan(logits), axis=-1)


def _possible(position: Position, allowed: tf.Tensor, min_length: tf.Tensor) -> tf.Tensor:
    """Give the logits in float64, without what may not come now."""
    too_early = (tf.range(tf.shape(allowed)[0]) == END) & (position.drawn < min_length)
    return tf.where(allowed & ~too_early, tf.cast(position.logits, tf.float64), NEVER)
