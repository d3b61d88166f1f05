"""Which parts of a short text occur in a long one: a suffix automaton of the short text, scanned by the long one.

A state stands for the substrings of the short text that end at the same places in it. Reading the long text byte by
byte, a scanner is always in the state of the longest suffix of what it has read that occurs in the short text, and
knows that suffix's length (the "matching statistics" of Chang and Lawler 1994, by the automaton of Blumer et al. 1985).
A Python loop would read some million bytes a second; here many scanners, each with its own part of the long text, take
each step together in NumPy.

Axis letters: N bytes of the short text, S states, A bytes that differ (0 stands for all that the short text lacks),
W scanners.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_SCANNERS = 1 << 14  # enough to amortise NumPy's calls, few enough to stay in a cache
_SHORTEST_PART = 256  # bytes a scanner: matches that reach into the next part are read twice
_NONE = -1


class SuffixAutomaton(NamedTuple):
    """The substrings of a short text.

    Attributes:
        classes: 256 bytes, which of the A each byte is.
        target: int32 (S, A), the state after reading a byte, suffixes that have no such continuation given up.
        reach: int32 (S, A), the greatest length of the suffix then left, with the byte read; 0 for none.
        length: int32 (S,), the length of the longest substring of each state; state 0 is the empty one.
        link: int32 (S,), the state of the longest suffix that is not of the state itself.
        prefix: int32 (N,), the state of the text's first 1, 2, ... N bytes.
    """

    classes: bytes
    target: npt.NDArray[np.int32]
    reach: npt.NDArray[np.int32]
    length: npt.NDArray[np.int32]
    link: npt.NDArray[np.int32]
    prefix: npt.NDArray[np.int32]

    @classmethod
    def build(cls, text: bytes) -> SuffixAutomaton:
        """Build the automaton of a text, in about 10 µs and 2 A (4 + 4) bytes for each of its bytes."""
        distinct = sorted(set(text))
        classes = bytearray(256)
        for number, byte in enumerate(distinct, start=1):
            classes[byte] = number
        edges, length, link, prefix = _states(text.translate(classes))
        target = np.zeros((len(edges), len(distinct) + 1), np.int32)
        reach = np.zeros_like(target)
        for state in sorted(range(len(edges)), key=length.__getitem__):  # a link is shorter, so its rows are done
            if state:
                target[state], reach[state] = target[link[state]], reach[link[state]]
            own = list(edges[state])
            target[state, own] = list(edges[state].values())
            reach[state, own] = length[state] + 1
        return cls(bytes(classes), target, reach, *(np.array(each, np.int32) for each in (length, link, prefix)))

    def longest_ending(self, long_text: bytes) -> npt.NDArray[np.int32]:
        """Give for each place of the short text the longest passage that ends there and occurs in the long text.

        Args:
            long_text: What to look in, read once.

        Returns:
            int32 (N,), the passages' lengths in bytes; at n, of those whose last byte is the n-th.

        >>> SuffixAutomaton.build(b"abcab").longest_ending(b"xbca-ab").tolist()
        [1, 2, 2, 3, 2]
        """
        longest = self._scan(long_text)
        from_short_to_long = np.argsort(self.length)[1:].tolist()  # without the empty one
        for state in reversed(from_short_to_long):  # the suffixes of what occurs do so too
            if longest[state]:
                longest[self.link[state]] = self.length[self.link[state]]
        for state in from_short_to_long:  # what does not occur may have a suffix that does
            if not longest[state]:
                longest[state] = longest[self.link[state]]
        return longest[self.prefix]

    def _scan(self, long_text: bytes) -> npt.NDArray[np.int32]:
        """Give for each state the longest of its substrings that was met as a longest suffix: int32 (S,)."""
        scanners = min(max(len(long_text) // _SHORTEST_PART, 1), _SCANNERS)
        part = len(long_text) // scanners + 1
        # No match reaches into the padding, so that the last scanners stop there.
        read = np.frombuffer(long_text.translate(self.classes).ljust(scanners * part + 1, b"\0"), np.uint8)
        target, reach = self.target.ravel(), self.reach.ravel()
        longest = np.zeros(len(self.length), np.int32)
        place = np.arange(scanners) * part
        end = place + part
        state = suffix = np.zeros(scanners, np.int64)
        step = 0
        while len(place):
            edge = state * self.target.shape[1] + read[place]
            state, suffix = target[edge].astype(np.int64), np.minimum(suffix + 1, reach[edge])
            longer = np.flatnonzero(suffix > longest[state])
            np.maximum.at(longest, state[longer], suffix[longer])
            place += 1
            step += 1
            if step >= part:  # past its part a scanner only ends what began there; the next one reads the rest
                on = place - suffix < end
                place, end, state, suffix = place[on], end[on], state[on], suffix[on]
        return longest


def _states(text: bytes) -> tuple[list[dict[int, int]], list[int], list[int], list[int]]:
    """Give the edges, lengths and links of the states, and the state of each prefix (Blumer et al. 1985)."""
    edges: list[dict[int, int]] = [{}]
    length, link, prefix = [0], [_NONE], []
    last = 0
    for byte in text:
        new = _add(edges, length, link, {}, length[last] + 1, 0)
        state = last
        while state != _NONE and byte not in edges[state]:
            edges[state][byte] = new
            state = link[state]
        if state != _NONE:
            found = edges[state][byte]
            if length[found] == length[state] + 1:
                link[new] = found
            else:  # only some substrings of that state end here too: they part from it
                parted = _add(edges, length, link, dict(edges[found]), length[state] + 1, link[found])
                link[found] = link[new] = parted
                while state != _NONE and edges[state].get(byte) == found:
                    edges[state][byte] = parted
                    state = link[state]
        prefix.append(new)
        last = new
    return edges, length, link, prefix


def _add(
    edges: list[dict[int, int]],
    length: list[int],
    link: list[int],
    its_edges: dict[int, int],
    longest: int,
    suffix: int,
) -> int:
    edges.append(its_edges)
    length.append(longest)
    link.append(suffix)
    return len(edges) - 1
