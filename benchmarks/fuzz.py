"""Hostile input: many thousands of damaged inputs for every reader, and what came of them.

Usage: python benchmarks/fuzz.py [COUNT [SEED [READER]]]

COUNT (5000) is the number of inputs for a reader of share 1, see `tests/readers.py`; `tests/damage.py` says what is
given, and `tests/hostile.py` what is allowed. Anything else is shown with its traceback, and the exit code is 1.
"""

import logging
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main(count: int = 5000, seed: int = 0, only: str = "") -> int:
    """Print a Markdown table, and then each fault."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    warnings.simplefilter("ignore")
    logging.disable()
    import hostile
    import readers

    from tfgen import TextGenerator, Vocabulary
    from tfgen.cli import tensorflow_log

    tensorflow_log.import_tensorflow()

    total, faults = 0, []
    print("| reader | inputs | read | refused | anything else | ms each |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "small.keras")
        TextGenerator.build(Vocabulary.from_texts(["the quick brown fox\n"]), units=8, seed=1).save(path)
        model = path.read_bytes()
        for reader in [*readers.plain_readers(model), *readers.slow_readers(model)]:
            if only not in reader.name:
                continue
            begun = time.perf_counter()
            outcomes, found = hostile.fuzz(reader, round(count * reader.share), seed, Path(folder))
            inputs = outcomes.total()
            each = (time.perf_counter() - begun) / inputs * 1000
            numbers = " | ".join(f"{outcomes[name]:,}" for name in ("read", "refused", "fault"))
            print(f"| {reader.name} | {inputs:,} | {numbers} | {each:.1f} |", flush=True)
            total += inputs
            faults += found
    print(f"\n{total:,} inputs, {len(faults)} not explained.")
    for fault in faults[:20]:
        print(f"\n{fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(*map(int, given[:2]), *given[2:]))
