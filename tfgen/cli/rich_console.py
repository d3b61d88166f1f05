"""A console that goes on without its reader; Rich, which takes time to import, is for commands that show a lot."""

import errno
import sys
from typing import Any

from rich.console import Console as RichConsole

from tfgen.cli import terminal


class Console(RichConsole):
    """Goes on without its reader: `tfgen train ... | head` must not end the training, nor a terminal that is closed."""

    def out(self, *objects: Any, **how: Any) -> None:
        """Write texts as they are; what a terminal would obey is shown on it."""
        super().out(*(terminal.for_output(each) if isinstance(each, str) else each for each in objects), **how)

    def print(self, *objects: Any, **how: Any) -> None:
        """Write texts and other things, and show what a terminal would obey in a text, such as the name of a file."""
        super().print(*(terminal.for_output(each) if isinstance(each, str) else each for each in objects), **how)

    def on_broken_pipe(self) -> None:
        """Write into nothing from here on."""
        terminal.write_into_nothing(sys.stdout)

    def _check_buffer(self) -> None:
        try:
            super()._check_buffer()
        except OSError as error:
            if error.errno != errno.EIO:  # a terminal that is gone
                raise
            terminal.write_into_nothing(sys.stdout, sys.stderr)
