"""The one error that tfgen raises for what a user gave it."""


class InputError(ValueError):
    """What was given cannot be used; the message names what was received and how to mend it.

    The command line prints the message alone and exits with 1, without a traceback.
    """
