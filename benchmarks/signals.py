"""Sends a signal to `tfgen train` at a random instant, many times, and looks at what comes of it.

Each must end in one line that says so, with the code that shells use; then `--resume` must end with the weights of a
run that was never stopped, bit for bit. Instants are drawn evenly from the start of the process to the end of the run.

Usage: python benchmarks/signals.py [SIGNALS [SEED]]
"""

import collections
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


def start(folder: Path, *more: str) -> subprocess.Popen:
    """Start a run in a folder."""
    command = [sys.executable, "-m", "tfgen", "train", str(folder / "fox.txt"), *OPTIONS, *more]
    return subprocess.Popen(
        [*command, "-o", str(folder / "fox.keras")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def weights(folder: Path) -> list[np.ndarray]:
    """Read what a run has learned."""
    return model_files.load(folder / "fox.keras").get_weights()


def fault_of(process: subprocess.Popen, number: int) -> tuple[str, str]:
    """Wait for the end of a process that was signalled: how it ended, and what is wrong with that, "" for nothing."""
    try:
        out, error = process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        process.kill()
        return "hung", "it hung"
    said = {signal.SIGINT: "tfgen: interrupted", signal.SIGTERM: "tfgen: stopped by SIGTERM"}[number]
    last = error.splitlines()[-1] if error else ""
    if process.returncode == 0 and "The model is" in out:
        return "had ended", ""
    if process.returncode == -number and not error and not out:
        return "before the program began", ""
    ended = f"code {process.returncode}"
    if process.returncode != 128 + number or last != said or "Traceback" in error:
        return ended, f"code {process.returncode}, {error[-300:]!r}"
    return "while training" if "training:" in out else "before training", ""


def main(signals: int = 500, seed: int = 0) -> None:
    """Print a Markdown table of how the runs ended, and every fault with its number."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background inherits as ignored
    tensorflow_log.import_tensorflow()
    draw, outcomes, faults = random.Random(seed), collections.Counter(), []
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place, str(number)) for number in range(signals + 1)]
        for folder in folders[:1]:
            folder.mkdir()
            (folder / "fox.txt").write_text(TEXT)
        begin = time.monotonic()
        assert start(folders[0]).wait() == 0
        seconds, whole = time.monotonic() - begin, weights(folders[0])
        for instant, folder in enumerate(folders[1:]):
            folder.mkdir()
            (folder / "fox.txt").write_text(TEXT)
            number = (signal.SIGINT, signal.SIGTERM)[instant % 2]
            process = start(folder)
            time.sleep(draw.uniform(0, seconds))
            process.send_signal(number)
            ended, fault = fault_of(process, number)
            outcomes[ended] += 1
            resumed = start(folder, "--resume")
            _, error = resumed.communicate()
            if not fault and resumed.returncode:
                fault = f"--resume fails: {error[-300:]!r}"
            if not fault and not all(map(np.array_equal, whole, weights(folder))):
                fault = "--resume ends with other weights"
            if fault:
                faults.append(f"signal {instant + 1} ({number.name}): {fault}")
                print(faults[-1], flush=True)
    print(f"A run of {seconds:.1f} s, {signals} signals, seed {seed}.\n\n| the signal came | runs |\n|---|---|")
    for ended, count in outcomes.most_common():
        print(f"| {ended} | {count} |")
    print(f"\n{len(faults)} faults")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
