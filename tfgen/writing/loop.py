"""The one loop: read the prompts, then choose tokens and feed each back, with everything it needs in one value.

The network enters as a callable (see `tfgen.networks.step`), so that tests can drive the loop with an alphabet. What
is chosen is the business of a strategy: `Sampling` draws, greedily or not; `Beams` searches. Whole texts, streams,
batches and sessions all run through `decode`.

Axis letters: B batch, T time, V vocabulary, N new tokens, K beams.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from tfgen.layers import time_major
from tfgen.sampling import chain as chains
from tfgen.sampling.selection import draws, select
from tfgen.sampling.transform import NEVER
from tfgen.vocabulary.vocabulary import END, PADDING


class Decoding(NamedTuple):
    """Where a batch of texts stands: all that the loop needs to go on.

    Attributes:
        network: The recurrent state after the last token of each row, see `networks.State`.
        logits: (B, V), of each row's next token.
        sampler: The state of each transform, see `sampling.Transform.start`.
        seeds: int64 (B, 2), each row's source of draws, see `sampling.row_seeds`.
        drawn: Scalar int32, how many tokens each row has drawn.
        finished: bool (B,), True for a row that has come to its end; it gives padding from there on.
    """

    network: Any
    logits: tf.Tensor
    sampler: Any
    seeds: tf.Tensor
    drawn: tf.Tensor
    finished: tf.Tensor


PLAIN = ("logits", "seeds", "drawn", "finished")
"""The parts of `Decoding` that are one tensor each, whatever the network and the sampler."""


class Choice(NamedTuple):
    """The next token of each row.

    Attributes:
        ids: int32 (B,); 0 in rows that were finished before.
        parents: int32 (B,), the row that each row goes on from; None where each goes on from itself.
        sampler: The states of the transforms after this token.
        record: What to remember of the step, as the strategy has declared.
    """

    ids: tf.Tensor
    parents: tf.Tensor | None
    sampler: Any
    record: dict[str, tf.Tensor]


class Strategy(Protocol):
    """How the next tokens are chosen."""

    @property
    def recorded(self) -> dict[str, tf.TensorSpec]:
        """What each step records, by name: tensors whose first axis is B."""

    def begin(self, state: Decoding, length: tf.Tensor) -> Any:
        """Give what the strategy carries through the loop, before its first step."""

    def choose(self, t: tf.Tensor, state: Decoding, carried: Any) -> tuple[Choice, Any]:
        """Choose the tokens of step `t` of this call."""


Step = Callable[[tf.Tensor, Any], tuple[tf.Tensor, Any]]


def begin(logits: tf.Tensor, network_state: Any, sampler: Any, seeds: tf.Tensor) -> Decoding:
    """Give the value from which a batch starts to write, after its prompts have been read."""
    rows = tf.shape(logits)[:1]
    return Decoding(network_state, logits, sampler, seeds, tf.constant(0), tf.zeros(rows, tf.bool))


def decode(
    step: Step, strategy: Strategy, state: Decoding, length: tf.Tensor, capacity: int | None = None
) -> tuple[Decoding, dict[str, tf.Tensor], Any]:
    """Write up to `length` tokens a row.

    Args:
        step: Maps (ids (B,), network state) to (logits (B, V), network state).
        strategy: Chooses.
        state: From `begin`, or from the call before: chunks give the text that one call gives.
        length: Scalar int32, at least 1.
        capacity: The largest `length`, to have the loop compiled by XLA for the number of rows of `state`, which must
            be known then. None runs it as a plain graph, with rows and length left open.

    Returns:
        The value to go on from; what the strategy recorded, each (B, N, ...), with "ids", int32 (B, N), among it; and
        what it carried in the end. N is `length`, or less (but at least 1) when every row has come to its end. A row
        that ends gives the end of text once and padding after it.
    """
    # What a strategy prepares is not for XLA: its random numbers might be others.
    carried = strategy.begin(state, length if capacity is None else tf.constant(capacity))
    if capacity is None:
        state, written, record, carried = _loop(step, strategy, None, state, length, carried)
    else:
        compiled = tf.function(functools.partial(_loop, step, strategy, capacity), jit_compile=True, autograph=False)
        state, written, record, carried = compiled(state, length, carried)
    return state, {name: time_major.swapped(steps[:written]) for name, steps in record.items()}, carried


def _loop(
    step: Step, strategy: Strategy, capacity: int | None, state: Decoding, length: tf.Tensor, carried: Any
) -> tuple[Decoding, tf.Tensor, dict[str, tf.Tensor], Any]:
    """Do what `decode` says; what was recorded is (capacity, B, ...) here, of which the first `written` steps count."""
    size, rows = length if capacity is None else capacity, state.finished.shape[:1]
    arrays = {
        name: tf.TensorArray(spec.dtype, size, element_shape=rows + spec.shape[1:])
        for name, spec in strategy.recorded.items()
    }

    def unfinished(t: tf.Tensor, state: Decoding, *_: Any) -> tf.Tensor:
        # One step at least: an empty TensorArray of rows of unknown number cannot be gathered.
        return (t < length) & ((t == 0) | ~tf.reduce_all(state.finished))

    def write_one(t: tf.Tensor, state: Decoding, carried: Any, arrays: Any) -> tuple[Any, ...]:
        choice, carried = strategy.choose(t, state, carried)
        arrays = {name: array.write(t, choice.record[name]) for name, array in arrays.items()}
        network, finished = _rows((state.network, state.finished), choice.parents)
        logits, network = step(choice.ids, network)
        finished |= choice.ids == END
        state = Decoding(network, logits, choice.sampler, state.seeds, state.drawn + 1, finished)
        return t + 1, state, carried, arrays

    written, state, carried, arrays = tf.while_loop(
        unfinished, write_one, (tf.constant(0), state, carried, arrays), parallel_iterations=1
    )
    # XLA knows no size but the whole; without it, what was not written cannot be read.
    steps = {name: a.gather(tf.range(written)) if capacity is None else a.stack() for name, a in arrays.items()}
    return state, written, steps, carried


class Sampling(NamedTuple):
    """Draws each token, or takes the likeliest at temperature 0.

    Attributes:
        allowed: bool (V,), the tokens that may ever be drawn.
        chain: Transforms, applied in the order given.
        min_length: Scalar int32: a row does not end before it has drawn so many tokens.
        alternatives: How many of the likeliest tokens to record at each step, with log-probabilities (nats) of what was
            drawn; 0 records the drawn ids alone. Part of the structure.
    """

    allowed: tf.Tensor
    chain: chains.Chain
    min_length: tf.Tensor
    alternatives: int = 0

    @property
    def recorded(self) -> dict[str, tf.TensorSpec]:
        """Ids, and on request what `record_scores` gives."""
        specs = {"ids": tf.TensorSpec([None], tf.int32)}
        if self.alternatives:
            specs |= {name: tf.TensorSpec([None], tf.float64) for name in ("log_p", "sampler_log_p")}
            specs["alternatives"] = tf.TensorSpec([None, self.alternatives], tf.int32)
            specs["alternatives_log_p"] = tf.TensorSpec([None, self.alternatives], tf.float64)
        return specs

    def begin(self, state: Decoding, length: tf.Tensor) -> tf.Tensor:
        """Draw the uniform numbers (N, B) of all steps."""
        return draws(state.seeds, state.drawn, length)

    def choose(self, t: tf.Tensor, state: Decoding, carried: tf.Tensor) -> tuple[Choice, tf.Tensor]:
        """Draw."""
        logits = _possible(state, self.allowed, self.min_length)
        shaped, given = chains.apply(self.chain, logits, state.sampler)
        drawn = select(shaped, carried[t])
        ids = tf.where(state.finished, PADDING, drawn)
        record = {"ids": ids, **(self._scores(logits, shaped, drawn) if self.alternatives else {})}
        return Choice(ids, None, chains.update(self.chain, state.sampler, ids, given), record), carried

    def _scores(self, logits: tf.Tensor, shaped: tf.Tensor, drawn: tf.Tensor) -> dict[str, tf.Tensor]:
        log_p = tf.nn.log_softmax(logits)
        likeliest = tf.math.top_k(log_p, self.alternatives)
        return {
            "log_p": tf.gather(log_p, drawn, batch_dims=1, axis=1),
            "sampler_log_p": tf.gather(tf.nn.log_softmax(shaped), drawn, batch_dims=1, axis=1),
            "alternatives": likeliest.indices,
            "alternatives_log_p": likeliest.values,
        }


class Beams(NamedTuple):
    """Searches for the likeliest text with K beams a prompt (Lowerre 1976), by log-probability over length^penalty.

    Rows of a batch are prompt-major: B is prompts times K, and all K rows of a prompt begin equal.

    Attributes:
        allowed: bool (V,), the tokens that may ever be chosen.
        chain: Transforms; the search is over the distribution that they give.
        min_length: Scalar int32: a row does not end before it has so many tokens.
        length_penalty: Scalar float64: 0 compares sums, 1 means per token (as Hugging Face's setting of this name).
        width: K. Part of the structure.
    """

    allowed: tf.Tensor
    chain: chains.Chain
    min_length: tf.Tensor
    length_penalty: tf.Tensor
    width: int

    @property
    def recorded(self) -> dict[str, tf.TensorSpec]:
        """Ids, and the row of the step before that each belongs to."""
        return {name: tf.TensorSpec([None], tf.int32) for name in ("ids", "parents")}

    def begin(self, state: Decoding, length: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Give scores and lengths of the beams, (P, K): one beam a prompt is alive, or its copies would tie with it."""
        prompts = tf.shape(state.finished)[0] // self.width
        scores = tf.where(tf.range(self.width) == 0, tf.constant(0.0, tf.float64), NEVER)
        return tf.tile(scores[tf.newaxis], [prompts, 1]), tf.zeros([prompts, self.width], tf.float64)

    def choose(self, t: tf.Tensor, state: Decoding, carried: Any) -> tuple[Choice, Any]:
        """Keep the K best of all continuations of all beams."""
        scores, lengths = carried
        shaped, given = chains.apply(self.chain, _possible(state, self.allowed, self.min_length), state.sampler)
        size = tf.shape(shaped)[1]
        # A finished text goes on with padding, at no cost.
        padding = tf.where(tf.range(size) == PADDING, tf.constant(0.0, tf.float64), NEVER)
        log_p = tf.where(state.finished[:, tf.newaxis], padding, tf.nn.log_softmax(shaped))
        lengths += tf.reshape(tf.cast(~state.finished, tf.float64), tf.shape(lengths))
        totals = scores[:, :, tf.newaxis] + tf.reshape(log_p, [-1, self.width, size])
        ranked = totals / lengths[:, :, tf.newaxis] ** self.length_penalty
        best = tf.math.top_k(tf.reshape(ranked, [-1, self.width * size]), self.width).indices
        beams, ids = best // size, tf.reshape(best % size, [-1])
        parents = tf.reshape(tf.range(tf.shape(best)[0])[:, tf.newaxis] * self.width + beams, [-1])
        scores = tf.gather(tf.reshape(totals, [-1, self.width * size]), best, batch_dims=1)
        lengths = tf.gather(lengths, beams, batch_dims=1)
        states, given = _rows((state.sampler, given), parents)
        choice = Choice(ids, parents, chains.update(self.chain, states, ids, given), {"ids": ids, "parents": parents})
        return choice, (scores, lengths)


def _possible(state: Decoding, allowed: tf.Tensor, min_length: tf.Tensor) -> tf.Tensor:
    """Give the logits in float64, without what may not come now."""
    too_early = (tf.range(tf.shape(allowed)[0]) == END) & (state.drawn < min_length)
    return tf.where(allowed & ~too_early, tf.cast(state.logits, tf.float64), NEVER)


def _rows(values: Any, rows: tf.Tensor | None) -> Any:
    return values if rows is None else tf.nest.map_structure(lambda value: tf.gather(value, rows), values)
