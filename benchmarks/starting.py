"""How soon text comes: the first character of `tfgen generate`, and which loop finishes a text first.

Compiling counts: each text is the first of a new generator.

Usage: python benchmarks/starting.py [UNITS [ROUNDS]]
"""

import os
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


def seconds_to_first_byte(command: list[str]) -> float:
    """Start a process, and wait for its first byte."""
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        seconds = time.perf_counter() - begun
        process.kill()
    return seconds


def first_character(units: int, rounds: int) -> None:
    """Print how much later than the loaded model the first character comes."""
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "model.keras")
        generator_of(units).save(model)
        load = [sys.executable, "-c", LOADED, str(model)]
        write = [sys.executable, "-m", "tfgen", "generate", str(model), "The ", "--no-echo", "--seed", "1"]
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


def main(units: int = 256, rounds: int = 5) -> None:
    """Print both."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(f"{turns.versions('tensorflow', 'keras')}. One LSTM of {units}.\n")
    first_character(units, rounds)
    which_finishes_first(units, rounds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
