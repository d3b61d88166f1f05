"""Arrays mapped from files: what was read of them need not stay in the memory of the process."""

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

_TOGETHER = 1 << 8  # places: around each of them the system maps up to two megabytes


def let_go(array: npt.NDArray[Any]) -> None:
    """Count what was read of a mapped array no longer as memory of this process; nothing for any other array.

    The operating system maps whole blocks around each place that is read, so that a process which reads here and there
    would seem to hold all of a file in the end. It keeps them in its cache as long as nobody else needs the memory.
    """
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):  # not on Windows
        base.madvise(mmap.MADV_DONTNEED)


def taken(array: npt.NDArray[Any], places: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
    """Give what stands at some places (N,) of a mapped array, some at a time."""
    result = np.empty(len(places), array.dtype)
    for begin in range(0, len(places), _TOGETHER):
        result[begin : begin + _TOGETHER] = array[places[begin : begin + _TOGETHER]]
        let_go(array)
    return result
