"""Text that matches a regular expression: an automaton that says at each step which tokens may come.

Axis letters: B batch, V vocabulary, S states, C columns.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.sampling.automaton import DEAD, START, Automaton, Expression, compiled
from tfgen.sampling.transform import NEVER, Transform, mask
from tfgen.support import wording
from tfgen.vocabulary.vocabulary import END, PADDING, RESERVED, Vocabulary

_MOST_TRANSITIONS = 2**25  # 128 MiB


class Pattern(Transform):
    r"""Lets through only what still can become a match of a regular expression of Python's.

    What is written after the prompt matches as by `re.fullmatch`: a text ends only where the pattern may end, and never
    comes to a point from which it could not be finished (Willard and Louf 2023, arXiv:2307.09702). This is exact in a
    vocabulary of words too, whose tokens take several steps at once.

    - Where the pattern is matched and may also go on, the network chooses between its end and more. A network whose
      texts do not end by themselves knows nothing of ends: there, prefer patterns that fix how long a text is.
    - A text that reaches `length` before its end is the beginning of a match, and can be finished by writing on.
    - Where everything that the pattern permits has been forbidden before it in the chain (or by `min_length`), the
      pattern prevails: all that it permits is equally likely.

    Of Python's syntax it takes everything but references to groups, conditions, lookahead and lookbehind, atomic
    groups, possessive quantifiers, word boundaries, and the flag m together with `^` or `$`. Greedy and lazy
    quantifiers are the same here. Flags stand inside, as in `(?i)yes|no`.

    Args:
        pattern: The regular expression; part of the structure of a sampler until it meets a vocabulary, not after.

    Raises:
        InputError: It is no regular expression, has something that is not taken, or is too large; or (when it meets a
            vocabulary) no text over this vocabulary matches.

    >>> vocabulary = Vocabulary.from_texts(["abc"])
    >>> Pattern("b+|c").bind(vocabulary)([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]).numpy()
    array([[-inf, -inf, -inf, -inf,   5.,   6.]], dtype=float32)
    """

    pattern: str

    def __init__(self, pattern: str) -> None:
        if not isinstance(pattern, str):
            raise InputError(f"a pattern must be a str; received {wording.shown(pattern)}.")
        Expression(pattern)
        self.pattern = pattern

    @property
    def ends(self) -> bool:
        """Whether it decides where a text ends: it does."""
        return True

    def bind(self, vocabulary: Vocabulary) -> Transform:
        """Give the automaton over ids."""
        expression = Expression(self.pattern)
        tokens = vocabulary.tokens[len(RESERVED) :]
        alphabet = "".join(sorted(set("".join(tokens))))
        transitions, accepting, columns = _over_tokens(compiled(expression, alphabet), tokens, self.pattern)
        kept = _useful(transitions, accepting)
        if START not in kept:
            lacking = wording.listed(expression.lacking(alphabet), 5)
            why = f"it has no character for {lacking}" if lacking else "its tokens do not add up to one"
            raise InputError(
                f"no text over this vocabulary matches the pattern {wording.shorten(repr(self.pattern))}: {why}."
            )
        return PatternMask(*_with_ends(transitions, accepting, columns, kept))


class PatternMask(Transform):
    """Keeps the tokens for which an automaton has a next state; what `Pattern` becomes for a vocabulary.

    State 0 is off the pattern, where only a token that was not kept leads to: from there the text ends. State 1 is the
    first.

    Args:
        transitions: int32 (S, C), the next state by column, -1 for none.
        columns: int32 (V,), the column of each token.
    """

    transitions: tf.Tensor
    columns: tf.Tensor

    class Spec(tf.TypeSpec):
        """The type of all automata over one vocabulary: a compiled loop takes another without compiling again."""

        @classmethod
        def from_value(cls, value: "PatternMask") -> Any:
            """Leave the sizes of the automaton open."""
            return cls(
                transitions=tf.TensorSpec([None, None], tf.int32), columns=tf.TensorSpec(value.columns.shape, tf.int32)
            )

    def __init__(self, transitions: Any, columns: Any) -> None:
        self.transitions = tf.constant(transitions, tf.int32)
        self.columns = tf.constant(columns, tf.int32)

    @property
    def ends(self) -> bool:
        """Whether it decides where a text ends: it does."""
        return True

    def __call__(self, logits: Any) -> tf.Tensor:
        """Keep what may come first: logits of the same shape and dtype."""
        return self.apply(tf.convert_to_tensor(logits), tf.constant(START))

    def start(self, history: tf.Tensor, size: int) -> tf.Tensor:
        """Give the first state, int32 (B,), whatever the text before."""
        return tf.fill(tf.shape(history)[:1], START)

    def apply(self, logits: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        """Keep what has a next state."""
        following = tf.gather(tf.gather(self.transitions, state), self.columns, axis=-1)
        kept = mask(logits, following >= 0)
        possible = tf.reduce_any(kept > NEVER, axis=-1, keepdims=True)
        return tf.where(possible, kept, mask(tf.zeros_like(logits), following >= 0))

    def update(self, state: tf.Tensor, ids: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Go to the next state; a finished row stays where it is."""
        places = tf.stack([state, tf.gather(self.columns, ids)], axis=-1)
        following = tf.maximum(tf.gather_nd(self.transitions, places), DEAD)
        return tf.where(ids == PADDING, state, following)


