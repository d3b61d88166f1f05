"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1998): from counts to probabilities.

With c the count of a token after a context h, and h' the context without its oldest token,

    p(w | h) = (c(h w) - D(c(h w))) / c(h) + b(h) p(w | h'),    b(h) = sum of D(c(h w)) over all w / c(h),

where D takes three values, for counts of 1, of 2, and of 3 or more. A context that never occurred says what h' says.
The counts of the longest n-grams are those of the text; a shorter one counts the different tokens before it, for its
probability is needed where a longer one is not known; but those that begin a text have none. Below single tokens all
that may be written is equally likely.

Axis letters: V vocabulary, D n-grams, N contexts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.ngrams.counting import Counts, changes
from tfgen.ngrams.tables import Tables
from tfgen.vocabulary.vocabulary import END, PADDING

Array = npt.NDArray[Any]

# Where a text is too small for an estimate.
_USUAL = (0.5, 1.0, 1.5)
# What different counts keep differs by more than shares in 32 bits lose.
_APART = 1e-3


class Level(NamedTuple):
    """The n-grams of one length, in order of their contexts, and the contexts of one length.

    Attributes:
        parents: Of each context (N,), the one without its oldest token, by its number among those of its length.
        oldest: Of each context (N,), its oldest token.
        contexts: Of each n-gram (D,), the number of its context.
        following: Its last token.
        shares: Its discounted share of the count of its context.
        backoff: Of each context (N,), what is left for the shorter one.
        totals: Of each context (N,), its count.
        discounts: What was taken from counts of 1, of 2 and of more, (3,).
    """

    parents: Array
    oldest: Array
    contexts: Array
    following: Array
    shares: Array
    backoff: Array
    totals: Array
    discounts: Array


def discounts(counts: Array) -> Array:
    """Estimate what is taken from counts of 1, of 2 and of 3 or more: (3,), each above 0 and below the count.

    With n the number of n-grams that occur 1, 2, 3 and 4 times, and Y = n1 / (n1 + 2 n2), these are 1 - 2 Y n2 / n1,
    2 - 3 Y n3 / n2 and 3 - 4 Y n4 / n3 (Chen and Goodman 1998). Where one is out of its range, or a larger count would
    keep no more than a smaller one, as in a text of a few lines, they are 0.5, 1 and 1.5. So what a count keeps says
    what the count was.

    >>> [round(float(each), 3) for each in discounts(np.repeat([1, 2, 3, 4], [8, 4, 2, 1]))]
    [0.5, 1.25, 2.0]
    """
    n = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].astype(float)
    estimated = np.array(_USUAL)
    for count, usual in enumerate(_USUAL, 1):
        this, more = n[count - 1], n[count]
        discount = count - (count + 1) * n[0] / (n[0] + 2 * n[1]) * more / this if this and n[0] else usual
        estimated[count - 1] = discount if 0 < discount < count else usual
    kept = np.arange(4) - [0, *estimated]
    return estimated if np.diff(kept).min() > _APART else np.array(_USUAL)


