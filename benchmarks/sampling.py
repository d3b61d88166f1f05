"""What the sampler costs: microseconds a character with and without a chain, interleaved in one process.

Usage: python benchmarks/sampling.py [UNITS [LENGTH [ROUNDS]]]
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
    times: dict[str, list[float]] = {name: [] for name in CHAINS}
    for turn in range(rounds + 1):
        for name, chain in CHAINS.items():
            begun = time.perf_counter()
            text = generator.generate("The ", length=length, sampler=chain, seed=turn, echo=False)
            if turn:  # the first compiles
                times[name].append((time.perf_counter() - begun) / len(text) * 1e6)
    print(f"One row, {units} units, {len(vocabulary)} tokens, {length} characters, median of {rounds} rounds.\n")
    print("| sampler | µs a character | over temperature alone |\n|---|---|---|")
    base = times["temperature alone"]
    for name, of in times.items():
        ratio = statistics.median(one / other for one, other in zip(of, base, strict=True))
        print(f"| {name} | {statistics.median(of):.0f} | {(ratio - 1) * 100:+.0f} % |")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
