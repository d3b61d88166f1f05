"""What long texts and many settings take: the memory of a process, and whether the speed stays what it was.

Each row is a process of its own, over an untrained network of 256 units and 65 characters; megabytes are those that its
peak lies above what it held before the row began.

Usage: python benchmarks/memory.py [ROW ...]
"""

import itertools
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

V = 65
SETTINGS = 60


def generator_of(units: int = 256) -> Any:
    """Give an untrained generator, which has written once."""
    import tfgen

    vocabulary = tfgen.Vocabulary.from_texts(["".join(map(chr, range(65, 65 + V - 3)))])
    generator = tfgen.TextGenerator.build(vocabulary, units=units, seed=0)
    generator.generate("AB", length=5, seed=0)
    return generator


def prompt_of(characters: int) -> Iterator[str]:
    """Read a prompt of so many characters."""
    generator, begun = generator_of(), time.monotonic()
    yield ""
    generator.generate("ABCDEFGH" * (characters // 8), length=10, seed=0, echo=False)
    yield f"{characters / (time.monotonic() - begun):,.0f} characters/s"


def copies_of_a_prompt() -> Iterator[str]:
    """Write 64 texts after one prompt of 100,000 characters."""
    generator, begun = generator_of(), time.monotonic()
    yield ""
    generator.generate("ABCDEFGH" * 12_500, length=10, seed=0, echo=False, n=64)
    yield f"{time.monotonic() - begun:.1f} s"


def score_of(characters: int) -> Iterator[str]:
    """Score a text of so many characters."""
    generator, begun = generator_of(), time.monotonic()
    yield ""
    generator.score("ABCDEFGH" * (characters // 8))
    yield f"{characters / (time.monotonic() - begun):,.0f} characters/s"


def stream_of(characters: int, session: bool) -> Iterator[str]:
    """Stream so many characters, and compare the last tenth with the first."""
    generator = generator_of(units=32)
    yield ""
    options = {"length": characters, "jit_compile": False}
    pieces = generator.start("A", seed=1).stream(**options) if session else generator.stream("A", seed=1, **options)
    written, times = 0, [time.monotonic()]
    for piece in pieces:
        written += len(piece)
        if written >= characters / 10 * len(times):
            times.append(time.monotonic())
    first, *_, last = [b - a for a, b in itertools.pairwise(times)]
    yield f"{characters / 10 / first:,.0f} characters/s at first, {characters / 10 / last:,.0f} at last"


def settings(turn: Callable[[Any, int], Any]) -> Iterator[str]:
    """Write with many settings, each of which is compiled: what the first 30 take, and what the rest add."""
    generator = generator_of(units=32)
    yield ""
    begun = None
    for number in range(SETTINGS):
        turn(generator, number)
        if number == SETTINGS // 2:
            begun = peak()
    yield f"of which {peak() - (begun or 0):,.0f} MB by the second half of {SETTINGS}"


def many_windows(generator: Any, number: int) -> None:
    """Write with another window of DRY."""
    from tfgen import sampling

    generator.generate("A", length=5, seed=0, sampler=[sampling.DRY(window=64 + number)])


def many_rows(generator: Any, number: int) -> None:
    """Write so many rows under XLA."""
    generator.generate(["A"] * (number + 1), length=5, seed=0, jit_compile=True)


ROWS: dict[str, Callable[[], Iterator[str]]] = {
    "prompt of 1,000,000 characters": lambda: prompt_of(1_000_000),
    "prompt of 5,000,000 characters": lambda: prompt_of(5_000_000),
    "64 texts after a prompt of 100,000": copies_of_a_prompt,
    "score of 1,000,000 characters": lambda: score_of(1_000_000),
    "stream of 2,000,000 characters": lambda: stream_of(2_000_000, session=False),
    "session of 2,000,000 characters": lambda: stream_of(2_000_000, session=True),
    "60 windows of DRY": lambda: settings(many_windows),
    "60 numbers of rows under XLA": lambda: settings(many_rows),
}


def peak() -> float:
    """Give the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(*names: str) -> None:
    """Run each row in a process, or this one's."""
    if len(names) == 2 and names[0] == "--here":
        row = ROWS[names[1]]()
        next(row)
        before = peak()
        said = next(row)
        print(f"| {names[1]} | {peak() - before:,.0f} MB | {said} |", flush=True)
        return
    for name in names or ROWS:
        subprocess.run([sys.executable, __file__, "--here", name], check=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
