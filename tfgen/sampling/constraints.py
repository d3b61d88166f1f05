"""What may come at all: automata over tokens as one mask, trimmed of dead ends and intersected with one another.

A text is written token by token, and an automaton says after each which may follow. Where several must hold at once
their product does (Rabin and Scott 1959): it knows, as neither of them does alone, from where none can be satisfied.

Axis letters: B batch, V vocabulary, S states, C columns (tokens that do the same in every state), K states of the
automaton that reads the text before.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.sampling.automaton import DEAD, START
from tfgen.sampling.transform import Transform, mask
from tfgen.support.rooms import power_of_two
from tfgen.terms.faults import CONTRADICTION
from tfgen.vocabulary.vocabulary import END, PADDING, RESERVED

_MOST_OVER_TOKENS = 2**25  # 128 MiB
_MOST_TRANSITIONS = 2**23  # of a product; what is larger is carried as its parts, and costs little more at each token

Table = npt.NDArray[np.int32]


class Reading(NamedTuple):
    """How the text before decides the first state.

    Attributes:
        moves: int32 (K, C), the next state by column; begins at `START`.
        columns: int32 (V,), the column of each token.
        reach: How many of the last tokens count.
        starts: int32 (K,), the state to write from.
    """

    moves: Any
    columns: Any
    reach: Any
    starts: Any


class AutomatonMask(Transform):
    """Keeps the tokens for which an automaton has a next state; what patterns and banned strings become for a
    vocabulary.

    State 0 has no next one: there is nothing that could be written.

    Args:
        transitions: int32 (S, C), the next state by column, -1 for none.
        columns: int32 (V,), the column of each token.
        matches: Whether it decides where a text ends.
        reading: How the text before decides the first state; None begins at `START`, whatever the text before.
    """

    transitions: tf.Tensor
    columns: tf.Tensor
    moves: tf.Tensor
    past: tf.Tensor
    reach: tf.Tensor
    starts: tf.Tensor
    matches: bool

    class Spec(tf.TypeSpec):
        """The type of all automata over one vocabulary: a compiled loop takes another without compiling again."""

        @classmethod
        def from_value(cls, value: "AutomatonMask") -> Any:
            """Leave the sizes of the automaton open."""
            free, of_tokens = tf.TensorSpec([None, None], tf.int32), tf.TensorSpec(value.columns.shape, tf.int32)
            return cls(
                transitions=free,
                columns=of_tokens,
                moves=free,
                past=of_tokens,
                reach=tf.TensorSpec([], tf.int32),
                starts=tf.TensorSpec([None], tf.int32),
                matches=value.matches,
            )

    def __init__(self, transitions: Any, columns: Any, matches: bool, reading: Reading | None = None) -> None:
        nowhere = Reading([[DEAD], [START]], np.zeros(len(columns), np.int32), 0, [DEAD, START])
        read = nowhere if reading is None else reading
        self.transitions = tf.constant(transitions, tf.int32)
        self.columns = tf.constant(columns, tf.int32)
        self.moves, self.past = tf.constant(read.moves, tf.int32), tf.constant(read.columns, tf.int32)
        self.reach, self.starts = tf.constant(read.reach, tf.int32), tf.constant(read.starts, tf.int32)
        self.matches = matches

    @property
    def ends(self) -> bool:
        """Whether it decides where a text ends."""
        return self.matches

    @property
    def hard(self) -> bool:
        """Whether it rules tokens out for good: it does."""
        return True

    def in_rooms(self) -> "AutomatonMask":
        """Give the same with more states and columns, to which nothing leads."""
        reading = Reading(_filled_up(self.moves), self.past, self.reach, _filled_up(self.starts))
        return AutomatonMask(_filled_up(self.transitions), self.columns, self.matches, reading)

    def __call__(self, logits: Any) -> tf.Tensor:
        """Keep what may come first: logits of the same shape and dtype."""
        return self.apply(tf.convert_to_tensor(logits), self.starts[START])

    def start(self, history: tf.Tensor, size: int) -> tf.Tensor:
        """Give the first state, int32 (B,)."""
        state = tf.fill(tf.shape(history)[:1], START)
        recent = history[:, tf.maximum(tf.shape(history)[1] - self.reach, 0) :]
        for t in range(recent.shape[1]):
            ids = recent[:, t]
            following = tf.gather_nd(self.moves, tf.stack([state, tf.gather(self.past, ids)], axis=-1))
            state = tf.where(ids == PADDING, state, following)
        return tf.gather(self.starts, state)

    def apply(self, logits: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """Keep what has a next state."""
        following = tf.gather(tf.gather(self.transitions, state), self.columns, axis=-1)
        return mask(logits, following >= 0)

    def update(self, state: tf.Tensor, ids: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Go to the next state; a finished row stays where it is."""
        places = tf.stack([state, tf.gather(self.columns, ids)], axis=-1)
        following = tf.maximum(tf.gather_nd(self.transitions, places), DEAD)
        return tf.where(ids == PADDING, state, following)

    def reading(self) -> Reading:
        """Give how the text before decides the first state."""
        return Reading(self.moves.numpy(), self.past.numpy(), self.reach.numpy(), self.starts.numpy())


