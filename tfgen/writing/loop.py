"""The one loop: choose tokens and feed each back, with everything it needs in one value.

The model enters as a callable, its `step` in the context of the texts. What is chosen is the business of a strategy,
see `tfgen.writing.strategies`. Whole texts, streams, batches, searches, sessions and exports all run through `decode`.

Axis letters: B batch, V vocabulary, N new tokens.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from tfgen.layers import time_major
from tfgen.vocabulary.vocabulary import END


class Position(NamedTuple):
    """Where a batch of texts stands: all that the loop needs to go on.

    Attributes:
        state: The model's, after the last token of each row, see `networks.LanguageModel`.
        logits: (B, V), of each row's next token.
        sampler: The state of each transform, see `sampling.Transform.start`.
        seeds: int64 (B, 2), each row's source of draws, see `sampling.row_seeds`.
        drawn: Scalar int32, how many tokens each row has drawn.
        finished: bool (B,), True for a row that has come to its end; it gives padding from there on.
    """

    state: Any
    logits: tf.Tensor
    sampler: Any
    seeds: tf.Tensor
    drawn: tf.Tensor
    finished: tf.Tensor


PLAIN = ("logits", "seeds", "drawn", "finished")
"""The parts of `Position` that are one tensor each, whatever the model and the sampler."""


class Choice(NamedTuple):
    """The next token of each row.

    Attributes:
        ids: int32 (B,); 0 in rows that were finished before. A row ends with the end of text; or with 0 where nothing
            may come, or 1 where the model knows of no next token.
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

    def begin(self, position: Position, length: tf.Tensor) -> Any:
        """Give what the strategy carries through the loop, before its first step."""

    def choose(self, t: tf.Tensor, position: Position, carried: Any) -> tuple[Choice, Any]:
        """Choose the tokens of step `t` of this call."""


Step = Callable[[tf.Tensor, Any], tuple[tf.Tensor, Any]]


def begin(logits: tf.Tensor, state: Any, sampler: Any, seeds: tf.Tensor) -> Position:
    """Give the value from which a batch starts to write, after its prompts have been read."""
    rows = tf.shape(logits)[:1]
    return Position(state, logits, sampler, seeds, tf.constant(0), tf.zeros(rows, tf.bool))


def decode(
    step: Step, strategy: Strategy, position: Position, length: tf.Tensor, capacity: int | None = None
) -> tuple[Position, dict[str, tf.Tensor], Any]:
    """Write up to `length` tokens a row.

    Args:
        step: Maps (ids (B,), state) to (logits (B, V), state), see `networks.LanguageModel`.
        strategy: Chooses.
        position: From `begin`, or from the call before: chunks give the text that one call gives.
        length: Scalar int32, at least 1.
        capacity: The largest `length`, to have the loop compiled by XLA for the number of rows of `position`,
            which must be known then. None runs it as a plain graph, with rows and length left open.

    Returns:
        The value to go on from; what the strategy recorded, each (B, N, ...), with "ids", int32 (B, N), among it; and
        what it carried in the end. N is `length`, or less (but at least 1) when every row has come to its end. A row
        that ends gives the end of text once and padding after it.
    """
    # What a strategy prepares is not for XLA: its random numbers might be others.
    carried = strategy.begin(position, length if capacity is None else tf.constant(capacity))
    if capacity is None:
        position, written, record, carried = _loop(step, strategy, None, position, length, carried)
    else:
        compiled = tf.function(functools.partial(_loop, step, strategy, capacity), jit_compile=True, autograph=False)
        position, written, record, carried = compiled(position, length, carried)
    return position, {name: time_major.swapped(steps[:written]) for name, steps in record.items()}, carried


def _loop(
    step: Step, strategy: Strategy, capacity: int | None, position: Position, length: tf.Tensor, carried: Any
) -> tuple[Position, tf.Tensor, dict[str, tf.Tensor], Any]:
    """Do what `decode` says; what was recorded is (capacity, B, ...) here, of which the first `written` steps count."""
    size, rows = length if capacity is None else capacity, position.finished.shape[:1]
    arrays = {
        name: tf.TensorArray(spec.dtype, size, element_shape=rows + spec.shape[1:])
        for name, spec in strategy.recorded.items()
    }

    def goes_on(t: tf.Tensor, position: Position, *_: Any) -> tf.Tensor:
        # One step at least: an empty TensorArray of rows of unknown number cannot be gathered.
        return (t < length) & ((t == 0) | ~tf.reduce_all(position.finished))

    def write_one(t: tf.Tensor, position: Position, carried: Any, arrays: Any) -> tuple[Any, ...]:
        choice, carried = strategy.choose(t, position, carried)
        arrays = {name: array.write(t, choice.record[name]) for name, array in arrays.items()}
        state, finished = rows_of((position.state, position.finished), choice.parents)
        logits, state = step(choice.ids, state)
        finished |= choice.ids <= END
        position = Position(state, logits, choice.sampler, position.seeds, position.drawn + 1, finished)
        return t + 1, position, carried, arrays

    written, position, carried, arrays = tf.while_loop(
        goes_on, write_one, (tf.constant(0), position, carried, arrays), parallel_iterations=1
    )
    # XLA knows no size but the whole; without it, what was not written cannot be read.
    steps = {name: a.gather(tf.range(written)) if capacity is None else a.stack() for name, a in arrays.items()}
    return position, written, steps, carried


def rows_of(values: Any, rows: tf.Tensor | None) -> Any:
    """Take some rows, int (B,), of each tensor of a nest; None takes all as they are."""
    return values if rows is None else tf.nest.map_structure(lambda value: tf.gather(value, rows), values)


def chosen_rows(position: Position, context: Any, rows: Any) -> tuple[Position, Any]:
    """Take some rows, int (B,), of a batch and of its context."""
    drawn, batched = position.drawn, position._replace(drawn=())
    chosen, context = rows_of((batched, context), rows)
    return chosen._replace(drawn=drawn), context
