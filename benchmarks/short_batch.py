"""What a short last batch did to a stream, and what spreading it over the others gives.

Usage: python benchmarks/short_batch.py [SEEDS]

Words of the text that ships with Python, as many as leave two columns for the last batch of 32 rows of 64: 64 words,
where the others have 2,048. The same network, of 64 units, learns for eight epochs from batches that are cut so, and
from those of `datasets.streams`. Nats per word, means over so many seeds (3).
"""

import math
import sys

import keras
import numpy as np
import tensorflow as tf

import tfgen
from tfgen.datasets import cuts
from tfgen.datasets.course import dataset_of, ids_spec

ROWS, LENGTH, EPOCHS = 32, 64, 8
WORDS, MOST = 34_000, 1000  # read, and in the vocabulary


def short(ids: np.ndarray) -> tf.data.Dataset:
    """Cut a text every 64 tokens: the last batch has what is left."""
    per_row = math.ceil((len(ids) - 1) / ROWS)

    def batch(_: int, step: int) -> tuple[np.ndarray, np.ndarray]:
        offsets = step * LENGTH + np.arange(LENGTH)
        positions = np.arange(ROWS)[:, np.newaxis] * per_row + offsets
        return cuts.read(ids, positions, (offsets < per_row) & (positions < len(ids) - 1))

    spec = ids_spec(ROWS, LENGTH)
    return dataset_of(batch, math.ceil(per_row / LENGTH), (spec, spec))


class Losses(keras.callbacks.Callback):
    """The nats per word of each batch of the last epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        """Begin anew."""
        self.of, self.seen = [], (0.0, 0.0)

    def on_train_batch_end(self, batch, logs=None):
        """Take what the batch added."""
        metric = next(each for held in self.model.metrics for each in getattr(held, "metrics", []))
        now = tuple(float(variable.numpy()) for variable in metric.variables)
        self.of.append((now[0] - self.seen[0]) / (now[1] - self.seen[1]))
        self.seen = now


def main(seeds: int) -> None:
    """Train both ways and compare."""
    corpus = tfgen.load_corpus("python-docs")
    vocabulary = tfgen.Vocabulary.from_corpus(corpus, split="word", max_tokens=MOST)
    ids = cuts.joined_ids(corpus, vocabulary, "unknown")
    columns = (WORDS // ROWS - 2) // LENGTH * LENGTH + 2
    train, held_out = ids[: columns * ROWS + 1], ids[columns * ROWS : columns * ROWS + WORDS // 4]
    ways = {"a short last batch": short, "spread evenly": lambda ids: cuts._streams(ids, ROWS, LENGTH)}
    print(f"{len(train):,} words to learn from, {columns // LENGTH} batches and 2 columns\n")
    print("| | validation | first batch of an epoch | last | the five before the last |\n|---|---|---|---|---|")
    for name, cut in ways.items():
        found = []
        for seed in range(seeds):
            generator = tfgen.TextGenerator.build(vocabulary, units=64, embedding=64, batch_size=ROWS, seed=seed)
            generator.compile(
                keras.optimizers.Adam(8e-3, beta_2=0.99, global_clipnorm=1.0),
                "sparse_categorical_crossentropy",
                metrics=[tfgen.metrics.NatsPerCharacter()],
            )
            losses = Losses()
            generator.fit(cut(train), epochs=EPOCHS, callbacks=[losses], verbose=0)
            validation = generator.evaluate(cuts._streams(held_out, ROWS, LENGTH), verbose=0, return_dict=True)
            found.append([validation["nats"], losses.of[0], losses.of[-1], np.mean(losses.of[-6:-1])])
        means, spreads = np.mean(found, axis=0), np.ptp(found, axis=0)
        cells = (f"{mean:.3f} (range {spread:.3f})" for mean, spread in zip(means, spreads, strict=True))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
