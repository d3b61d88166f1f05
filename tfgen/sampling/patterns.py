"""Text that matches a regular expression: an automaton that says at each step which tokens may come.

Axis letters: V vocabulary, S states, C columns.
"""

import numpy as np

from tfgen.errors import InputError
from tfgen.sampling.automaton import START, Expression, compiled
from tfgen.sampling.constraints import AutomatonMask, over_tokens, reserved_columns, trimmed
from tfgen.sampling.transform import Transform
from tfgen.support import wording
from tfgen.vocabulary.vocabulary import RESERVED, Vocabulary


class Pattern(Transform):
    r"""Lets through only what still can become a match of a regular expression of Python's.

    What is written after the prompt matches as by `re.fullmatch`: a text ends only where the pattern may end, and never
    comes to a point from which it could not be finished (Willard and Louf 2023, arXiv:2307.09702). This is exact in a
    vocabulary of words too, whose tokens take several steps at once.

    - Where the pattern is matched and may also go on, the network chooses between its end and more. A network whose
      texts do not end by themselves knows nothing of ends: there, prefer patterns that fix how long a text is.
    - A text that reaches `length` before its end is the beginning of a match, and can be finished by writing on.
    - It holds wherever it stands in the chain, and together with all that is forbidden: of several patterns, masks and
      banned strings only texts are written that satisfy all. Where `min_length` or `NoRepeatNgram` then leaves nothing,
      the text ends there.

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
        machine = compiled(expression, alphabet)
        what = f"the pattern {wording.shorten(repr(self.pattern))}"
        moves, _, columns = over_tokens(machine.transitions, machine.classes, tokens, what)
        never, end, first = range(3)
        full = np.full([len(moves), first + moves.shape[1]], -1, np.int32)
        full[:, first:] = moves
        full[:, end] = np.where(machine.accepting, np.arange(len(moves)), -1)
        transitions, numbers = trimmed(full, end, np.array([START]), matches=True, ends=True)
        if numbers[START] != START:
            lacking = wording.listed(expression.lacking(alphabet), 5)
            why = f"it has no character for {lacking}" if lacking else "its tokens do not add up to one"
            if lacking and vocabulary.normalized(self.pattern) != self.pattern:
                why += f", for its texts are in {vocabulary.form}: write the pattern so"
            raise InputError(
                f"no text over this vocabulary matches the pattern {wording.shorten(repr(self.pattern))}: {why}."
            )
        of_tokens = np.concatenate([reserved_columns(never, end), first + columns])
        return AutomatonMask(transitions, of_tokens, matches=True)
