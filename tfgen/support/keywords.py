"""Keyword arguments whose name is nearly that of a setting."""

import functools
import inspect
from collections.abc import Callable, Collection, Iterable
from typing import ParamSpec, TypeVar

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def similar(name: str, names: Collection[str]) -> str:
    """Give the name that was probably meant, or an empty one.

    >>> similar("temprature", ["top_k", "temperature"]), similar("temp", ["temperature"]), similar("x", ["seed"])
    ('temperature', 'temperature', '')
    """
    import difflib  # takes milliseconds, which nobody waits for who makes no mistake

    found = difflib.get_close_matches(name, names, n=1) or [each for each in names if each in name or name in each]
    return found[0] if found and len(name) > 1 else ""


def unexpected(given: Iterable[str], settings: Collection[str], others: Iterable[str] = ()) -> str:
    """Say that there is no such setting, and which there are; "" where there is.

    Args:
        given: The names that were given.
        settings: Those that there are.
        others: Names of other arguments, which may have been meant too.

    >>> unexpected(["lenght"], ["top_k"], ["length"])
    'there is no setting lenght, did you mean length? The settings are top_k.'
    """
    unknown = next((name for name in given if name not in settings), "")
    if not unknown:
        return ""
    meant = similar(unknown, [*settings, *others])
    asked = f", did you mean {meant}? The" if meant else "; the"
    return f"there is no setting {unknown}{asked} settings are {', '.join(settings)}."


def suggesting(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Make a function name what was probably meant where a keyword argument is none of its own, as Python 3.13 does."""
    names = [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]

    @functools.wraps(function)
    def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        if message := unexpected(kwargs, names):
            raise TypeError(message)
        return function(*args, **kwargs)

    return call
