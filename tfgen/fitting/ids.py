"""Ids of arrays that a network lacks: they are refused before it learns from them.

TensorFlow says it at the end of a trace, a layer that compares takes them for no token at all, and fractions are cut.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.networks import kinds

_OUTSIDE = re.compile(r"label value of (-?\d+) which is outside the valid range of \[0, (\d+)\)")


def check(network: kinds.Network, x: Any, y: Any = None) -> None:
    """Look through the ids and targets (B, T) of arrays; batches of a dataset pass, see `one_line`.

    Args:
        network: Of V tokens.
        x: Ids, or sources and ids.
        y: Targets; those of another rank are no ids.

    Raises:
        InputError: One is below 0, above V - 1, or no whole number.
    """
    tokens = kinds.tokens_of(network)
    several = x[-1] if isinstance(x, (list, tuple)) and x else x
    for name, given in (("an id", several), ("a target", y)):
        if isinstance(given, (np.ndarray, tf.Tensor)) and len(given.shape) == 2 and (array := np.asarray(given)).size:
            _check(name, array, tokens)


def _check(name: str, array: np.ndarray, tokens: int) -> None:
    if array.dtype.kind not in "iuf":
        raise InputError(f"{name} is a whole number, 0 to {tokens - 1:,}; received an array of {array.dtype.name}.")
    inside = (array >= 0) & (array < tokens)  # NaN is not
    if array.dtype.kind == "f":
        inside &= array == np.floor(array)
    if not inside.all():
        raise InputError(_message(name, array[~inside][0], tokens))


def _message(name: str, received: Any, tokens: int) -> str:
    return (
        f"{name} is a whole number, 0 to {tokens - 1:,} for the {tokens:,} tokens of the network; received {received}."
    )


@contextlib.contextmanager
def one_line() -> Iterator[None]:
    """Say in one line which target of a batch is none, where only the batch itself can show it.

    Raises:
        InputError: A block has met one.
    """
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if not (found := _OUTSIDE.search(error.message)):
            raise
        raise InputError(_message("a target", found[1], int(found[2]))) from None
