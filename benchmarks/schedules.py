"""What a learning rate that is held gains: `tfgen train` as it is, but for the schedule, and mixed with counts.

Usage: python benchmarks/schedules.py TEXT [SEEDS] [EPOCHS]   # tiny Shakespeare: six times three CPU minutes

"cosine" is that of `tfgen.training.optimizer`, down to 2 % of the peak from the first step on. "held" keeps the peak
for 70 % of the steps and goes down to 2 % in a straight line (as in Hägele et al. 2024, arXiv:2405.18392). Both warm up
alike and cost the same. Losses are in nats per character on the last tenth, of the epoch that is kept: of the network,
and of its mixture with counts of order 7, each half weighted as the other half wants.
"""

import json
import os
import subprocess
import sys
import time

import keras
import tensorflow as tf
import turns

from tfgen import load_corpus, training
from tfgen.training import jobs

HELD, LEAST = 0.7, 0.02


class Held(keras.optimizers.schedules.LearningRateSchedule):
    """A linear warm-up, the peak, and a straight line down."""

    def __init__(self, peak: float, steps: int, warm_up: int) -> None:
        """Take the peak, how many steps there are in all, and how many of them warm up."""
        self._peak, self._steps, self._warm_up = peak, steps, warm_up

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Give the rate of a step."""
        done = tf.cast(step, tf.float32) / self._steps
        down = 1 - (1 - LEAST) * tf.maximum(done - HELD, 0) / (1 - HELD)
        return self._peak * tf.minimum(done * self._steps / max(self._warm_up, 1), down)


def held(steps: int, learning_rate: float = 8e-3, weight_decay: float | None = None) -> keras.optimizers.Optimizer:
    """Give what `tfgen.training.optimizer` does, with the other schedule."""
    return keras.optimizers.Adam(Held(learning_rate, steps, min(50, steps // 2)), beta_2=0.99, global_clipnorm=1.0)


def train(path: str, schedule: str, seed: int, epochs: int | None) -> dict[str, float]:
    """Train once, mix once."""
    turns.use_threads()
    if schedule == "held":
        jobs.optimizer = held
    corpus = load_corpus(path)
    begun = time.process_time()
    job = training.prepare(corpus, training.Settings(seed=seed, epochs=epochs))
    history = training.run(job).history
    seconds = time.process_time() - begun
    counts = training.floor(corpus, job)
    assert counts is not None  # there is a validation part, and the text is short
    nats = history["val_nats"]
    return {"cpu": seconds, "epochs": len(nats), "network": min(nats), "mixture": training.mix(job, counts)[1]}


def main(path: str, seeds: str = "3", epochs: str = "0") -> None:
    """Print a Markdown table, each run a process of its own, of one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    print("| seed | schedule | epochs | CPU seconds | network | mixture |\n|---|---|---|---|---|---|")
    for seed in range(int(seeds)):
        for schedule in ("cosine", "held"):
            command = [sys.executable, __file__, turns.PEER, path, schedule, str(seed), epochs]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
            row = json.loads(done.stdout.splitlines()[-1])
            losses = f"{row['network']:.4f} | {row['mixture']:.4f}"
            print(f"| {seed} | {schedule} | {row['epochs']} | {row['cpu']:.0f} | {losses} |", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == [turns.PEER]:
        _, _, path, schedule, seed, epochs = sys.argv
        print(json.dumps(train(path, schedule, int(seed), int(epochs) or None)))
    else:
        main(*sys.argv[1:])
