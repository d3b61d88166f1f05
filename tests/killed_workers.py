"""`tfgen train` whose workers do what a plan says: one is killed, or lacks a file, or interrupts the command.

Each start of the workers follows the next part of the plan that is not over. It is a file in the directory of the
command: which worker does something, after which of its batches and how many seconds. The file is renamed then.
"""

import json
import os
import pathlib
import signal
import sys
import tempfile
import threading
import time

COMMAND = [sys.executable, "-c", "import killed_workers; killed_workers.main()"]
# Which worker; after which batch; what it does then, "die", "interrupt", or "tell" that it is there, or from the
# beginning, "lack" its files; after how many seconds; how long all workers pause from that batch on after each.
NOTHING = {"rank": -1, "batch": 0, "does": "", "delay": 0.0, "pause": 0.0}


def write_plan(folder, *parts):
    """Write what the workers shall do."""
    for number, part in enumerate(parts):
        (folder / f"part-{number}.json").write_text(json.dumps(NOTHING | part))


def are_done(folder, count):
    """Whether all parts of the plan are over."""
    return len([*folder.glob("part-*.done")]) == count and not [*folder.glob("part-*.json")]


def work(arguments):
    """What a worker does: the usual, and what its part of the plan says."""
    from tfgen.cli import worker
    from tfgen.fitting import resume

    rank = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
    left = sorted(pathlib.Path.cwd().glob("part-*.json"))
    part = json.loads(left[0].read_text()) if left else NOTHING
    command = int(pathlib.Path("command.pid").read_text())
    usual, done = resume.ResumableCallbacks.on_train_batch_end, [0]

    def act():
        time.sleep(part["delay"])
        left[0].rename(left[0].with_suffix(".done"))
        if part["does"] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if part["does"] == "interrupt":
            os.kill(command, signal.SIGINT)

    def on_train_batch_end(self, batch, logs=None):
        usual(self, batch, logs)
        done[0] += 1
        if done[0] == part["batch"] and rank == part["rank"]:
            threading.Thread(target=act, daemon=True).start()
        if done[0] >= part["batch"]:
            time.sleep(part["pause"])

    resume.ResumableCallbacks.on_train_batch_end = on_train_batch_end
    if part["does"] == "lack":
        left[0].with_suffix(f".{rank}-{os.getpid()}").touch()
        if rank == part["rank"]:
            os.chdir(tempfile.mkdtemp())
    worker.work(arguments)


def main():
    """Be the command, whose workers call `work` of this module."""
    from tfgen import __main__
    from tfgen.machines import group

    pathlib.Path("command.pid").write_text(str(os.getpid()))
    usual = group.train_together
    group.train_together = lambda function, *given, **named: usual(work, *given, **named)
    __main__.main()
