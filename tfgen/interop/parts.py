"""A layer and its share of a state dict."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Arrays = dict[str, np.ndarray]


class Part(NamedTuple):
    """A layer, and its share of the state dict.

    Attributes:
        layer: Of Keras.
        there: From what its `get_weights` gives to arrays by name.
        back: From a state dict to what its `set_weights` takes.
    """

    layer: Any
    there: Callable[[list[np.ndarray]], Arrays]
    back: Callable[[Arrays], list[np.ndarray]]


def embedding(name: str, layer: Any) -> Part:
    """Give the part of an embedding, which is one table there and here."""
    return Part(layer, lambda weights: {f"{name}.weight": weights[0]}, lambda given: [given[f"{name}.weight"]])


def turned(kernel: np.ndarray) -> np.ndarray:
    """Transpose a kernel (D, U), as PyTorch keeps it."""
    return np.ascontiguousarray(kernel.T)
