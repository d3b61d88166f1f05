"""Whether NumPy's engine writes what TensorFlow's loop writes: random models, settings and seeds, 300 tokens each.

Usage: python benchmarks/engines.py [MODELS [REQUESTS]]

Prints how many texts are the same, drawn and greedy; a draw on the border of two tokens may fall to the other side.
"""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main(models: int = 100, requests: int = 11) -> None:
    """Print both counts, and the seeds of what differs."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import instant_support as support

    same, of, different = [0, 0], [0, 0], []
    for model in range(models):
        generator = support.generator(model)
        engine = support.twin(generator)
        for number in range(requests):
            prompt, settings = support.request(model, number, generator.vocabulary)
            greedy = number == requests - 1
            settings |= {"temperature": 0.0} if greedy else {}
            expected = generator.generate(prompt, length=300, **settings)
            equal = engine.generate(prompt, length=300, **settings)[0] == expected
            of[greedy] += 1
            same[greedy] += equal
            different += [] if equal else [(model, number)]
    for name, equal, all_ in zip(("drawn", "greedy"), same, of, strict=True):
        print(f"{name}: {equal:,} of {all_:,} texts of 300 tokens are the same")
    for model, number in different:
        print(f"model {model}, request {number} differs")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
