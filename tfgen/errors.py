"""The one error that tfgen raises for what a user gave it, and the checks that raise it most."""

import numbers
from collections.abc import Sequence

from tfgen.support import wording


class InputError(ValueError):
    """What was given cannot be used; the message names what was received and how to repair it.

    The command line prints the message alone and exits with 1, without a traceback.
    """


def whole_number(name: str, value: object, least: int, most: int = 2**31 - 1) -> int:
    """Check a number of things.

    Raises:
        InputError: It is no whole number, below `least` or above `most`.

    >>> whole_number("units", 3, least=1)
    3
    """
    # NumPy's integers are such numbers too.
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or (number := int(value)) < least:
        raise InputError(f"{name} must be a whole number of at least {least}; received {wording.described(value)}.")
    if number > most:
        raise InputError(f"{name} must be at most {most:,}; received {wording.described(value)}.")
    return number


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is none of the choices.

    Raises:
        InputError: Names the setting, the choices and what was received.
    """
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(map(repr, choices))}; received {wording.described(value)}.")
