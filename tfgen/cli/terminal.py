"""What commands read and write: standard input, and standard output with colours on a terminal and plain in a pipe."""

import sys

from rich.console import Console

from tfgen.errors import InputError


def console() -> Console:
    """Give the console of standard output, which takes text as it is: no markup, no colours of its own, no wrapping."""
    return Console(markup=False, highlight=False, soft_wrap=True, emoji=False)


def read_standard_input() -> str:
    """Read all of standard input as UTF-8, newlines as they are but for the last, which the shell's `echo` adds.

    Raises:
        InputError: A byte is no UTF-8.
    """
    data = sys.stdin.buffer.read()
    try:
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError as error:
        raise InputError(
            f"standard input is not UTF-8: byte {data[error.start]:#04x} at offset {error.start}; convert it first."
        ) from None
