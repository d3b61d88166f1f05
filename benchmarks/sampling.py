"""What the sampler costs: microseconds a character with and without a chain, interleaved in one process.

Once in the plain graph, which starts sooner, and once in the loop that XLA compiles, which long texts use.

Usage: taskset -c 1 python benchmarks/sampling.py [UNITS [LENGTH [ROUNDS]]]
"""

import statistics
import sys
import time

import tfgen
from tfgen import sampling

CHAINS = {
    "temperature alone": [sampling.Temperature(0.8)],
    "all six plain settings": sampling.default_chain(0.8, 40, 0.95, 0.02, 0.95, 1.05),
    "top-k, top-p, min-p": sampling.default_chain(0.8, 40, 0.95, 0.02),
    "min-p": sampling.default_chain(0.8, min_p=0.05),
    "Mirostat": [sampling.Mirostat(2.0)],
    "DRY": [sampling.DRY(), sampling.Temperature(0.8)],
    "NoRepeatNgram": [sampling.NoRepeatNgram(12), sampling.Temperature(0.8)],
    "Pattern": [sampling.Pattern("[a-zA-Z .,]*"), sampling.Temperature(0.8)],
}


def main(units: int = 256, length: int = 1000, rounds: int = 15) -> None:
    """Print a Markdown table."""
    vocabulary = tfgen.Vocabulary.from_corpus(tfgen.load_corpus("python-docs"))
    generator = tfgen.TextGenerator.build(vocabulary, units=units, seed=0)
    loops = [(name, jit) for name in CHAINS for jit in (False, True)]
    times: dict[tuple[str, bool], list[float]] = {loop: [] for loop in loops}
    for turn in range(rounds + 1):
        for name, jit in loops:
            begun = time.perf_counter()
            # A pattern may end a text: not before it is as long as the others.
            whole = {"length": length, "min_length": length, "echo": False}
            text = generator.generate("The ", sampler=CHAINS[name], seed=turn, jit_compile=jit, **whole)
            if turn:  # the first compiles
                times[name, jit].append((time.perf_counter() - begun) / len(text) * 1e6)
    print(f"One row, {units} units, {len(vocabulary)} tokens, {length} characters, median of {rounds} rounds.\n")
    print("| sampler | plain graph: µs a character | over temperature alone | XLA: µs | over temperature alone |")
    print("|---|---|---|---|---|")
    for name in CHAINS:
        cells = []
        for jit in (False, True):
            of, base = times[name, jit], times["temperature alone", jit]
            ratio = statistics.median(one / other for one, other in zip(of, base, strict=True))
            cells.append(f"{statistics.median(of):.0f} | {(ratio - 1) * 100:+.0f} %")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