def _filled_up(table: tf.Tensor) -> tf.Tensor:
    """Fill a table up to powers of two."""
    return tf.pad(table, [[0, power_of_two(size) - size] for size in table.shape], constant_values=-1)


def over_tokens(
    moves: Table, classes: dict[str, int], tokens: Sequence[str], what: str, hits: npt.NDArray[np.bool_] | None = None
) -> tuple[Table, Table, npt.NDArray[np.int32]]:
    """Read whole tokens with an automaton over characters.

    Args:
        moves: int32 (S, C), the next state by class of character.
        classes: The class of each character.
        tokens: In the order of their ids, without those that are reserved.
        what: What to call it in a message.
        hits: bool (S,), states that a token must not pass through; None for none of them.

    Returns:
        The next states (S, C) by column of tokens; the same with -1 where a token passes through a state that it must
        not; and the column of each token.

    Raises:
        InputError: There are too many transitions.
    """
    found: dict[bytes, int] = {}
    column_of: dict[tuple[int, ...], int] = {}
    columns = []
    size = len(moves)
    for token in tokens:
        spelled = tuple(classes[character] for character in token)
        if spelled not in column_of:
            state, through = np.arange(size, dtype=np.int32), np.zeros(size, bool)
            for read in spelled:
                state = moves[state, read]
                through |= False if hits is None else hits[state]
            column_of[spelled] = found.setdefault(np.where(through, ~state, state).tobytes(), len(found))
            if len(found) * size > _MOST_OVER_TOKENS:
                raise InputError(
                    f"{what} needs too many transitions between its {size:,} states (the limit is "
                    f"{_MOST_OVER_TOKENS:,}); make it shorter."
                )
        columns.append(column_of[spelled])
    after = np.array([np.frombuffer(column, np.int32) for column in found]).T  # negative through such a state
    return np.where(after < 0, ~after, after), np.maximum(after, -1), np.array(columns, np.int32)


def trimmed(
    transitions: Table, end: int, first: npt.NDArray[np.int64], matches: bool, ends: bool
) -> tuple[Table, npt.NDArray[np.int32]]:
    """Leave out the states that cannot be reached, and those from which a text cannot go on to its end.

    Args:
        transitions: int32 (S, C), -1 for none; all states but `DEAD`, whatever it says there.
        end: The column of the end of a text.
        first: States to begin from.
        matches: Whether a text must come to a state where it may end; else it must be able to go on for ever, or to
            end.
        ends: Whether texts may end where the automaton does not decide it.

    Returns:
        The transitions (S', C) of those that are left, numbered anew with nothing in state 0; and the new number of
        each old state, `DEAD` for those that are left out.
    """
    table = transitions.copy()
    table[DEAD] = -1
    goes = table.copy()
    goes[:, end] = -1
    whole = table[:, end] >= 0
    good = _leading_to(goes, whole) if matches else _lasting(goes, whole if ends else np.zeros(len(goes), bool))
    goes = np.where((goes >= 0) & good[goes], goes, -1)
    kept = np.flatnonzero(good & _reached(goes, first[good[first]]))
    numbers = np.full(len(table), DEAD, np.int32)
    numbers[kept] = np.arange(START, START + len(kept))
    new = np.full([START + len(kept), table.shape[1]], -1, np.int32)
    new[START:] = np.where(goes[kept] >= 0, numbers[goes[kept]], -1)
    new[START:, end] = np.where(whole[kept], numbers[kept], -1)
    return new, numbers


