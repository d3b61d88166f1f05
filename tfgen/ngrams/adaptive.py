"""Counts that go on counting while a text is read: each token is predicted first, and then counted.

As when a corpus is counted (see `kneser_ney`), the longest n-gram that ends at a token occurred once more; a shorter
one only if the longer one was new, for it counts different tokens before it. Discounts stay, and so does the
distribution without any context.

Axis letters: T tokens, V vocabulary, N contexts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.ngrams.kneser_ney import Level, joined
from tfgen.ngrams.tables import Tables
from tfgen.vocabulary.vocabulary import END, PADDING

Array = npt.NDArray[Any]


class _Shares(NamedTuple):
    """What a context says: the tokens that followed it, what each adds, and the weight of the shorter context."""

    following: Array
    shares: Array
    backoff: float


class AdaptiveCounts:
    """Tables of n-grams, and what has been counted since; the tables themselves stay as they are."""

    def __init__(self, tables: Tables) -> None:
        """Begin with tables."""
        self._tables = tables
        self._size = len(tables.base)
        self._base = tables.base.astype(np.float64)
        self._discounts = tables.discounts.astype(np.float64).tolist()
        self._next = len(tables.backoff)  # the number of the next new context
        self._children: dict[int, int] = {}  # by the number of a context times V, and a token; -1 where there is none
        self._counts: dict[int, dict[int, int]] = {}  # of each context that has changed
        self._shares: dict[int, _Shares] = {}

    def read(self, before: npt.ArrayLike, ids: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Read more of a text.

        Args:
            before: The tokens before it, of which the last `order - 1` count.
            ids: Its tokens (T,).

        Returns:
            The distribution of each token, before it was counted, (T, V).
        """
        text = [int(token) for token in [*np.asarray(before).tolist(), *np.asarray(ids).tolist()]]
        begin = len(text) - len(np.asarray(ids))
        of_base = np.empty(len(text) - begin)
        said: list[_Shares] = []
        rows: list[int] = []
        weights: list[float] = []
        for row, place in enumerate(range(begin, len(text))):
            context = self._context(text, place)
            nodes = self._nodes(context)
            weight = 1.0
            for depth in range(len(nodes), 0, -1):
                of_context = self._said(depth, nodes[depth - 1])
                said.append(of_context)
                rows.append(row)
                weights.append(weight)
                weight *= of_context.backoff
            of_base[row] = weight
            self._count(context, nodes, text[place])
        p = np.multiply.outer(of_base, self._base)
        if said:  # all sums at once: each by itself would cost more than all that is counted
            numbers = [len(each.following) for each in said]
            cells = np.repeat(np.array(rows) * self._size, numbers) + np.concatenate([each.following for each in said])
            shares = np.concatenate([each.shares for each in said])
            np.add.at(p.reshape(-1), cells, shares * np.repeat(weights, numbers))
        return p

    def _context(self, text: list[int], place: int) -> list[int]:
        """Give the tokens that one is predicted from, the nearest first: none beyond an end of text."""
        context = []
        for back in range(place - 1, max(place - self._tables.order, -1), -1):
            token = text[back]
            if token == PADDING:
                break
            context.append(token)
            if token == END:
                break
        return context

    def _nodes(self, context: list[int]) -> list[int]:
        """Give the contexts of one token, of two, and so on, as far as there are any."""
        node, nodes = 0, []
        for token in context:
            key = node * self._size + token
            child = self._children.get(key)
            if child is None:
                child = self._children[key] = self._counted_child(node, token)
            if child < 0:
                break
            nodes.append(child)
            node = child
        return nodes

    def _counted_child(self, node: int, token: int) -> int:
        if node >= len(self._tables.backoff):
            return -1
        first, last = self._tables.children[node], self._tables.children[node + 1]
        place = first + int(self._tables.oldest[first:last].searchsorted(token))
        return place if place < last and self._tables.oldest[place] == token else -1

    def _said(self, depth: int, node: int) -> _Shares:
        said = self._shares.get(node)
        if said is None:
            said = self._shares[node] = self._shares_of(depth, node)
        return said

    def _shares_of(self, depth: int, node: int) -> _Shares:
        counts = self._counts.get(node)
        if counts is None:
            first, last = self._tables.entries[node], self._tables.entries[node + 1]
            following = self._tables.following[first:last].astype(np.intp)
            return _Shares(following, self._tables.shares[first:last], float(self._tables.backoff[node]))
        one, two, more = self._discounts[depth]
        total, left = sum(counts.values()), 0.0
        shares: list[float] = []
        for count in counts.values():
            taken = one if count == 1 else two if count == 2 else more
            left += taken
            shares.append((count - taken) / total)
        return _Shares(np.fromiter(counts, np.intp, len(counts)), np.array(shares), left / total)

    def _count(self, context: list[int], nodes: list[int], token: int) -> None:
        for depth in range(len(context), 0, -1):
            if depth > len(nodes):
                continue  # made below, once the shorter ones are there
            counts = self._counts_of(depth, nodes[depth - 1])
            known = counts.get(token, 0)
            counts[token] = known + 1
            self._shares.pop(nodes[depth - 1], None)
            if known:
                break
        for depth in range(len(nodes) + 1, len(context) + 1):
            parent = nodes[-1] if nodes else 0
            self._children[parent * self._size + context[depth - 1]] = self._next
            self._counts[self._next] = {token: 1}
            nodes.append(self._next)
            self._next += 1

    def _counts_of(self, depth: int, node: int) -> dict[int, int]:
        """Give the counts of a context, those of the tables the first time."""
        counts = self._counts.get(node)
        if counts is None:
            first, last = self._tables.entries[node], self._tables.entries[node + 1]
            shares, total = self._tables.shares[first:last].tolist(), int(self._tables.totals[node])
            times = counted(shares, total, self._discounts[depth])
            counts = dict(zip(self._tables.following[first:last].tolist(), times, strict=True))
            self._counts[node] = counts
        return counts

    def tables(self) -> Tables:
        """Give tables of all that has been counted."""
        fixed, size = self._tables, self._size
        parents = np.full(self._next, -1, np.int64)
        tokens = np.zeros(self._next, np.int64)
        nodes = len(fixed.backoff)
        parents[1 : nodes - 1] = np.repeat(np.arange(nodes), np.diff(fixed.children))[: nodes - 2]
        tokens[1 : nodes - 1] = fixed.oldest[1:-1]
        for key, node in self._children.items():
            if node >= nodes:
                parents[node], tokens[node] = divmod(key, size)
        counted_nodes = np.repeat(np.arange(nodes), np.diff(fixed.entries))
        kept = ~np.isin(counted_nodes, np.fromiter(self._counts, np.int64, len(self._counts)))
        new = [(node, token, times) for node, counts in self._counts.items() for token, times in counts.items()]
        of_new = np.array(new, np.int64).reshape(-1, 3)
        at = np.concatenate([counted_nodes[kept], of_new[:, 0]])
        following = np.concatenate([fixed.following[:-1][kept], of_new[:, 1]]).astype(np.int64)
        shares = np.concatenate([fixed.shares[:-1][kept], np.zeros(len(of_new))])
        times = np.concatenate([np.zeros(kept.sum(), np.int64), of_new[:, 2]])
        backoff = np.concatenate([fixed.backoff, np.zeros(self._next - nodes)])
        totals = np.concatenate([fixed.totals, np.zeros(self._next - nodes)]).astype(np.int64)
        levels, above, renumbered = [], np.zeros(1, np.int64), np.full(self._next, -1, np.int64)
        renumbered[0] = 0
        for depth in range(1, fixed.order):
            is_above = np.zeros(self._next, bool)
            is_above[above] = True
            here = np.flatnonzero((parents >= 0) & is_above[parents])
            here = here[np.lexsort([tokens[here], renumbered[parents[here]]])]
            renumbered[here] = np.arange(len(here))
            inside = np.zeros(self._next, bool)
            inside[here] = True
            mine = np.flatnonzero(inside[at])
            mine = mine[np.lexsort([following[mine], renumbered[at[mine]]])]
            numbers = renumbered[at[mine]]
            self._smooth(depth, numbers, here, times[mine], mine, shares, backoff, totals)
            levels.append(
                Level(
                    parents=renumbered[parents[here]],
                    oldest=tokens[here],
                    contexts=numbers,
                    following=following[mine],
                    shares=shares[mine],
                    backoff=backoff[here],
                    totals=totals[here],
                    discounts=fixed.discounts[depth],
                )
            )
            above = here
        return joined(fixed.base, levels, fixed.discounts[0])

    def _smooth(
        self,
        depth: int,
        numbers: Array,
        here: Array,
        times: Array,
        mine: Array,
        shares: Array,
        backoff: Array,
        totals: Array,
    ) -> None:
        """Put in what contexts of one length say that have changed: their n-grams have `times` above 0."""
        changed = times > 0
        taken = np.array(self._discounts[depth])[np.minimum(times[changed], 3) - 1]
        sums = np.bincount(numbers[changed], times[changed], minlength=len(here))
        left = np.bincount(numbers[changed], taken, minlength=len(here))
        of_changed = sums > 0
        totals[here[of_changed]] = sums[of_changed]
        backoff[here[of_changed]] = left[of_changed] / sums[of_changed]
        shares[mine[changed]] = (times[changed] - taken) / sums[numbers[changed]]


def counted(shares: Iterable[float], total: float, discounts: Sequence[float]) -> list[int]:
    """Give the counts that discounted shares of a total were made of.

    Most contexts have few tokens after them, for which a loop costs less than arrays.
    """
    of_one, of_two, of_more = discounts
    counts = []
    for share in shares:
        kept = share * total
        many = max(round(kept + of_more), 3)
        off_one, off_two, off_many = abs(1 - of_one - kept), abs(2 - of_two - kept), abs(many - of_more - kept)
        counts.append(1 if off_one <= min(off_two, off_many) else 2 if off_two <= off_many else many)
    return counts
