"""Corpora of any size: time and memory to prepare a text, and to train on it, against its size.

Usage: python benchmarks/corpora.py BOOK [MEGABYTES ...]

BOOK is any text, such as tiny Shakespeare; texts of the sizes asked for (100 and 2000) are made of its paragraphs in an
order that changes, in a temporary directory that is removed. Each step is a process of its own, so that peak memory is
its own. Rates are in MB of text and seconds of processor time.
"""

import gzip
import json
import lzma
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import zstandard

PREPARE = """
import json, sys, time
import tfgen
from tfgen.vocabulary import Vocabulary

path, directory, split, lines = sys.argv[1:]
peak = lambda: next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
stages = []
base = peak()
begun = time.perf_counter()
text = tfgen.prepare_corpus(path, directory, split=split, lines=bool(lines),
                            show=lambda stage: stages.append(time.process_time()))
stages.append(time.process_time())
hashing, counting, writing = (b - a for a, b in zip(stages, stages[1:]))
print(json.dumps({"all": time.perf_counter() - begun, "hashing": hashing, "counting": counting, "writing": writing,
                  "peak": peak() - base, "ids": len(text.ids), "bytes": text.ids.itemsize}))
"""

ENCODE = """
import json, sys, time
import numpy as np
import tfgen
from tfgen.vocabulary import Vocabulary

corpus = tfgen.load_corpus(sys.argv[1])
vocabulary = Vocabulary.from_corpus(corpus, split=sys.argv[2], max_tokens=10_000)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # forget the peak of loading
status = lambda name: next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith(name))
base = status("VmRSS")
begun = time.perf_counter()
ids = vocabulary.encode(corpus.documents[0], "unknown", vocabulary.id_type)
seconds = time.perf_counter() - begun
print(json.dumps({"seconds": seconds, "beyond": status("VmHWM") - base - ids.nbytes / 2**20}))
"""

TRAIN = """
import json, sys, time
from tfgen.cli import tensorflow_log
tensorflow_log.import_tensorflow()
import keras, tensorflow as tf
import tfgen
from tfgen import datasets, training
from tfgen.vocabulary import Vocabulary

peak = lambda: next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))
first = lambda batches: batches.take(100).apply(tf.data.experimental.assert_cardinality(100))
zeros = tf.zeros([32, 64], tf.int32)
batch_size = 32 if sys.argv[2] == "streams" else None

def fit(vocabulary, batches):
    generator = tfgen.TextGenerator.build(vocabulary, units=256, batch_size=batch_size)
    generator.compile(optimizer=training.optimizer(200), loss="sparse_categorical_crossentropy")
    generator.fit(batches, verbose=0)
    begun = time.perf_counter()
    generator.fit(batches, verbose=0)
    return (time.perf_counter() - begun) * 10

fit(Vocabulary(list(map(chr, range(32, 96)))), first(tf.data.Dataset.from_tensors((zeros, zeros)).repeat()))
base = peak()
text = tfgen.open_prepared(sys.argv[1])
begun = time.perf_counter()
train, _ = getattr(datasets, sys.argv[2])(text, batch_size=32, length=64, validation=0.1)
cut = time.perf_counter() - begun
step = fit(text.vocabulary, first(train))
begun = time.perf_counter()
for batch in train.take(1000):
    pass
print(json.dumps({"peak": peak() - base, "cut": cut, "step": step, "input": time.perf_counter() - begun}))
"""


KINDS = (("characters", "character", ""), ("words", "word", ""), ("lines", "character", "1"))
COMPRESSORS = {"gz": gzip.compress, "xz": lambda data: lzma.compress(data, preset=1), "zst": zstandard.compress}
FILES = 5000


def main(book: str, *megabytes: str) -> None:
    """Print three Markdown tables."""
    paragraphs = Path(book).read_text("utf-8").split("\n\n")
    sizes = [int(size) for size in megabytes] or [100, 2000]
    encoding, preparing, training = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            path = Path(folder, f"{size}.txt")
            _write(path, paragraphs, size * 10**6)
            mb = path.stat().st_size / 1e6
            if size <= 200:
                encoding += [_encoding(path, split, mb) for split in ("character", "word")]
            for name, split, lines in KINDS:
                directory = Path(folder, f"{size}-{name}")
                preparing.append(_preparing(path, directory, name, split, lines, mb))
            if size <= 200:
                for name, other in _in_other_forms(path):
                    directory = Path(folder, f"{size}-{name}")
                    preparing.append(_preparing(other, directory, f"characters, {name}", "character", "", mb))
            for cut, kind in (("streams", "characters"), ("windows", "characters"), ("documents", "lines")):
                training.append(_training(Path(folder, f"{size}-{kind}"), cut, mb))
    print("| in memory | MB | MB/s | peak beyond the text and the ids, MB |\n|---|---|---|---|", *encoding, sep="\n")
    print("\n| `tfgen prepare` | MB | ids, MB | hash, MB/s | count, MB/s | write, MB/s | all, s | peak, MB |")
    print("|---|---|---|---|---|---|---|---|", *preparing, sep="\n")
    print("\n| 100 steps | text, MB | peak beyond TensorFlow's, MB | cutting, s | step, ms | batch alone, ms |")
    print("|---|---|---|---|---|---|")
    print(*training, sep="\n")


def _in_other_forms(path: Path) -> Iterator[tuple[str, Path]]:
    """Give the same text compressed, and in thousands of files."""
    data = path.read_bytes()
    for ending, compress in COMPRESSORS.items():
        other = path.with_name(f"{path.name}.{ending}")
        other.write_bytes(compress(data))
        yield f".{ending}", other
    files = path.with_name("files")
    files.mkdir()
    lines = data.splitlines(keepends=True)
    for i in range(FILES):
        (files / f"{i:04}.txt").write_bytes(b"".join(lines[i * len(lines) // FILES : (i + 1) * len(lines) // FILES]))
    yield f"{FILES:,} files", files


def _write(path: Path, paragraphs: list[str], size: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for shuffled in _shuffled(paragraphs):
            file.write(shuffled)
            if file.tell() >= size:
                return


def _shuffled(paragraphs: list[str]) -> Iterator[str]:
    seed = random.Random(0)
    while True:
        seed.shuffle(paragraphs)
        yield "\n\n".join(paragraphs) + "\n\n"


def _run(program: str, *arguments: object) -> dict[str, float]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _encoding(path: Path, split: str, mb: float) -> str:
    row = _run(ENCODE, path, split)
    return f"| {split}s | {mb:,.0f} | {mb / row['seconds']:,.0f} | {max(row['beyond'], 0):,.0f} |"


def _preparing(path: Path, directory: Path, name: str, split: str, lines: str, mb: float) -> str:
    row = _run(PREPARE, path, directory, split, lines)
    passes = [row[name] for name in ("hashing", "counting", "writing")]
    rates = " | ".join(f"{mb / seconds:,.0f}" for seconds in passes)
    stored = row["ids"] * row["bytes"] / 1e6
    return f"| {name} | {mb:,.0f} | {stored:,.0f} | {rates} | {row['all']:,.1f} | {row['peak']:,.0f} |"


def _training(directory: Path, cut: str, mb: float) -> str:
    row = _run(TRAIN, directory, cut)
    figures = f"{row['cut']:.1f} | {row['step']:.1f} | {row['input']:.3f}"
    return f"| {cut} | {mb:,.0f} | {row['peak']:,.0f} | {figures} |"


if __name__ == "__main__":
    main(*sys.argv[1:])
