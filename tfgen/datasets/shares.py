"""The rows of a batch that one of several workers reads: a pure function of who it is.

Axis letters: B rows of the whole batch, W workers, b = ceil(B / W) rows of each.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.vocabulary.vocabulary import PADDING


class Share(NamedTuple):
    """Row r of worker w is row w * b + r of the whole batch.

    All workers have as many rows. Where B is no multiple of W, the last ones repeat the last row of the batch without
    its targets: such a row weighs nothing, and yet is one that any network can read.

    Attributes:
        worker: From 0 to W - 1.
        workers: W.

    >>> [Share(worker, 2).of(np.array([7, 8, 9])).tolist() for worker in (0, 1)]
    [[7, 8], [9, 9]]
    """

    worker: int = 0
    workers: int = 1

    def of(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Take this worker's rows (b, ...) of all rows (B, ...)."""
        return rows if self.workers == 1 else rows[np.minimum(self._numbers(len(rows)), len(rows) - 1)]

    def targets(self, targets: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
        """Take the targets out of those of this worker's rows, (b, T), that only fill its share of B rows."""
        if rows % self.workers == 0:
            return targets
        return np.where(self._numbers(rows)[:, np.newaxis] < rows, targets, PADDING)

    def _numbers(self, rows: int) -> npt.NDArray[np.int64]:
        own = -(-rows // self.workers)
        return np.arange(self.worker * own, (self.worker + 1) * own)


# Of one process, which reads all rows.
WHOLE = Share()