def _reached(goes: Table, first: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    reached = np.zeros(len(goes), bool)
    while len(first):
        reached[first] = True
        after = np.unique(goes[first])
        first = after[(after >= 0) & ~reached[after]]
    return reached


def _leading_to(goes: Table, goals: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Say from which states one comes to a goal."""
    sources, columns = np.nonzero(goes >= 0)
    targets = goes[sources, columns]
    order = np.argsort(targets, kind="stable")
    sources, begins = sources[order], np.searchsorted(targets[order], np.arange(len(goes) + 1))
    leading, first = goals.copy(), np.flatnonzero(goals)
    while len(first):
        before = np.unique(np.concatenate([sources[begins[each] : begins[each + 1]] for each in first]))
        first = before[~leading[before]]
        leading[first] = True
    return leading


def _lasting(goes: Table, whole: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Say from which states one can go on for ever, or to an end."""
    good = np.ones(len(goes), bool)
    good[DEAD] = False
    while True:
        still = good & (whole | ((goes >= 0) & good[goes]).any(axis=1))
        if (still == good).all():
            return good
        good = still


def intersected(masks: Sequence[AutomatonMask], kept: npt.NDArray[np.bool_], ends: bool) -> tuple[AutomatonMask, ...]:
    """Give automata that permit what all of these do, and nothing from where they contradict one another.

    Args:
        masks: Automata over one vocabulary, at least one.
        kept: bool (V,), what may come beside.
        ends: Whether texts of the vocabulary may end by themselves.

    Returns:
        One automaton; several where that would be too large, or where more than one depends on the text before. These
        permit nothing that is forbidden, but may come to a point from which there is no way on.

    Raises:
        InputError: No text fulfils all of them.
    """
    whole = kept.copy()
    whole[END] = True  # a text that must not end yet may still be one that could
    looking = [each for each in masks if int(each.reach)]
    joined = [each for each in masks if not int(each.reach)] + looking[:1]
    product = _product(joined, whole, ends)
    if product is None:
        joined, product = [], AutomatonMask(*_everything(whole), matches=False)
    rest = [each for each in masks if each not in joined]
    return (_without_end(product, kept), *rest)


def _everything(kept: npt.NDArray[np.bool_]) -> tuple[Table, Table]:
    columns = np.where(kept, 1, 0).astype(np.int32)
    return np.array([[-1, -1], [-1, START]], np.int32), columns


def _without_end(product: AutomatonMask, kept: npt.NDArray[np.bool_]) -> AutomatonMask:
    if kept[END]:
        return product
    transitions, columns = product.transitions.numpy(), product.columns.numpy()
    transitions[:, columns[END]] = -1
    return AutomatonMask(transitions, columns, product.matches, product.reading())


def _product(masks: Sequence[AutomatonMask], kept: npt.NDArray[np.bool_], ends: bool) -> AutomatonMask | None:
    """Give the product, None where it is too large."""
    matches = any(each.matches for each in masks)
    by_token = np.stack([*(each.columns.numpy() for each in masks), kept], axis=1)
    by_token[END, -1] = 2  # a column of its own
    joint, columns = np.unique(by_token, axis=0, return_inverse=True)
    columns = columns.reshape(-1).astype(np.int32)
    tables = [
        np.where(joint[:, -1] > 0, each.transitions.numpy()[:, c], -1)
        for each, c in zip(masks, joint.T[:-1], strict=True)
    ]
    sizes = [len(table) for table in tables]
    reading = masks[-1].reading()
    starts = np.ravel_multi_index([np.full_like(reading.starts, START)] * (len(masks) - 1) + [reading.starts], sizes)
    starts = starts.astype(np.int64)
    explored = _explored(tables, sizes, np.unique(starts[reading.starts != DEAD]))
    if explored is None:
        return None
    states, transitions = explored
    first = np.searchsorted(states, starts[reading.starts != DEAD]) + START
    table, numbers = trimmed(transitions, int(columns[END]), np.unique(first), matches, ends)
    begun = np.full(len(starts), DEAD, np.int32)
    begun[reading.starts != DEAD] = numbers[first]
    if begun[START] == DEAD:
        raise InputError(CONTRADICTION)
    return AutomatonMask(table, columns, matches, reading._replace(starts=begun))


def _explored(
    tables: Sequence[Table], sizes: Sequence[int], first: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], Table] | None:
    """Give the states of a product that can be reached, sorted, and their transitions; None where there are too many.

    State n of the transitions is the n-th of those given, counted from `START`.
    """
    states, rows = [], []
    seen: set[int] = set()
    waiting, number = first, 0
    while len(waiting):
        number += len(waiting)
        if number * tables[0].shape[1] > _MOST_TRANSITIONS:
            return None
        seen.update(waiting.tolist())
        following = [table[part] for table, part in zip(tables, np.unravel_index(waiting, sizes), strict=True)]
        possible = np.all([each >= 0 for each in following], axis=0)
        after = np.where(possible, np.ravel_multi_index([np.maximum(each, 0) for each in following], sizes), -1)
        states.append(waiting)
        rows.append(after)
        new = np.unique(after[possible]).tolist()
        waiting = np.array([each for each in new if each not in seen], np.int64)
    every, table = np.concatenate(states), np.concatenate(rows)
    order = np.argsort(every)
    every, table = every[order], table[order]
    numbered = np.where(table >= 0, np.searchsorted(every, table) + START, -1).astype(np.int32)
    return every, np.concatenate([np.full([START, table.shape[1]], -1, np.int32), numbered])


def reserved_columns(never: int, end: int) -> list[int]:
    """Give the columns of the reserved tokens, of which only the end of a text may ever come."""
    return [end if i == END else never for i in range(len(RESERVED))]
