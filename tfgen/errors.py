"""The one error that tfgen raises for what a user gave it, and the checks that raise it most."""

import contextlib
import math
import numbers
import os
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from tfgen.support import wording

_Given = TypeVar("_Given")
_Read = TypeVar("_Read")


class InputError(ValueError):
    """What was given cannot be used; the message names what was received and how to repair it.

    The command line prints the message alone and exits with 1, without a traceback; a notebook shows it alone too.

    Attributes:
        found: What was received, a clause; the whole message where no repairs are listed.
        repairs: Ways to repair it, each with the setting that it takes, "" for none: a command that lacks the setting
            does not offer it.

    >>> error = InputError("it holds 'q'", [("", "remove it"), ("unknown", "skip it with unknown='skip'")])
    >>> str(error), error.within("in line 2").offered({"length"})
    ("it holds 'q'; remove it, or skip it with unknown='skip'.", "in line 2, it holds 'q'; remove it.")
    """

    # Raised in a `tf.function` of a user it stays as it is; else AutoGraph would give a page about the trace.
    ag_pass_through = True

    def __init__(self, found: str, repairs: Iterable[tuple[str, str]] = ()) -> None:
        """Take the message, or what was received and the repairs."""
        self.found, self.repairs = found, tuple(repairs)
        super().__init__(self._message(repair for _, repair in self.repairs))

    def offered(self, settings: Container[str]) -> str:
        """Give the message for whoever has only these settings."""
        return self._message(repair for setting, repair in self.repairs if not setting or setting in settings)

    def within(self, where: str) -> "InputError":
        """Give the same error with words before it that say where it is, such as "in the source"."""
        return InputError(f"{where}, {self.found}", self.repairs)

    def _message(self, repairs: Iterable[str]) -> str:
        *most, last = list(repairs) or [""]
        offer = f"{', '.join(most)}, or {last}" if most else last
        return f"{self.found}; {offer}." if offer else self.found if not self.repairs else f"{self.found}."

    def _render_traceback_(self) -> list[str]:
        """Give IPython the lines that it shows, in place of a screen of frames."""
        return [f"{type(self).__name__}: {self}"]


def read_each(name: str, given: Sequence[_Given], read: Callable[[_Given], _Read]) -> list[_Read]:
    """Read several things of one kind.

    Args:
        name: What each is, such as "prompt".
        given: N things.
        read: Reads one.

    Returns:
        What was read, N.

    Raises:
        InputError: One cannot be read; of several it says which, counted from 1.

    >>> read_each("prompt", ["1", "2"], int)
    [1, 2]
    """
    found = []
    for number, each in enumerate(given, start=1):
        try:
            found.append(read(each))
        except InputError as error:
            raise (error.within(f"in {name} {number:,}") if len(given) > 1 else error) from None
    return found


@contextlib.contextmanager
def damage(describe: Callable[[Exception], str]) -> Iterator[None]:
    """Refuse what a block cannot read: where content is not ours, reading it can fail with any class of error.

    A lack of memory passes, for it is no damage.

    Args:
        describe: Gives the message of the `InputError` that is raised instead of any other error.
    """
    try:
        yield
    except Exception as error:
        if lacks_memory(error):
            raise
        raise InputError(describe(error)) from error


@contextlib.contextmanager
def offering(setting: str, repair: str, beside: str) -> Iterator[None]:
    """Offer one more way to repair what a block refuses, before the others.

    Args:
        setting: That it takes, see `InputError.repairs`.
        repair: The way.
        beside: Only where this setting is offered too.

    >>> with offering("grow", "learn it", beside="unknown"):
    ...     raise InputError("it holds 'q'", [("unknown", "skip it")])
    Traceback (most recent call last):
    tfgen.errors.InputError: it holds 'q'; learn it, or skip it.
    """
    try:
        yield
    except InputError as error:
        if all(other != beside for other, _ in error.repairs):
            raise
        raise InputError(error.found, [(setting, repair), *error.repairs]) from None


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that there is too little memory.

    It may be Python's, TensorFlow's, which is not imported here, or that of a library for which there is no room.
    """
    is_unmapped = isinstance(error, ImportError) and "failed to map segment" in str(error)
    return isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError" or is_unmapped


def whole_number(name: str, value: object, least: int, most: int = 2**31 - 1) -> int:
    """Check a number of things.

    Raises:
        InputError: It is no whole number, below `least` or above `most`.

    >>> whole_number("units", 3, least=1)
    3
    """
    # NumPy's integers are such numbers too.
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or (number := int(value)) < least:
        raise InputError(f"{name} must be a whole number of at least {least}; received {wording.shown(value)}.")
    if number > most:
        raise InputError(f"{name} must be at most {most:,}; received {wording.shown(value)}.")
    return number


def real_number(
    name: str,
    value: object,
    *,
    at_least: float = -math.inf,
    above: float = -math.inf,
    at_most: float = math.inf,
    below: float = math.inf,
) -> float:
    """Check a quantity or a share, which must be finite.

    Raises:
        InputError: It is no number, or out of its range.

    >>> real_number("validation", 0.1, at_least=0, below=1)
    0.1
    """
    number = math.nan
    if isinstance(value, numbers.Real) and not isinstance(value, bool):  # NumPy's numbers are some too
        with contextlib.suppress(OverflowError):
            number = float(value)
    if not (math.isfinite(number) and at_least <= number <= at_most and above < number < below):
        bounds = [f"of at least {at_least:g}"] * (at_least > -math.inf) + [f"above {above:g}"] * (above > -math.inf)
        bounds += [f"at most {at_most:g}"] * (at_most < math.inf) + [f"below {below:g}"] * (below < math.inf)
        range_ = f" {' and '.join(bounds)}" if bounds else ""
        raise InputError(f"{name} must be a number{range_}; received {wording.shown(value)}.")
    return number


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is none of the choices.

    Raises:
        InputError: Names the setting, the choices and what was received.
    """
    if not isinstance(value, str) or value not in choices:
        raise InputError(f"{name} must be one of {', '.join(map(repr, choices))}; received {wording.shown(value)}.")


def check_instance(name: str, value: object, kind: Any, called: str) -> None:
    """Refuse what is not of a class, or lacks what a protocol asks for.

    Args:
        name: Of the setting.
        value: What was received.
        kind: The class, the protocol, or several of them.
        called: What the value must be, such as "a tfgen.Vocabulary".

    Raises:
        InputError: Names the setting, what it must be and what was received.
    """
    if not isinstance(value, kind):
        raise InputError(f"{name} must be {called}; received {wording.shown(value)}.")


def path_of(name: str, value: object) -> Path:
    """Check a path, which need not lead to anything.

    Raises:
        InputError: It is neither text nor a path of text, or holds NUL, which no path does.

    >>> path_of("path", "a.txt").name
    'a.txt'
    """
    path = os.fspath(value) if isinstance(value, (str, os.PathLike)) else None
    if not isinstance(path, str) or "\0" in path:
        raise InputError(f"{name} must be a str or an os.PathLike, without NUL; received {wording.shown(value)}.")
    return Path(path)