def smoothed(counts: Counts, possible: npt.NDArray[np.bool_]) -> Tables:
    """Turn the n-grams of a text into probabilities.

    Args:
        counts: Of the longest n-grams; those of all shorter ones follow from them.
        possible: Which tokens (V,) may come at all; one that occurs may too.
    """
    size, order = len(possible), len(counts.tokens)
    possible = possible.copy()
    possible[counts.tokens[0]] = True
    base = np.where(possible, 1 / possible.sum(), 0.0)
    new = changes(counts.tokens[:1])
    context = np.zeros(len(counts.times), np.int64)  # of the length of this level, for each of the longest n-grams
    levels, of_tokens = [], np.array(_USUAL)
    for length in range(order):
        starts = np.flatnonzero(new)
        longer = new | changes(counts.tokens[length + 1 : length + 2]) if length + 1 < order else new
        times = _times(counts, starts, longer, length)
        whole = (counts.tokens[length][starts] != PADDING) | (length == 0)
        parents, oldest = np.zeros(1, np.int64), np.zeros(1, np.int64)
        contexts = context[starts[whole]]
        if length:
            keys, contexts = np.unique(contexts * size + counts.tokens[length][starts[whole]], return_inverse=True)
            parents, oldest = keys // size, keys % size
            numbers = np.zeros(len(starts), np.int64)
            numbers[whole] = contexts
            context = numbers[np.cumsum(new) - 1]
        level = _level(parents, oldest, contexts, counts.tokens[0][starts[whole]], times[whole], size)
        if length:
            levels.append(level)
        elif len(starts):
            of_tokens = level.discounts
            base *= level.backoff[0]
            base[level.following] += level.shares
        new = longer
    return joined(base, levels, of_tokens)


def _times(counts: Counts, starts: Array, longer: Array, length: int) -> Array:
    """Count the n-grams that begin at `starts`, whose contexts have a length."""
    if length + 1 == len(counts.tokens) or not len(starts):
        return counts.times[starts]
    different = np.add.reduceat(longer.astype(np.int64), starts)
    begins_a_text = (counts.tokens[length][starts] == END) & (length > 0)
    return np.where(begins_a_text, np.add.reduceat(counts.times, starts), different)


def _level(parents: Array, oldest: Array, contexts: Array, following: Array, times: Array, size: int) -> Level:
    order = np.argsort(contexts * size + following, kind="stable")
    contexts, following, times = contexts[order], following[order], times[order]
    of_counts = discounts(times)
    taken = of_counts[np.minimum(times, 3) - 1]
    totals = np.bincount(contexts, times, minlength=len(parents))
    backoff = np.bincount(contexts, taken, minlength=len(parents)) / np.maximum(totals, 1)
    shares = (times - taken) / totals[contexts]
    return Level(parents, oldest, contexts, following, shares, backoff, totals, of_counts)


def joined(base: Array, levels: list[Level], of_tokens: Array) -> Tables:
    """Number the contexts of all lengths, the shorter ones first, and lay their n-grams one after another.

    Args:
        base: The distribution without any context (V,).
        levels: Of contexts of one token, of two, and so on.
        of_tokens: What was taken from the counts of single tokens, (3,).
    """
    kind = np.min_scalar_type(len(base) - 1)
    above = [1, *(len(level.parents) for level in levels)]
    children = [np.bincount(level.parents, minlength=number) for level, number in zip(levels, above, strict=False)] + [
        np.zeros(above[-1], np.int64)
    ]
    entries = [np.zeros(1, np.int64)] + [np.bincount(level.contexts, minlength=len(level.parents)) for level in levels]
    nothing = [np.zeros(1)]
    return Tables(
        order=len(levels) + 1,
        base=base.astype(np.float32),
        oldest=np.concatenate([*nothing, *(level.oldest for level in levels), *nothing]).astype(kind),
        children=_offsets(children, 1),
        entries=_offsets(entries, 0),
        backoff=np.concatenate([[1.0], *(level.backoff for level in levels), [1.0]]).astype(np.float32),
        following=np.concatenate([*(level.following for level in levels), *nothing]).astype(kind),
        shares=np.concatenate([*(level.shares for level in levels), *nothing]).astype(np.float32),
        totals=np.concatenate([*nothing, *(level.totals for level in levels), *nothing]).astype(np.int32),
        discounts=np.array([of_tokens, *(level.discounts for level in levels)], np.float32),
    )


def _offsets(numbers: list[Array], first: int) -> npt.NDArray[np.int32]:
    """Give where the ranges of so many begin and end, one after another; the last one is empty."""
    ends = first + np.cumsum(np.concatenate(numbers))
    return np.concatenate([[first], ends, ends[-1:]]).astype(np.int32)
