"""Kills one training run at random instants, resumes it each time, and compares its end with a run never stopped.

The run has two layers, dropout, a schedule of the learning rate, validation, samples, early stopping and a learning
curve. Weights, optimizer, seeds, carried state, history, samples and curve are compared bit for bit.

Usage: python benchmarks/kill.py [KILLS [SEED]]
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tfgen.cli import tensorflow_log
from tfgen.support.checkpoints import Checkpoints

EPOCHS, EVERY = 8, 3


def train(folder: Path) -> None:
    """Train, or go on, and write down the end of the run."""
    tensorflow_log.import_tensorflow()
    import keras

    import tfgen
    from tfgen import callbacks, metrics, training
    from tfgen.fitting import snapshot

    class Samples(callbacks.SampleText):
        """Remembers its samples, over a kill too."""

        resumed = (*callbacks.SampleText.resumed, "texts")

        def __init__(self) -> None:
            self.texts: list[str] = []
            super().__init__(["The "], length=40, show=self.show)

        def show(self, text: str) -> None:
            self.texts = [*self.texts, text]

    keras.utils.set_random_seed(1)
    corpus = tfgen.Corpus.from_text(tfgen.load_corpus("python-docs").documents[0][:100_000])
    vocabulary = tfgen.Vocabulary.from_corpus(corpus)
    batches, validation = tfgen.datasets.streams(corpus, vocabulary, batch_size=16, length=32)
    generator = tfgen.TextGenerator.build(vocabulary, units=32, layers=2, dropout=0.2, batch_size=16, seed=1)
    optimizer = training.optimizer(EPOCHS * len(batches))
    generator.compile(optimizer, "sparse_categorical_crossentropy", metrics=[metrics.NatsPerCharacter()])
    samples, curve = Samples(), callbacks.LearningCurve(corpus.characters)
    early = keras.callbacks.EarlyStopping("val_nats", mode="min", patience=3)
    best = keras.callbacks.ModelCheckpoint(folder / "best.keras", "val_nats", mode="min", save_best_only=True)
    watching = [samples, curve, early, best, callbacks.StopOnNaN(every=7)]
    resume = callbacks.Resume(folder / "run", every=EVERY)
    history = generator.fit(
        batches, validation_data=validation, epochs=EPOCHS, callbacks=[*watching, resume], verbose=0
    )
    end = {**snapshot.capture(generator, watching), "history": history.history, "batches": len(batches)}
    Checkpoints(folder / "end").save(end)


def start(folder: Path) -> subprocess.Popen:
    """Start the process that trains."""
    return subprocess.Popen([sys.executable, __file__, "train", str(folder)])


def finished(process: subprocess.Popen, seconds: float) -> bool:
    """Wait so long, and say whether it ended by itself."""
    try:
        process.wait(max(seconds, 0))
    except subprocess.TimeoutExpired:
        return False
    if process.returncode:
        raise SystemExit(f"the training failed with {process.returncode}")
    return True


def begun(process: subprocess.Popen, folder: Path) -> bool:
    """Wait for its first new checkpoint; False if it ended before."""
    before = set((folder / "run").glob("*.npz"))
    while set((folder / "run").glob("*.npz")) == before:
        if finished(process, 0.01):
            return False
    return True


def writes(process: subprocess.Popen, folder: Path) -> bool:
    """Wait until it writes a checkpoint; False if it ended before."""
    while not any((folder / "run").glob("*.unfinished")):
        if process.poll() is not None:
            return False
    return True


def position(folder: Path) -> tuple[int, int]:
    """Give the epoch and the batch that the last checkpoint is of."""
    found = Checkpoints(folder / "run").latest()
    return (found.state["epoch"], found.state["step"]) if found else (0, 0)


def end_of(folder: Path) -> dict:
    """Give what the run wrote down."""
    found = Checkpoints(folder / "end").latest()
    assert found, f"{folder} has no end"
    return found.state


def same(one: object, other: object) -> bool:
    """Compare two states bit for bit."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and one.tobytes() == other.tobytes()
    return repr(one) == repr(other)


def main(kills: int = 20, seed: int = 0) -> None:
    """Print a Markdown table of the kills, and whether the ends agree."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        whole, again, broken = (Path(place) / name for name in ("whole", "again", "broken"))
        for folder in (whole, again, broken):
            folder.mkdir()
        for folder in (whole, again):
            process = start(folder)
            begun(process, folder)
            begin = time.monotonic()
            finished(process, 3600)
            seconds = time.monotonic() - begin
        reference = end_of(whole)
        epochs, batches = len(reference["history"]["loss"]), reference["batches"]
        print(f"{epochs} epochs of {batches} batches, a checkpoint every {EVERY}: {seconds:.0f} s")
        print(f"the same run twice: {'identical' if same(reference, end_of(again)) else 'DIFFERENT'}\n")
        print("| kill | during | last checkpoint: epochs, batches | half written beside it |\n|---|---|---|---|")
        for kill in range(1, kills + 1):
            epoch, batch = position(broken)
            # So long that the kills are spread over what is left of the run.
            left = seconds * (1 - (epoch + batch / batches) / epochs) / (kills + 1 - kill)
            process = start(broken)
            phase = draw.choices(["start", "training", "writing"], [1, 4, 2])[0]
            if phase == "start":
                alive = not finished(process, draw.uniform(0, 5))
            else:
                alive = begun(process, broken) and not finished(process, draw.uniform(0, 1.6 * left))
                alive = alive and (phase == "training" or writes(process, broken))
            if not alive:
                raise SystemExit("the run ended before it was killed often enough")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            epoch, batch = position(broken)
            unfinished = len(list((broken / "run").glob("*.unfinished")))
            print(f"| {kill} | {phase} | {epoch}, {batch} | {unfinished} |", flush=True)
        finished(start(broken), 3600)
        agree = same(reference, end_of(broken))
        print(f"\n{kills} kills; the end is {'identical, bit for bit' if agree else 'DIFFERENT'}")
        raise SystemExit(0 if agree else 1)


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        train(Path(sys.argv[2]))
    else:
        main(*map(int, sys.argv[1:]))
