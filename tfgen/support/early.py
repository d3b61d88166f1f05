"""What Ctrl-C does before the command line hears it: it ends the process, without a page of traceback.

Importing the first modules takes a moment, in which Python would raise KeyboardInterrupt wherever it is.
"""

import os
import signal
import sys


def is_command() -> bool:
    """Whether this process was started as `python -m tfgen` or as `tfgen`, and not by a program that imports tfgen."""
    if sys.argv[0] == "-m":  # so long as Python looks for the module
        return sys.orig_argv[sys.orig_argv.index("-m") + 1] == "tfgen"
    return sys.argv[0].rpartition(os.sep)[2] in ("tfgen", "tfgen.exe")


def end_at_once() -> None:
    """Let Ctrl-C end the process, unless it is ignored, as in a job in the background, or already heard."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
