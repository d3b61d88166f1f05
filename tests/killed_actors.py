"""`tfgen bulk` one of whose actors does something after some groups, once: it dies, or interrupts the command.

What it does is in the environment: TFGEN_DOES, "die" or "interrupt", TFGEN_AFTER, and TFGEN_DONE, a file that is made
then. It interrupts when the command has written all that was answered before, which TFGEN_PARTS holds; from then on the
actors take their time, so that the command cannot end before it hears of it.
"""

import os
import pathlib
import signal
import sys
import time

from tfgen.bulk import ray_data

COMMAND = [sys.executable, "-c", "import killed_actors; killed_actors.main()"]
USUAL = ray_data._lines


class Groups(ray_data._Groups):
    """An actor."""

    def __init__(self, model, request):
        super().__init__(model, request)
        self._left = int(os.environ["TFGEN_AFTER"])

    def __call__(self, batch):
        """Answer, and do it if it is time."""
        answered = super().__call__(batch)
        does = os.environ["TFGEN_DOES"]
        done, parts = pathlib.Path(os.environ["TFGEN_DONE"]), pathlib.Path(os.environ["TFGEN_PARTS"])
        self._left -= 1
        if self._left == 0 and not done.exists():
            done.touch()
            while does == "interrupt" and len([*parts.glob("*.jsonl")]) < int(os.environ["TFGEN_AFTER"]) - 1:
                time.sleep(0.05)
            command = int(os.environ["TFGEN_COMMAND"])
            os.kill(*{"die": (os.getpid(), signal.SIGKILL), "interrupt": (command, signal.SIGINT)}[does])
        if does == "interrupt" and done.exists():
            time.sleep(5)
        return answered


def lines(*given):
    """Answer groups with the actors of this module."""
    import killed_actors

    ray_data._Groups = killed_actors.Groups
    yield from USUAL(*given)


def main():
    """Be the command, whose actors are those of this module."""
    import killed_actors

    from tfgen import __main__

    os.environ["TFGEN_COMMAND"] = str(os.getpid())
    ray_data._lines = killed_actors.lines
    __main__.main()