def _over_tokens(
    machine: Automaton, tokens: Sequence[str], pattern: str
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_], npt.NDArray[np.int32]]:
    """Read whole tokens: transitions (S, C) by column, which states accept (S,), and the column of each token."""
    found: dict[bytes, int] = {}
    column_of: dict[tuple[int, ...], int] = {}
    columns = []
    for token in tokens:
        spelled = tuple(machine.classes[character] for character in token)
        if spelled not in column_of:
            state = np.arange(len(machine.transitions), dtype=np.int32)
            for read in spelled:
                state = machine.transitions[state, read]
            column_of[spelled] = found.setdefault(state.tobytes(), len(found))
            if len(found) * len(state) > _MOST_TRANSITIONS:
                raise InputError(
                    f"the pattern {wording.shorten(repr(pattern))} needs too many transitions between its "
                    f"{len(state):,} states (the limit is {_MOST_TRANSITIONS:,}); make it shorter."
                )
        columns.append(column_of[spelled])
    transitions = np.array([np.frombuffer(column, np.int32) for column in found]).T
    return transitions, machine.accepting, np.array(columns, np.int32)


def _useful(transitions: npt.NDArray[np.int32], accepting: npt.NDArray[np.bool_]) -> list[int]:
    """Give the states, in order, that can be reached and from which the pattern can be finished."""
    after: list[set[int]] = [set(np.unique(row).tolist()) for row in transitions]
    before: list[set[int]] = [set() for _ in after]
    for state, following in enumerate(after):
        for each in following:
            before[each].add(state)
    finishing = _reached(np.flatnonzero(accepting).tolist(), before)
    return sorted(finishing & _reached([START], after))


def _reached(states: Iterable[int], neighbours: Sequence[set[int]]) -> set[int]:
    reached, waiting = set(states), list(states)
    while waiting:
        new = neighbours[waiting.pop()] - reached
        reached |= new
        waiting += new
    return reached


def _with_ends(
    transitions: npt.NDArray[np.int32],
    accepting: npt.NDArray[np.bool_],
    columns: npt.NDArray[np.int32],
    kept: list[int],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Number the states that are kept anew, and add columns for what is never read, and for the end of the text."""
    numbers = np.full(len(transitions), -1, np.int32)
    numbers[kept] = np.arange(START, START + len(kept))
    never, end, first = range(3)
    full = np.full([START + len(kept), first + transitions.shape[1]], -1, np.int32)
    full[START:, first:] = numbers[transitions[kept]]
    full[START:, end] = np.where(accepting[kept], numbers[kept], -1)
    full[DEAD, end] = DEAD
    reserved = [end if i == END else never for i in range(len(RESERVED))]
    return full, np.concatenate([reserved, first + columns]).astype(np.int32)
