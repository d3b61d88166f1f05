"""This checkout against another, in turns: training, reading, writing, scoring, and the start of a process.

Each round is a process of either, one after the other, on one core; figures are medians, and the ratio is that of the
medians (below 1, this checkout takes less).

Usage: python benchmarks/against.py OTHER [ROUNDS]
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
UNITS, V = 256, 65


def seconds(work: Callable[[], Any], times: int) -> float:
    """Give what a call takes, the least of some."""
    work()
    taken = []
    for _ in range(times):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return min(taken)


def rows() -> dict[str, float]:
    """Do the work of one process, with whichever tfgen it finds."""
    begun = time.process_time()
    import keras
    import numpy as np

    import tfgen

    letters = "".join(map(chr, range(65, 65 + V - 3)))
    vocabulary = tfgen.Vocabulary.from_texts([letters])
    generator = tfgen.TextGenerator.build(vocabulary, units=UNITS, seed=0)
    generator.generate("A", length=1, seed=0)
    started = time.process_time() - begun
    text = "".join(np.random.default_rng(0).choice([*letters], 20_000))
    train, _ = tfgen.datasets.streams(
        tfgen.Corpus.from_text(text[:12_801]), vocabulary, batch_size=64, length=100, validation=0
    )
    model = tfgen.TextGenerator.build(vocabulary, units=UNITS, batch_size=64, seed=0)
    model.compile(optimizer=keras.optimizers.Adam(), loss="sparse_categorical_crossentropy")
    return {
        "import, build and the first character": started,
        "training, 2 batches of 64 x 100": seconds(lambda: model.fit(train, verbose=0), 5),
        "reading a prompt of 20,000": seconds(lambda: generator.generate(text, length=1, seed=0), 3),
        "reading 32 prompts of two lengths": seconds(lambda: generator.generate([text[:100], "A"] * 16, length=1), 5),
        "writing 3,000": seconds(lambda: generator.generate("A", length=3000, seed=0), 3),
        "writing 64 x 500": seconds(lambda: generator.generate(["A"] * 64, length=500, seed=0), 3),
        "writing 3,000 under XLA": seconds(lambda: generator.generate("A", length=3000, seed=0, jit_compile=True), 3),
        "scoring 20,000": seconds(lambda: generator.score(text), 3),
    }


def main(other: str, rounds: int = 5) -> None:
    """Print the table."""
    taken: dict[str, list[dict[str, float]]] = {str(HERE): [], other: []}
    for _ in range(rounds):
        for checkout, found in taken.items():
            environment = {**os.environ, "PYTHONPATH": checkout, "TF_CPP_MIN_LOG_LEVEL": "3"}
            command = ["taskset", "-c", "0", sys.executable, __file__, "--here"]
            done = subprocess.run(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
            )
            found.append(json.loads(done.stdout.splitlines()[-1]))
    print("| work | this checkout | the other | ratio |\n|---|---|---|---|")
    for name in taken[other][0]:
        this, that = (statistics.median(each[name] for each in found) for found in taken.values())
        print(f"| {name} | {this:.3f} s | {that:.3f} s | {this / that:.2f} |")


if __name__ == "__main__":
    if sys.argv[1:] == ["--here"]:
        print(json.dumps(rows()))
    else:
        main(str(Path(sys.argv[1]).resolve()), *map(int, sys.argv[2:]))
