"""How soon text comes: whole processes of both engines, first characters, and which loop finishes a text first.

Compiling counts: each text is the first of a new generator.

Usage: python benchmarks/starting.py [UNITS [ROUNDS [PROCESSES]]]

ROUNDS (5) are of TensorFlow, PROCESSES (10) of NumPy's engine. `tfgen write` runs on a pseudo-terminal; its first
character is the first one of the text that is shown.
"""

import multiprocessing
import os
import pty
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import turns

LENGTHS = [200, 1_000, 5_000, 10_000, 20_000, 50_000]
# What must be there before anything of tfgen can work.
LOADED = """import sys
from tfgen import model_files
from tfgen.cli import tensorflow_log
tensorflow_log.import_tensorflow()
model_files.load(sys.argv[1])
print(flush=True)"""


def generator_of(units: int) -> Any:
    """Give an untrained generator of the characters of Python's own documentation."""
    import tfgen

    vocabulary = tfgen.Vocabulary.from_corpus(tfgen.load_corpus("python-docs"))
    return tfgen.TextGenerator.build(vocabulary, units=units, seed=0)


def save_model(path: Path, units: int) -> None:
    """Save such a generator."""
    generator_of(units).save(path)


def seconds_to_first_byte(command: list[str]) -> float:
    """Start a process, and wait for its first byte."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        seconds = time.perf_counter() - begun
        process.kill()
    return seconds


def cost(command: list[str]) -> tuple[float, float, float]:
    """Run a process: its seconds by the clock and of the processor, and the most memory that it had, in MB."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert not process.returncode
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def seconds_to_first_text(command: list[str]) -> float:
    """Start a process on a terminal, and wait for the first character that is none of a control sequence."""
    own, other = pty.openpty()
    begun = time.perf_counter()
    with subprocess.Popen(command, stdin=other, stdout=other, stderr=subprocess.DEVNULL) as process:
        os.close(other)
        shown = ""
        while not re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).strip():
            shown += os.read(own, 4096).decode(errors="replace")
        seconds = time.perf_counter() - begun
        process.kill()
    os.close(own)
    return seconds


def whole_processes(model: Path, rounds: int, processes: int) -> None:
    """Print what a text of 300 characters takes with either engine, and how soon `tfgen write` shows text."""
    generate = [sys.executable, "-m", "tfgen", "generate", str(model), "The ", "--length", "300", "--engine"]
    print("| command | seconds, median (and least) | of the processor | MB | processes |\n|---|---|---|---|---|")
    for engine, times in (("numpy", processes), ("tensorflow", rounds)):
        taken, computed, memory = zip(*(cost([*generate, engine]) for _ in range(times)), strict=True)
        numbers = f"{statistics.median(taken):.2f} ({min(taken):.2f}) | {statistics.median(computed):.2f}"
        numbers += f" | {statistics.median(memory):.0f}"
        print(f"| `tfgen generate`, 300 characters, {engine} | {numbers} | {times} |", flush=True)
    write = [sys.executable, "-m", "tfgen", "write", str(model), "The "]
    taken = [seconds_to_first_text(write) for _ in range(processes)]
    print(f"| `tfgen write`, first character | {statistics.median(taken):.2f} ({min(taken):.2f}) | | | {processes} |\n")


def first_character(model: Path, rounds: int) -> None:
    """Print how much later than the loaded model the first character of TensorFlow comes."""
    load = [sys.executable, "-c", LOADED, str(model)]
    options = ["--no-echo", "--seed", "1", "--engine", "tensorflow"]
    write = [sys.executable, "-m", "tfgen", "generate", str(model), "The ", *options]
    pairs = [(seconds_to_first_byte(load), seconds_to_first_byte(write)) for _ in range(rounds)]
    beyond = statistics.median(second - first for first, second in pairs)
    loaded, written = (statistics.median(each) for each in zip(*pairs, strict=True))
    print(
        f"TensorFlow imported and the model loaded after {loaded:.1f} s, the first character written after "
        f"{written:.1f} s: {beyond:.1f} s later (medians of {rounds} processes each).\n"
    )


def which_finishes_first(units: int, rounds: int) -> None:
    """Print the seconds that a new generator takes for its first text, in either loop."""
    print("| characters | plain graph: s | XLA: s |\n|---|---|---|")
    for length in LENGTHS:
        times: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(rounds):
            for jit, each in times.items():
                generator = generator_of(units)
                begun = time.perf_counter()
                generator.generate("The ", length=length, seed=0, jit_compile=jit)
                each.append(time.perf_counter() - begun)
        cells = " | ".join(f"{statistics.median(each):.2f}" for each in times.values())
        print(f"| {length:,} | {cells} |", flush=True)


def main(units: int = 256, rounds: int = 5, processes: int = 10) -> None:
    """Print all."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(f"{turns.versions('tensorflow', 'keras', 'numpy')}. One LSTM of {units}.\n")
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "model.keras")
        # In a process of its own: those that are measured would be counted as large as the one that starts them.
        saving = multiprocessing.get_context("spawn").Process(target=save_model, args=(model, units))
        saving.start()
        saving.join()
        whole_processes(model, rounds, processes)
        first_character(model, rounds)
    which_finishes_first(units, rounds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
