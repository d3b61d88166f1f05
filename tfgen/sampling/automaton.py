"""Regular expressions to deterministic automata over characters.

Python's own `re` parses the expression and says which characters each part of it takes, so that Unicode, classes and
flags mean what they mean there. The tree becomes a nondeterministic automaton (Thompson 1968), and that a deterministic
one whose states are sets of places (Rabin and Scott 1959). Characters that no part tells apart are one class.

Axis letters: S states, C classes of characters.
"""

# The modules behind `re`; their public names, sre_parse and sre_compile, are deprecated.
from re import _compiler, _parser  # type: ignore[attr-defined]
from re import _constants as op  # type: ignore[attr-defined]
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.errors import InputError
from tfgen.support import wording

DEAD, START = 0, 1  # states: from the first one, no text matches

_MOST_STATES = 10_000
_MOST_NODES = 100_000
_MOST_STEPS = 3_000_000  # two to three seconds

_FINAL = 0  # the node of a whole match
# How a text must end after a node: anyhow, with one newline more, or at once.
_FREELY, _NEWLINE, _OVER = range(3)
_ENDINGS = 3
# What each ending demanded so far may become when a node of an anchor, or of none, is passed.
_PASSED: dict[Any, tuple[tuple[int, ...], ...]] = {
    None: ((_FREELY,), (_NEWLINE,), (_OVER,)),
    op.AT_END: ((_NEWLINE, _OVER), (_NEWLINE,), (_OVER,)),
    op.AT_END_STRING: ((_OVER,), (), (_OVER,)),
}
_BEGINNINGS = (op.AT_BEGINNING, op.AT_BEGINNING_STRING)
_UNSUPPORTED = {  # by name: operators and anchors have the same numbers
    "GROUPREF": "a reference to a group",
    "GROUPREF_EXISTS": "a condition on a group (?(...)...)",
    "ASSERT": "lookahead or lookbehind (?=...) (?<=...)",
    "ASSERT_NOT": "negative lookahead or lookbehind (?!...) (?<!...)",
    "FAILURE": "negative lookahead or lookbehind (?!...) (?<!...)",
    "ATOMIC_GROUP": "an atomic group (?>...)",
    "POSSESSIVE_REPEAT": "a possessive quantifier such as *+",
    "AT_BOUNDARY": r"a word boundary \b",
    "AT_NON_BOUNDARY": r"a word boundary \B",
    "AT_BEGINNING": "^ with the flag m",
    "AT_END": "$ with the flag m",
}


class Node(NamedTuple):
    """A place in an expression. Where `characters` is given one of them is read, otherwise none.

    Attributes:
        to: The nodes after this one.
        characters: Number of a set of characters, see `Expression`.
        anchor: What must hold here, in the terms of `re`.
    """

    to: tuple[int, ...] = ()
    characters: int | None = None
    anchor: Any = None


