"""What Ctrl-C does before the command line hears it: it ends the process, without a page of traceback.

Importing the first modules takes a moment, in which Python would raise KeyboardInterrupt wherever it is.
"""

import os
import signal
import sys


def is_command() -> bool:
    """Whether this process was started as `python -m tfgen` or `tfgen`, and not by a program that imports tfgen."""
    started = "".join(getattr(sys, "argv", [])[:1])  # where Python is a part of another program there is none
    if started != "-m":
        return started.rpartition(os.sep)[2] in ("tfgen", "tfgen.exe")
    # So it is named so long as Python looks for the module; the name may be a part of the option, as in `-mtfgen`.
    words = iter(sys.orig_argv[1:])
    option = next((word for word in words if word.startswith("-") and "m" in word), "")
    return (option.partition("m")[2] or next(words, "")) == "tfgen"


def end_at_once() -> None:
    """Let Ctrl-C end the process, unless it is ignored, as in a job in the background, or already heard."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
