"""Seeds: each row of a batch has its own source of draws."""

import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tfgen.errors import InputError, whole_number
from tfgen.support import wording
from tfgen.terms.settings import array


def row_seeds(seed: int | Sequence[int], rows: int) -> npt.NDArray[np.int64]:
    """Give each row of a batch its own source of draws.

    Args:
        seed: One number for the batch: row r draws from (seed, r). Or one number a row: each draws from (its seed, 0),
            so that a text can be had again alone.
        rows: B.

    Returns:
        int64 (B, 2).

    Raises:
        InputError: A seed is no integer of 64 bits, or their number is not B; or B is no whole number.
    """
    rows = whole_number("rows", rows, 0)
    seeds = np.atleast_1d(array(seed))
    fits = seeds.ndim == 1 and seeds.dtype.kind in "iu" and np.array_equal(seeds.astype(np.int64), seeds)
    if not fits:
        raise InputError(f"a seed must be an integer that fits 64 bits; received {wording.shown(seed)}.")
    if np.ndim(seed) == 0:
        return np.stack([np.full(rows, seeds[0], np.int64), np.arange(rows, dtype=np.int64)], axis=1)
    if len(seeds) != rows:
        raise InputError(f"there must be one seed, or one for each of {rows} rows; received {len(seeds)} seeds.")
    return np.stack([seeds.astype(np.int64), np.zeros(rows, np.int64)], axis=1)


def given_or_drawn(seed: int | Sequence[int] | None, rows: int) -> npt.NDArray[np.int64]:
    """Give each row its own source of draws, see `row_seeds`; None stands for a number of Python's `random`."""
    return row_seeds(random.getrandbits(62) if seed is None else seed, rows)
