"""Probabilities of n-grams as a few sorted arrays.

The contexts are the nodes of a tree: that of a context is reached from the root by its tokens, the nearest one first,
so that its parent is the context without its oldest token. Nodes of one depth follow those of the depth above, and lie
in the order of their parents and tokens: the children of a node lie side by side, and so do the n-grams of a context.

Axis letters: B rows, V vocabulary, N nodes with the root, E n-grams of at least two tokens.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Ids = npt.NDArray[np.integer[Any]]


@dataclasses.dataclass(frozen=True, eq=False)
class Tables:
    """A distribution for each context; one more node, the last, stands for all contexts that never occurred.

    Attributes:
        order: How many tokens the longest n-grams have.
        base: The distribution without any context, float32 (V,).
        oldest: The token that leads to a node from its parent (N + 1,), in the smallest integer type.
        children: Those of node i are the nodes from children[i] to before children[i + 1], int32 (N + 2,).
        entries: The n-grams of its context are those from entries[i] to before entries[i + 1], int32 (N + 2,).
        backoff: The weight of the distribution of its parent, float32 (N + 1,); that of the root and the last one is 1.
        following: The last token of each n-gram (E + 1,), in the smallest integer type.
        shares: What the n-gram adds to the probability of that token, float32 (E + 1,).
        totals: How often the context of each node was counted, int32 (N + 1,): what new counts are added to.
        discounts: What was taken from counts of 1, of 2 and of more, float32 (order, 3), a row for each length.
    """

    order: int
    base: Array
    oldest: Array
    children: Array
    entries: Array
    backoff: Array
    following: Array
    shares: Array
    totals: Array
    discounts: Array

    @property
    def arrays(self) -> list[Array]:
        """All of them, in the order of the attributes."""
        return [getattr(self, field.name) for field in dataclasses.fields(self)[1:]]

    @property
    def ngrams(self) -> int:
        """How many n-grams of all lengths there are."""
        return len(self.shares) - 1 + int((self.base > 0).sum())

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of the layer that holds the arrays, see `tfgen.layers.NGrams`."""
        ends = [0, 1]  # of the nodes of each depth
        for _ in range(1, self.order):
            ends.append(int(self.children[ends[-1]]))
        children, entries = np.diff(self.children), np.diff(self.entries)
        depths = range(self.order - 1)
        return {
            "vocabulary_size": len(self.base),
            "order": self.order,
            "nodes": len(self.backoff),
            "entries": len(self.shares),
            "most_children": [int(children[ends[d] : ends[d + 1]].max(initial=0)) for d in depths],
            "most_entries": [int(entries[ends[d + 1] : ends[d + 2]].max(initial=0)) for d in depths],
        }

    @functools.cached_property
    def _node_keys(self) -> npt.NDArray[np.int64]:
        """What nodes are sorted by: their parent, and their token; the root and the last one come before and after."""
        parents = np.repeat(np.arange(len(self.backoff)), np.diff(self.children))
        return parents * len(self.base) + self.oldest[1:-1]

    @functools.cached_property
    def _entry_keys(self) -> npt.NDArray[np.int64]:
        nodes = np.repeat(np.arange(len(self.backoff)), np.diff(self.entries))
        return nodes * len(self.base) + self.following[:-1]

    def probabilities(self, tokens: list[Ids]) -> npt.NDArray[np.float64]:
        """Give the probability of the last token of each n-gram.

        Args:
            tokens: The last token of each (B,), the one before it, and so on, as `counting.ending_at` gives them.
        """
        target = tokens[0].astype(np.int64)
        p = self.base[target].astype(np.float64)
        node = np.zeros(len(target), np.int64)
        for token in tokens[1 : self.order]:
            child, found = _find(self._node_keys, node * len(self.base) + token)
            node = np.where(found, child + 1, len(self.backoff) - 1)
            entry, found = _find(self._entry_keys, node * len(self.base) + target)
            p = np.where(found, self.shares[entry], 0) + self.backoff[node] * p
        return p


def _find(keys: npt.NDArray[np.int64], wanted: npt.NDArray[np.int64]) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Give the places of some keys, and whether they are there at all."""
    places = np.searchsorted(keys, wanted)
    inside = np.minimum(places, len(keys) - 1)
    return places, (keys[inside] == wanted if len(keys) else np.zeros(len(wanted), bool))
