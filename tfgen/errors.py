"""The one error that tfgen raises for what a user gave it."""

from collections.abc import Sequence

from tfgen import wording


class InputError(ValueError):
    """What was given cannot be used; the message names what was received and how to mend it.

    The command line prints the message alone and exits with 1, without a traceback.
    """


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse what is none of the choices.

    Raises:
        InputError: Names the setting, the choices and what was received.
    """
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(map(repr, choices))}, got {wording.shorten(repr(value))}")
