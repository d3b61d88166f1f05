"""The texts of beams, each of which goes on from another one at every step.

Axis letters: R rows, N new tokens.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# Ids of a piece (R, N), and the row at its begin that each of them goes back to (R,).
Piece = tuple[npt.NDArray[np.int32], npt.NDArray[np.intp]]


def traced(ids: npt.NDArray[np.int32], parents: npt.NDArray[np.int32]) -> Piece:
    """Give what each row has written at last, read from its end: each token's row of the step before is its parent.

    Args:
        ids: Tokens as they were chosen (R, N).
        parents: The row of the step before that each belongs to (R, N).

    >>> traced(np.array([[1, 3], [2, 4]]), np.array([[0, 1], [1, 1]]))
    (array([[2, 3],
           [2, 4]]), array([1, 1]))
    """
    texts = np.empty_like(ids)
    rows = np.arange(len(ids))
    for t in reversed(range(ids.shape[1])):
        texts[:, t] = ids[rows, t]
        rows = parents[rows, t]
    return texts, rows


def joined(pieces: Sequence[Piece]) -> npt.NDArray[np.int32]:
    """Give the texts (R, N) of one or more pieces, one after another."""
    rows = np.arange(len(pieces[-1][0]))
    parts = []
    for ids, origins in reversed(pieces):
        parts.append(ids[rows])
        rows = origins[rows]
    return np.concatenate(parts[::-1], axis=1)
