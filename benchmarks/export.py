"""The exported `generate` against Python's own: tokens a second, interleaved in one process.

Usage: python benchmarks/export.py [MODEL.keras [LENGTH [ROUNDS]]]
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

import tfgen
from tfgen import model_files

SAMPLERS: dict[str, dict[str, float]] = {
    "plain": {},
    "min_p 0.05": {"min_p": 0.05},
    "top_k 40, top_p 0.95": {"top_k": 40, "top_p": 0.95},
}


def main(path: str | None = None, length: int = 500, rounds: int = 11) -> None:
    """Print a Markdown table."""
    generator = model_files.load(path) if path else _untrained()
    with tempfile.TemporaryDirectory() as place:
        saved = Path(place, "model")
        generator.export(saved)
        exported = tf.saved_model.load(str(saved))
    print(
        f"{type(generator.network.layers[0]).__name__}, {generator.network.count_params():,} parameters, "
        f"{len(generator.vocabulary)} tokens, {length} new ones a row; median of {rounds} rounds.\n\n"
        "| rows | sampler | Python, tokens/s | exported, tokens/s | exported over Python |\n|---|---|---|---|---|"
    )
    for rows in (1, 64):
        for name, settings in SAMPLERS.items():
            _row(name, rows, length, rounds, *_writers(generator, exported, rows, length, settings))


def _untrained() -> tfgen.TextGenerator:
    vocabulary = tfgen.Vocabulary.from_corpus(tfgen.load_corpus("python-docs"))
    return tfgen.TextGenerator.build(vocabulary, units=256, seed=0)


def _writers(
    generator: tfgen.TextGenerator, exported: object, rows: int, length: int, settings: dict[str, float]
) -> tuple[Callable[[int], list[str]], Callable[[int], list[str]]]:
    prompts = ["The "] * rows
    types = {"min_p": tf.float32, "top_p": tf.float32, "top_k": tf.int32}
    tensors = {name: tf.constant(value, types[name]) for name, value in settings.items()}

    def here(seed: int) -> list[str]:
        return generator.generate(prompts, length=length, seed=seed, **settings)

    def there(seed: int) -> list[str]:
        seeds = tf.constant(seed, tf.int64)
        texts = exported.generate(tf.constant(prompts), tf.constant(length), seed=seeds, **tensors)["texts"]  # type: ignore[attr-defined]
        return [text.decode() for text in texts.numpy()]

    return here, there


def _row(name: str, rows: int, length: int, rounds: int, *writers: Callable[[int], list[str]]) -> None:
    times: list[list[float]] = [[], []]
    for turn in range(rounds + 1):
        for seconds, writer in zip(times, writers, strict=True):
            begun = time.perf_counter()
            texts = writer(turn)
            if turn:  # the first compiles
                seconds.append((time.perf_counter() - begun) / (rows * length))
        assert texts == writers[0](turn), "the texts differ"
    here, there = (1 / statistics.median(each) for each in times)
    ratio = statistics.median(one / other for one, other in zip(*times, strict=True))
    print(f"| {rows} | {name} | {here:,.0f} | {there:,.0f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:2], *map(int, sys.argv[2:]))