class Expression:
    """A regular expression as a nondeterministic automaton, before any vocabulary.

    Attributes:
        pattern: As it was written.
        nodes: The places; the first one is that of a whole match.
        entry: The node to begin from.
        sets: The sets of characters, each as `re` parsed it and with its flags.
    """

    def __init__(self, pattern: str) -> None:
        """Parse.

        Raises:
            InputError: It is no regular expression of Python's, has something that is not supported, or is too large.
        """
        self.pattern = pattern
        self.nodes = [Node()]
        self.sets: list[tuple[Any, int]] = []
        self._set_numbers: dict[str, int] = {}
        try:
            tree = _parser.parse(pattern)
            self.entry = self._sequence(tree, tree.state.flags, _FINAL)
        except InputError:
            raise
        except (op.error, ValueError, TypeError, OverflowError) as error:
            raise InputError(f"the pattern {_quoted(pattern)} is no regular expression: {error}.") from None
        except RecursionError:
            raise InputError(f"the pattern {_quoted(pattern)} is nested too deeply.") from None

    # Built from its end, so that each part knows what follows it.

    def _sequence(self, items: Any, flags: int, follow: int) -> int:
        for item in reversed(items):
            follow = self._item(item, flags, follow)
        return follow

    def _item(self, item: Any, flags: int, follow: int) -> int:
        code, value = item
        if code in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
            return self._add(Node((follow,), self._set_number(item, flags)))
        if code is op.SUBPATTERN:
            _, added, removed, items = value
            return self._sequence(items, _compiler._combine_flags(flags, added, removed), follow)
        if code is op.BRANCH:
            return self._add(Node(tuple(self._sequence(branch, flags, follow) for branch in reversed(value[1]))))
        if code in (op.MAX_REPEAT, op.MIN_REPEAT):
            least, most, items = value
            return self._repeat(least, most, items, flags, follow)
        multiline = flags & op.SRE_FLAG_MULTILINE and value in (op.AT_BEGINNING, op.AT_END)
        if code is op.AT and not multiline and (value in _PASSED or value in _BEGINNINGS):
            return self._add(Node((follow,), anchor=value))
        name = str(value if code is op.AT else code)
        raise InputError(
            f"the pattern {_quoted(self.pattern)} has {_UNSUPPORTED.get(name, name)}, which is not supported; say it "
            "without."
        )

    def _repeat(self, least: int, most: Any, items: Any, flags: int, follow: int) -> int:
        if most is op.MAXREPEAT:
            loop = self._add(Node())
            self.nodes[loop] = Node((self._sequence(items, flags, loop), follow))
            follow = loop
            most = least
        shortest, longest = items.getwidth()
        end = follow
        for optional in [True] * min(most - least, _MOST_NODES) + [False] * min(least, _MOST_NODES):
            before = self._sequence(items, flags, follow)
            if before == follow:
                break  # nothing, repeated, is nothing
            # One repetition left out is all the others left out too. Where these could be counted in several ways, it
            # takes far fewer states to leave them out one by one.
            skipped = end if shortest == longest else follow
            follow = self._add(Node((before, skipped))) if optional else before
        return follow

    def _set_number(self, item: Any, flags: int) -> int:
        number = self._set_numbers.setdefault(repr((item, flags)), len(self.sets))
        if number == len(self.sets):
            self.sets.append((item, flags))
        return number

    def _add(self, node: Node) -> int:
        if len(self.nodes) >= _MOST_NODES:
            raise _too_large(self.pattern)
        self.nodes.append(node)
        return len(self.nodes) - 1

    def lacking(self, alphabet: str) -> list[str]:
        """Name the parts of the expression for which an alphabet has no character."""
        missing = [item for item, flags in self.sets if not _members(item, flags, alphabet).any()]
        return list(dict.fromkeys(map(_shown, reversed(missing))))


class Automaton(NamedTuple):
    """A deterministic automaton over characters.

    Attributes:
        transitions: int32 (S, C), the next state, `DEAD` where no match begins so. The first state is `START`.
        accepting: bool (S,), where a match is whole.
        classes: The class of each character.
    """

    transitions: npt.NDArray[np.int32]
    accepting: npt.NDArray[np.bool_]
    classes: dict[str, int]


def compiled(expression: Expression, alphabet: str) -> Automaton:
    """Give the automaton that accepts what `re.fullmatch` does, among the texts over an alphabet.

    Args:
        expression: What to match.
        alphabet: Characters, each once, at least one.

    Raises:
        InputError: It is too large.

    >>> compiled(Expression("ab*"), "abc").transitions.shape  # dead, start, matched; a, b, others
    (3, 3)
    """
    # A column says of a character in which sets it is; that of newlines, which $ asks for, goes first.
    newline = np.array([[character == "\n" for character in alphabet]])
    members = np.array([*newline, *(_members(item, flags, alphabet) for item, flags in expression.sets)])
    columns, class_of = np.unique(members, axis=1, return_inverse=True)
    newlines, *reads = (tuple(np.flatnonzero(row).tolist()) for row in columns)
    subsets = _Subsets(expression, reads, newlines)
    transitions = np.zeros([len(subsets.states), columns.shape[1]], np.int32)
    for state, moves in enumerate(subsets.moves):
        transitions[state, list(moves)] = list(moves.values())
    accepting = np.array([any(code in subsets.whole for code in codes) for codes in subsets.states])
    return Automaton(transitions, accepting, dict(zip(alphabet, class_of.ravel().tolist(), strict=True)))


