"""Strings that must not occur, however tokens cut them: an automaton that reads all of them at once.

Axis letters: S states, C classes of characters.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tfgen.errors import InputError
from tfgen.sampling.automaton import START

_MOST_STATES = 10_000


def watching(strings: Sequence[str], alphabet: str) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Give the automaton that knows after each character which of the strings have just been read (Aho and Corasick
    1975).

    Args:
        strings: None of them empty.
        alphabet: The characters, each once; a string with another one cannot occur.

    Returns:
        The next state, int32 (S, C), by place in the alphabet, from `START` on; and bool (S,), where a string has just
        been read.

    Raises:
        InputError: The strings are too long together.

    >>> moves, read = watching(["aa"], "ab")
    >>> moves[1:].tolist(), read.tolist()
    ([[2, 1], [3, 1], [3, 1]], [False, False, False, True])
    """
    place = {character: i for i, character in enumerate(alphabet)}
    trie: list[dict[int, int]] = [{}, {}]
    read = [False, False]
    for string in strings:
        if not all(character in place for character in string):
            continue
        state = START
        for character in string:
            if (following := trie[state].get(place[character])) is None:
                following = trie[state][place[character]] = len(trie)
                trie.append({})
                read.append(False)
            state = following
        read[state] = True
        if len(trie) > _MOST_STATES:
            raise InputError(f"strings to forbid may have {_MOST_STATES:,} characters together; give fewer or shorter.")
    moves = np.full([len(trie), len(alphabet)], START, np.int32)
    moves[0] = 0
    fallen: dict[int, int] = {START: START}  # to the longest other beginning of a string that the text ends with
    for state in (waiting := [START]):  # which grows, so that shorter beginnings come first
        moves[state] = moves[fallen[state]] if state != START else START
        for read_next, following in trie[state].items():
            fallen[following] = int(moves[state][read_next]) if state != START else START
            read[following] |= read[fallen[following]]
            moves[state][read_next] = following
            waiting.append(following)
    return moves, np.array(read)
