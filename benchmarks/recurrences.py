"""What a linear recurrence and a low-rank head gain over an LSTM in as many CPU seconds of one thread.

Usage: python benchmarks/recurrences.py TEXT [SEEDS] [SECONDS]   # tiny Shakespeare: 3 seeds of 60 seconds, 11 minutes

Everything reads 32 streams in steps of 32 characters, its state carried, under Adam as `tfgen train` has it. The rate
follows the CPU seconds that are spent, tracing included: it is held for 70 % of them and goes down to 2 % in a straight
line. So all of them stop at the same cost, with the same schedule. Losses are in nats per character on the last tenth.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import turns

from tfgen import Vocabulary, layers, load_corpus

ROWS, LENGTH = 32, 32
WARM_UP, HELD, LEAST = 50, 0.7, 0.02


class Lstm(keras.layers.Layer):
    """The LSTM of `tfgen train`."""

    states = 2

    def __init__(self, units: int, vocabulary: int | None) -> None:
        """Read characters of so many kinds, or vectors."""
        super().__init__()
        self.lstm = layers.LSTM(units, one_hot=vocabulary, return_sequences=True, return_state=True)

    def call(self, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
        """Give outputs (B, T, U) and the state after."""
        outputs, *after = self.lstm(x, initial_state=state, training=True)  # its own gradient
        return outputs, after


class MinGru(keras.layers.Layer):
    """Feng et al. 2024 (arXiv:2410.01201): h = (1 - z) h' + z g(v), z and v of this step alone, and a residual."""

    states = 1

    def __init__(self, units: int, vocabulary: int | None) -> None:
        """Read characters of so many kinds, or vectors of as many units, which are added to the output."""
        super().__init__()
        kernel = keras.initializers.GlorotUniform()
        self.product = (
            keras.layers.Dense(2 * units)
            if vocabulary is None
            else keras.layers.Embedding(vocabulary, 2 * units, embeddings_initializer=kernel)
        )
        self.residual = vocabulary is None

    def call(self, x: Any, state: list[Any]) -> tuple[Any, list[Any]]:
        """Give outputs (B, T, U) and the state after."""
        z, v = tf.split(self.product(x), 2, axis=2)
        z = tf.sigmoid(z)
        new = z * tf.where(v >= 0, v + 0.5, tf.sigmoid(v))
        (h,), each = state, []
        for forget, added in zip(tf.unstack(1 - z, LENGTH, axis=1), tf.unstack(new, LENGTH, axis=1), strict=True):
            h = forget * h + added
            each.append(h)
        outputs = tf.stack(each, axis=1)
        return outputs + x if self.residual else outputs, [h]


class Network(keras.Model):
    """Layers, and a head that may be a product of two matrices."""

    def __init__(self, kind: Any, units: int, depth: int, rank: int | None, vocabulary: int) -> None:
        """Say what it is made of."""
        super().__init__()
        self.parts = [kind(units, None if index else vocabulary) for index in range(depth)]
        narrow = [] if rank is None else [keras.layers.Dense(rank, use_bias=False)]
        self.head = keras.Sequential([*narrow, keras.layers.Dense(vocabulary)])
        self.zeros = [[tf.zeros([ROWS, units]) for _ in range(kind.states)] for _ in range(depth)]

    def call(self, ids: Any, states: Any) -> tuple[Any, Any]:
        """Give logits (B, T, V) and the states after."""
        x, after = ids, []
        for part, state in zip(self.parts, states, strict=True):
            x, state = part(x, state)
            after.append(state)
        return self.head(x), after


# Kind, units, layers, rank of the head, peak of the rate.
NETWORKS: dict[str, tuple[Any, int, int, int | None, float]] = {
    "LSTM, 256 units": (Lstm, 256, 1, None, 8e-3),
    "LSTM, 256 units, head of rank 24": (Lstm, 256, 1, 24, 8e-3),
    "minGRU, 3 layers of 384": (MinGru, 384, 3, None, 4e-3),
}


def batches(ids: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Cut ids into streams, and these into steps."""
    columns = (len(ids) - 1) // ROWS // LENGTH * LENGTH
    inputs, targets = (ids[begin : begin + ROWS * columns].reshape(ROWS, columns) for begin in (0, 1))
    return [(inputs[:, at : at + LENGTH], targets[:, at : at + LENGTH]) for at in range(0, columns, LENGTH)]


def train(path: str, name: str, seed: int, budget: float) -> dict[str, float]:
    """Train for so many CPU seconds, and give the loss on the last tenth."""
    turns.use_threads()
    text = load_corpus(path).documents[0]
    vocabulary = Vocabulary.from_texts([text])
    ids = vocabulary.encode(text).astype(np.int32)
    training, held_out = (batches(part) for part in np.split(ids, [int(0.9 * len(ids))]))
    keras.utils.set_random_seed(seed)
    kind, units, depth, rank, peak = NETWORKS[name]
    begun = time.process_time()
    network = Network(kind, units, depth, rank, len(vocabulary))
    optimizer = keras.optimizers.Adam(peak, beta_2=0.99)

    @tf.function(jit_compile=False)
    def loss_of(inputs: Any, targets: Any, states: Any) -> tuple[Any, Any]:
        logits, after = network(inputs, states)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)), after

    @tf.function(jit_compile=False)
    def step(inputs: Any, targets: Any, states: Any) -> Any:
        with tf.GradientTape() as tape:
            loss, after = loss_of(inputs, targets, states)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(
            zip(tf.clip_by_global_norm(gradients, 1.0)[0], network.trainable_variables, strict=True)
        )
        return after

    loss_of(*training[0], network.zeros)  # builds the weights
    steps, spent = 0, 0.0
    while spent < budget:
        states = network.zeros
        for inputs, targets in training:
            done = (spent := time.process_time() - begun) / budget
            if done >= 1:
                break
            down = 1 - (1 - LEAST) * max(done - HELD, 0) / (1 - HELD)
            optimizer.learning_rate.assign(peak * min(steps / WARM_UP, down))
            states = step(inputs, targets, states)
            steps += 1
    losses, states = [], network.zeros
    for inputs, targets in held_out:
        loss, states = loss_of(inputs, targets, states)
        losses.append(float(loss))
    return {"loss": statistics.mean(losses), "steps": steps, "parameters": network.count_params()}


def main(path: str, seeds: str = "3", seconds: str = "60") -> None:
    """Print a Markdown table, each run a process of its own, of one thread; seeds in the outer loop."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in NETWORKS}
    for seed in range(int(seeds)):
        for name, of_name in found.items():
            command = [sys.executable, __file__, turns.PEER, path, name, str(seed), seconds]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
            of_name.append(json.loads(done.stdout.splitlines()[-1]))
            print(f"seed {seed}, {name}: {of_name[-1]}", file=sys.stderr, flush=True)
    print("| | parameters | ms a step | median | seeds |\n|---|---|---|---|---|")
    for name, runs in found.items():
        losses = [run["loss"] for run in runs]
        each = 1e3 * float(seconds) / statistics.median(run["steps"] for run in runs)
        shown = ", ".join(f"{loss:.3f}" for loss in losses)
        print(f"| {name} | {runs[0]['parameters']:,} | {each:.1f} | {statistics.median(losses):.3f} | {shown} |")


if __name__ == "__main__":
    if sys.argv[1:2] == [turns.PEER]:
        _, _, path, name, seed, seconds = sys.argv
        print(json.dumps(train(path, name, int(seed), float(seconds))))
    else:
        main(*sys.argv[1:])
