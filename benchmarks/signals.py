"""Sends a signal to `tfgen train` at a random instant, many times, and looks at what comes of it.

SIGINT, SIGTERM and SIGKILL in turn. Each but the last, which nobody hears, must end the run in one line that says so,
with the code that shells use. Each run that was stopped is gone on with by `--resume`, which the next signal may stop
again; the one that reaches the end must have the weights of a run that was never stopped, bit for bit. Instants are
drawn evenly from the start of a process to the end of the run.

With `short` it is sent to commands that end within a second, where most of them come while modules are imported, or at
the end.

Usage: python benchmarks/signals.py [short] [SIGNALS [SEED]]
"""

import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tfgen import model_files
from tfgen.cli import tensorflow_log

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 60
OPTIONS = ["--cell", "rnn", "--units", "8", "--length", "16", "--batch-size", "4", "--epochs", "3", "--prompt", "the "]
OPTIONS += ["--checkpoint-every", "5"]
ENDED = "after the end"
SHORT = (
    ("prepare", "fox.txt", "-o", "prepared"),
    ("novelty", "fox.txt", "fox.txt"),
    ("train", "--help"),
    ("--version",),
)


def start(folder: Path, *more: str) -> subprocess.Popen:
    """Start a run in a folder."""
    command = [sys.executable, "-m", "tfgen", "train", str(folder / "fox.txt"), *OPTIONS, *more]
    return subprocess.Popen(
        [*command, "-o", str(folder / "fox.keras")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def weights(folder: Path) -> list[np.ndarray]:
    """Read what a run has learned."""
    return model_files.load(folder / "fox.keras").get_weights()


def ended_by(process: subprocess.Popen, number: int, *signs: str) -> tuple[str, str]:
    """Wait for the end of a process that was signalled: how it ended, and what is wrong with that, "" for nothing.

    One that has ended by itself has written one of the signs.
    """
    try:
        out, error = process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return "hung", "it hung"
    if process.returncode == 0 and any(sign in out for sign in signs):
        return ENDED, ""
    if process.returncode == -number and not error and not out:
        return "before the program spoke", ""
    if "KeyboardInterrupt" in error and f"{os.sep}tfgen{os.sep}" not in error:
        return "while Python itself started", ""
    where = "while training" if "training:" in out else "before training"
    if process.returncode == -number == -signal.SIGKILL:
        return where, ""
    said = {signal.SIGINT: "tfgen: interrupted", signal.SIGTERM: "tfgen: stopped by SIGTERM"}.get(number)
    last = error.splitlines()[-1] if error else ""
    if process.returncode != 128 + number or last != said or "Traceback" in error:
        return f"code {process.returncode}", f"code {process.returncode}, {error[-300:]!r}"
    return where, ""


def fault_at_end(folder: Path, whole: list[np.ndarray]) -> str:
    """Let a run go on to its end, and say what is wrong with what it has learned, "" for nothing."""
    resumed = start(folder, "--resume")
    _, error = resumed.communicate()
    if resumed.returncode:
        return f"--resume fails: {error[-300:]!r}"
    return "" if all(map(np.array_equal, whole, weights(folder))) else "--resume ends with other weights"


def new_folder(place: str) -> Path:
    """Make a directory for a run, with the text."""
    folder = Path(tempfile.mkdtemp(dir=place))
    (folder / "fox.txt").write_text(TEXT)
    return folder


def main(signals: int = 500, seed: int = 0) -> None:
    """Print a Markdown table of how the runs ended, and every fault with its number."""
    tensorflow_log.import_tensorflow()
    draw, outcomes, faults, runs = random.Random(seed), collections.Counter(), [], 0
    with tempfile.TemporaryDirectory() as place:
        folder = new_folder(place)
        begin = time.monotonic()
        assert start(folder).wait() == 0
        seconds, whole = time.monotonic() - begin, weights(folder)
        folder = new_folder(place)
        for instant in range(1, signals + 1):
            number = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)[instant % 3]
            process = start(folder, "--resume")
            time.sleep(draw.uniform(0, seconds))
            process.send_signal(number)
            ended, fault = ended_by(process, number, "The model is", "is complete")
            outcomes[ended, number.name] += 1
            if fault or ended == ENDED or instant == signals:
                fault, runs = fault or fault_at_end(folder, whole), runs + 1
                folder = new_folder(place)
            if fault:
                faults.append(f"signal {instant} ({number.name}), run {runs}: {fault}")
                print(faults[-1], flush=True)
    print(f"{signals} signals to {runs} runs of {seconds:.1f} s, seed {seed}.\n")
    conclude(outcomes, faults)


def short(signals: int = 500, seed: int = 0) -> None:
    """Print the same of short commands."""
    draw, outcomes, faults = random.Random(seed), collections.Counter(), []
    with tempfile.TemporaryDirectory() as place:
        for command in SHORT:
            whole, seconds = "", 0.0
            for instant in range(signals // len(SHORT) + 1):
                words, begin = [sys.executable, "-m", "tfgen", *command], time.monotonic()
                streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
                process = subprocess.Popen(words, cwd=new_folder(place), **streams)
                if not instant:  # to this one no signal is sent
                    whole, _ = process.communicate()
                    seconds = time.monotonic() - begin
                    continue
                number = (signal.SIGINT, signal.SIGTERM)[instant % 2]
                time.sleep(draw.uniform(0, seconds))
                process.send_signal(number)
                ended, fault = ended_by(process, number, whole)
                outcomes[ended.replace("training", "its end"), number.name] += 1
                if fault:
                    faults.append(f"signal {instant} ({number.name}) to {command[0]}: {fault}")
                    print(faults[-1], flush=True)
    print(f"{signals} signals to {len(SHORT)} commands, seed {seed}.\n")
    conclude(outcomes, faults)


def conclude(outcomes: collections.Counter, faults: list[str]) -> None:
    """Print a Markdown table of how processes ended, and end with whether there were faults."""
    print("| the signal came | SIGINT | SIGTERM | SIGKILL |\n|---|---|---|---|")
    for ended in sorted({ended for ended, _ in outcomes}):
        counts = (str(outcomes[ended, name]) for name in ("SIGINT", "SIGTERM", "SIGKILL"))
        print(f"| {ended} | {' | '.join(counts)} |")
    print(f"\n{len(faults)} faults")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background inherits as ignored
    is_short = sys.argv[1:2] == ["short"]
    (short if is_short else main)(*map(int, sys.argv[1 + is_short :]))
