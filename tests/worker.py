"""One worker of a training: a process that joins those of TF_CONFIG, trains a tiny model, and writes what it found."""

import argparse
import os
import pathlib
import signal

import keras
import numpy as np

import tfgen
from tfgen import TextGenerator, Vocabulary, callbacks, datasets, metrics, networks, workers
from tfgen.errors import InputError

TEXT = "".join(chr(97 + i * i % 23 + i % 3) + " " * (i % 7 == 0) for i in range(1400))
LINES = [f"{'ab' * (i % 5)}{i:o}{'cd' * (i % 3)}" for i in range(231)]
ROWS = 8


def trained_on(cut):
    """Batches for training and validation, and a generator for them."""
    texts = [TEXT] if cut in ("streams", "windows") else LINES
    vocabulary = Vocabulary.from_texts(texts, ends=texts is LINES)
    encoder = None
    if cut == "pairs":
        sources = [line[::-1] for line in LINES]
        parts = datasets.pairs(sources, LINES, vocabulary, source_vocabulary=vocabulary, batch_size=ROWS)
        encoder = networks.text_encoder(vocabulary, cell="rnn", units=4, embedding=4, seed=1)
    else:
        corpus = tfgen.Corpus(tuple(texts), texts is LINES, "worker.py")
        length = {"streams": 3, "windows": 4, "documents": 9}[cut]
        parts = getattr(datasets, cut)(corpus, vocabulary, batch_size=ROWS, length=length)
    options = {"batch_size": ROWS, "restart": 0.2} if cut == "streams" else {"encoder": encoder}
    # No seed: all begin with the weights of the chief.
    generator = TextGenerator.build(vocabulary, cell="rnn", units=6, attention=encoder is not None, **options)
    return parts, generator


class Diary(keras.callbacks.Callback):
    """Keeps the loss of each batch; kills its process at one of them."""

    resumed = ("losses",)

    def __init__(self, kill_at):
        super().__init__()
        self.losses, self._kill_at = [], kill_at

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])
        if len(self.losses) == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def train(cut, together, options):
    """Train, and give the weights and all that was said of them."""
    here, ((train, validation), generator) = options.folder, trained_on(cut)
    generator.workers = together
    generator.compile(
        # A larger epsilon: the usual one makes whole steps of gradients that are nothing but rounding.
        keras.optimizers.Adam(0.01, epsilon=1e-4, global_clipnorm=1.0),
        "sparse_categorical_crossentropy",
        metrics=[metrics.NatsPerCharacter(), metrics.ExactMatch()],
    )
    diary = Diary(options.kill_at if together.rank == options.killed else None)
    watching = [
        diary,
        keras.callbacks.ModelCheckpoint(here / f"{cut}.{options.name}.keras", "val_nats", save_best_only=True),
    ]
    if options.resume:
        watching.append(callbacks.Resume(here / f"{cut}.checkpoints", every=7, warn=print))
    history = generator.fit(train, validation_data=validation, epochs=2, verbose=0, callbacks=watching).history
    history["evaluated"] = generator.evaluate(validation, verbose=0)
    return {
        **{f"weight {place}": each for place, each in enumerate(generator.get_weights())},
        **{f"logged {name}": np.array(each) for name, each in history.items()},
        "losses": np.array(diary.losses),
    }


def disagree(together):
    """Make a mistake in the last worker alone, of which all are told."""
    last = together.size - 1
    try:
        with together.agreeing():
            if together.rank == last:
                raise InputError("it is wrong.")
    except InputError as error:
        return str(error)
    return ""


def main():
    """Train on each of some cuts in turn; each worker writes what it found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("cuts", nargs="+")
    parser.add_argument("--name", default="found")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--killed", type=int)
    parser.add_argument("--kill-at", type=int)
    options = parser.parse_args()
    together = workers.join()
    where = f"on worker {together.size - 1} of {together.size}, " if together.size > 1 else ""
    assert disagree(together) == f"{where}it is wrong."
    for cut in options.cuts:
        keras.utils.set_random_seed(together.rank)
        found = train(cut, together, options)
        np.savez(options.folder / f"{cut}.{options.name}.{together.rank}.npz", **found)


if __name__ == "__main__":
    main()
