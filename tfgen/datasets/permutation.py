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
    """Give the things of a batch, int64 (B,), as a function of (epoch, step); batches differ by one thing at most.

    Args:
        count: How many things there are.
        batch_size: B, which a batch has at most.
        seed: The order is a function of it and the epoch; None for the order that they have.
    """
    begins = evenly(count, batch_size)
    together = max(_TOGETHER // batch_size, 1)

    @functools.lru_cache(maxsize=2)
    def some(epoch: int, number: int) -> npt.NDArray[np.int64]:
        places = np.arange(begins(number * together), begins((number + 1) * together))
        return places if seed is None else shuffled(places, count, seed, epoch)

    def batch(epoch: int, step: int) -> npt.NDArray[np.int64]:
        first = begins(step // together * together)
        return some(epoch, step // together)[begins(step) - first : begins(step + 1) - first]

    return batch


def evenly(count: int, most: int) -> Callable[[int], int]:
    """Say where each batch begins if things are spread evenly over as few batches as hold them.

    A batch that has what is left, such as one thing, would be a training step of the same weight as a whole one.

    Args:
        count: How many things there are.
        most: How many a batch has at most.

    Returns:
        Where a batch begins; a number beyond the last gives `count`.

    >>> begins = evenly(9, 4)
    >>> [begins(step) for step in range(5)]
    [0, 3, 6, 9, 9]
    """
    steps = -(-count // most)
    return lambda step: min(step, steps) * count // steps


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
