"""A random order of any number of things, looked up place by place and never held.

A Feistel network permutes the numbers of so many bits; a number that falls outside the range is permuted again until it
falls inside (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
"""

import functools
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

_ROUNDS = 8
_TOGETHER = 1 << 12  # places that are looked up at once, of as many batches as they make


def shuffled(places: npt.NDArray[np.integer], count: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Give what stands at some places of a random order.

    Args:
        places: Integers (B,) from 0 to `count` - 1.
        count: How many things there are.
        seed: The order is a function of it
        epoch: and of this.

    Returns:
        int64 (B,): for all places together, each number from 0 to `count` - 1 once.

    >>> sorted(shuffled(np.arange(5), 5, seed=1, epoch=0).tolist())
    [0, 1, 2, 3, 4]
    """
    half = max(((count - 1).bit_length() + 1) // 2, 1)
    keys = np.random.Philox(key=[seed, epoch + 1]).random_raw(_ROUNDS)
    numbers = _permuted(np.asarray(places, np.uint64), keys, half)
    while (outside := numbers >= count).any():
        numbers[outside] = _permuted(numbers[outside], keys, half)
    return numbers.astype(np.int64)


def batches(count: int, batch_size: int, seed: int | None) -> Callable[[int, int], npt.NDArray[np.int64]]:
    """Give the things of a batch, int64 (B,), as a function of (epoch, step); the last batch has what is left.

    Args:
        count: How many things there are.
        batch_size: B.
        seed: The order is a function of it and the epoch; None for the order that they have.
    """
    together = max(_TOGETHER // batch_size, 1)

    @functools.lru_cache(maxsize=2)
    def some(epoch: int, number: int) -> npt.NDArray[np.int64]:
        first = number * together * batch_size
        places = np.arange(first, min(first + together * batch_size, count))
        return places if seed is None else shuffled(places, count, seed, epoch)

    def batch(epoch: int, step: int) -> npt.NDArray[np.int64]:
        begin = step % together * batch_size
        return some(epoch, step // together)[begin : begin + batch_size]

    return batch


def _permuted(numbers: npt.NDArray[np.uint64], keys: npt.NDArray[np.uint64], half: int) -> npt.NDArray[np.uint64]:
    low = np.uint64((1 << half) - 1)
    left, right = numbers >> np.uint64(half), numbers & low
    for key in keys:
        left, right = right, left ^ (_mixed(right + key) & low)
    return (left << np.uint64(half)) | right


def _mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scatter bits, as the last steps of SplitMix64 do (Steele, Lea and Flood 2014)."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
