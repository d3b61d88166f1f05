"""The callbacks of a `fit`, which Keras takes in lists, in lists of lists and in its own `CallbackList`s."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from tfgen.errors import InputError


def every(callbacks: Any) -> Iterator[Any]:
    """Give each callback, in the order in which they are called; a `CallbackList` comes before what is in it."""
    for callback in keras.tree.flatten(callbacks):
        yield callback
        if isinstance(callback, keras.callbacks.CallbackList):
            yield from every(callback.callbacks)


def around(
    first: keras.callbacks.Callback, callbacks: Any, last: list[keras.callbacks.Callback], model: keras.Model
) -> Any:
    """Put a callback before those that `fit` was given, which stay as they are, and some after them.

    Returns:
        What Keras takes for it: a list, to which it adds its own, or a `CallbackList` where it was given one.

    Raises:
        InputError: One of them is no callback.
    """
    callbacks = [] if callbacks is None else callbacks
    for callback in every(callbacks):
        if isinstance(callback, type) or not hasattr(callback, "set_model"):
            received = f"the class {callback.__name__}" if isinstance(callback, type) else type(callback).__name__
            raise InputError(f"callbacks must be instances of keras.callbacks.Callback; received {received}.")
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return keras.callbacks.CallbackList([first, callbacks, *last], model=model)
    return [first, *keras.tree.flatten(callbacks), *last]