class _Subsets:
    """The states of the deterministic automaton: sets of codes, where a code is a node and the ending it demands.

    Attributes:
        states: Sets, in the order of their numbers.
        moves: For each state the next one by class.
        whole: The codes of a match.
    """

    def __init__(self, expression: Expression, reads: list[tuple[int, ...]], newlines: tuple[int, ...]) -> None:
        self._expression, self._reads, self._newlines = expression, reads, set(newlines)
        self._steps = 0
        self.whole = {_code(_FINAL, _FREELY), _code(_FINAL, _OVER)}
        self.states: dict[frozenset[int], int] = {frozenset(): DEAD}
        self.moves: list[dict[int, int]] = [{}]
        self._known: dict[frozenset[int], int] = {}
        waiting = [self._number(self._closure([_code(expression.entry, _FREELY)], True))]
        for codes in waiting:  # which grows
            if codes is not None:
                self.moves.append({})
                for read, reached in self._reached(codes).items():
                    kernel = frozenset(reached)
                    if kernel not in self._known:
                        closed = self._closure(kernel, False)
                        waiting.append(self._number(closed))
                        self._known[kernel] = self.states[closed]
                    self.moves[-1][read] = self._known[kernel]

    def _number(self, codes: frozenset[int]) -> frozenset[int] | None:
        """Give the set if it is a new state."""
        if codes in self.states:
            return None
        if len(self.states) >= _MOST_STATES:
            raise _too_large(self._expression.pattern)
        self.states[codes] = len(self.states)
        return codes

    def _reached(self, codes: frozenset[int]) -> dict[int, set[int]]:
        """Give by class of the character read which codes come next."""
        reached: dict[int, set[int]] = {}
        for code in codes:
            node, ending = self._expression.nodes[code // _ENDINGS], code % _ENDINGS
            if node.characters is None or ending == _OVER:
                continue
            classes = self._reads[node.characters]
            self._count(len(classes))
            for read in classes:
                if ending == _FREELY:
                    reached.setdefault(read, set()).add(_code(node.to[0], _FREELY))
                elif read in self._newlines:
                    reached.setdefault(read, set()).add(_code(node.to[0], _OVER))
        return reached

    def _closure(self, codes: Any, beginning: bool) -> frozenset[int]:
        """Pass all nodes that read nothing; keep those that read, and the final one."""
        seen, waiting, kept = set(codes), list(codes), []
        while waiting:
            code = waiting.pop()
            node, ending = self._expression.nodes[code // _ENDINGS], code % _ENDINGS
            if node.characters is not None or code // _ENDINGS == _FINAL:
                kept.append(code)
                continue
            anchor = None if node.anchor in _BEGINNINGS and beginning else node.anchor
            for after in _PASSED[anchor][ending] if anchor in _PASSED else ():
                new = {_code(to, after) for to in node.to} - seen
                seen |= new
                waiting += new
        self._count(len(seen))
        return frozenset(kept)

    def _count(self, steps: int) -> None:
        self._steps += steps
        if self._steps > _MOST_STEPS:
            raise _too_large(self._expression.pattern)


def _code(node: int, ending: int) -> int:
    return node * _ENDINGS + ending


def _members(item: Any, flags: int, alphabet: str) -> npt.NDArray[np.bool_]:
    """Let `re` say which characters a part takes."""
    matcher = _compiler.compile(_parser.SubPattern(_parser.State(), [item]), flags)
    members = np.zeros(len(alphabet), bool)
    members[[found.start() for found in matcher.finditer(alphabet)]] = True
    return members


def _shown(item: Any) -> str:
    """Describe a part that reads one character.

    >>> [_shown(item) for item in _parser.parse(r"@[^0-9x]")]
    ["'@' (U+0040)", "none of '0' to '9', 'x'"]
    """
    code, value = item
    if code is op.LITERAL:
        return wording.name(chr(value))
    if code is op.NOT_LITERAL:
        return f"any but {wording.name(chr(value))}"
    if code is op.IN:
        inverted = value[0][0] is op.NEGATE
        return ("none of " if inverted else "any of ") + wording.listed(map(_shown_part, value[inverted:]), 5)
    return "any character"


def _shown_part(part: Any) -> str:
    code, value = part
    if code is op.RANGE:
        return f"{chr(value[0])!r} to {chr(value[1])!r}"
    return repr(chr(value)) if code is op.LITERAL else str(value).removeprefix("CATEGORY_").replace("_", " ").lower()


def _quoted(pattern: str) -> str:
    return wording.shorten(repr(pattern))


def _too_large(pattern: str) -> InputError:
    return InputError(
        f"the pattern {_quoted(pattern)} needs too large an automaton (the limit is {_MOST_STATES:,} states); make its "
        "repetitions shorter, or its alternatives easier to tell apart from the left."
    )
