"""What texts are written from, as a user gives it: texts, or arrays of numbers. Training and writing take the same.

Axis letter: N sources.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from tfgen.errors import InputError
from tfgen.support import wording

Array = npt.NDArray[Any]

_TOGETHER = 1 << 12  # rows that are looked at at once, so that a mapped array is never held whole


def plain(given: Any) -> Any:
    """Give texts that are strings of TensorFlow, NumPy or pandas as those of Python; all else as it is.

    >>> plain(np.array(["one", "two"])), plain(np.array("one")), plain([1])
    (['one', 'two'], 'one', [1])
    """
    dtype = getattr(given, "dtype", None)
    if getattr(dtype, "name", "") == "string" and hasattr(given, "numpy"):  # a tensor, whose strings are bytes
        found = given.numpy()
        each = [found] if isinstance(found, bytes) else found.tolist()
        texts = [text.decode("utf-8", "replace") if isinstance(text, bytes) else text for text in each]
        return texts[0] if isinstance(found, bytes) else texts
    return given.tolist() if getattr(dtype, "kind", "") in ("U", "O") and hasattr(given, "tolist") else given


def are_texts(given: Any) -> bool:
    """Whether these are meant as texts: a str, a list that has one, or an array or a tensor of them."""
    if isinstance(given, (list, tuple)):
        return any(isinstance(each, str) for each in given)
    return isinstance(given, str) or isinstance(plain(given), (str, list))


def texts(given: Any) -> list[str]:
    """Take several texts, or one as a list of it.

    Args:
        given: A str, or N of them as a list, a tuple, an array or a tensor.

    Raises:
        InputError: It is something else, or one of them is.

    >>> texts("one"), texts(np.array(["one", "two"]))
    (['one'], ['one', 'two'])
    """
    several = plain(given)
    if isinstance(several, str):
        return [several]
    if not isinstance(several, (list, tuple)):
        raise InputError(f"a source must be a str, or a list of them; received {wording.shown(given)}.")
    for number, each in enumerate(several, start=1):
        if not isinstance(each, str):
            raise InputError(
                f"a source must be a str, or a list of them; received {wording.shown(each)} as number {number:,}."
            )
    return list(several)


def numbers(given: Any) -> Array:
    """Take an array, a tensor or nested lists as an array, whose values are as they were given.

    Raises:
        InputError: It is no array of finite numbers, or holds nothing where it has rows.

    >>> numbers([[1, 2], [3, 4]]).shape
    (2, 2)
    """
    try:
        array = np.asarray(given)
    except (TypeError, ValueError):  # rows of different lengths, or what no array is made of
        raise InputError(
            f"sources must be arrays of numbers, all of one shape; received {wording.shown(given)}."
        ) from None
    if array.dtype.name == "bfloat16":  # TensorFlow's, which NumPy knows no kind of
        array = array.astype(np.float32)
    if array.dtype.kind not in "biuf":
        received = "complex numbers" if array.dtype.kind == "c" else wording.shown(given)
        raise InputError(f"sources must be arrays of numbers, or texts; received {received}.")
    if 0 in array.shape[1:]:
        raise InputError(f"a source must hold something; received an array of shape {array.shape}.")
    if array.dtype.kind == "f":
        _check_all(array, lambda rows: np.isfinite(rows.astype(np.float32)), "of finite numbers, of float32's range")
    return array


def as_type(array: Array, kind: npt.DTypeLike) -> Array:
    """Give numbers in another type: a real number may be rounded, a whole one or a truth value is what it was.

    Raises:
        InputError: A value would be another one.

    >>> as_type(np.array([1.0, 2.0]), np.int32)
    array([1, 2], dtype=int32)
    """
    kind = np.dtype(kind)
    if kind.kind in "biu":
        _check_all(array, lambda rows: rows.astype(kind) == rows, f"of numbers that {kind.name} holds")
    return array.astype(kind, copy=False)


def _check_all(array: Array, holds: Callable[[Array], npt.NDArray[np.bool_]], called: str) -> None:
    """Refuse an array of which some number is not what it must be, and name it."""
    rows = np.atleast_1d(array)
    for begin in range(0, len(rows), _TOGETHER):
        some = rows[begin : begin + _TOGETHER]
        with np.errstate(over="ignore", invalid="ignore"):
            right = holds(some)
        if not right.all():
            row = begin + int(np.argmin(right.reshape(len(some), -1).all(axis=1))) + 1
            raise InputError(f"a source must be {called}; received {some[~right].flat[0]} in number {row:,}.")
