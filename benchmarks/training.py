"""What a training step costs: tfgen, Keras and PyTorch on the same batch, interleaved, in one process.

A step is forward, backward and Adam over one-hot characters, recurrent layers and a dense head. With one thread the
figures are seconds of CPU time, which other work on the machine disturbs least; with more they are of the clock.
The last column is the share of the peak: the floating-point operations of the step's matrix products, over the rate of
one large product measured in the same run.

Usage: OMP_NUM_THREADS=1 python benchmarks/training.py [THREADS [ROUNDS]]
"""

import importlib.util
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from tfgen import layers

B, T, V = 64, 100, 65
CASES = [("LSTM", 128, 1), ("LSTM", 256, 1), ("LSTM", 512, 1), ("GRU", 256, 2)]


def keras_step(cell: str, units: int, depth: int, family: Any, ids: Any, targets: Any) -> Callable[[], Any]:
    """Give a compiled training step of Keras' layers or of tfgen's."""
    ours = family is layers
    stack: list[Any] = [keras.Input((T,), batch_size=B, dtype="int32")]
    if not ours:
        identity = keras.initializers.Identity()
        stack.append(keras.layers.Embedding(V, V, embeddings_initializer=identity, trainable=False))
    for index in range(depth):
        one_hot = {"one_hot": V} if ours and not index else {}
        stack.append(getattr(family, cell)(units, return_sequences=True, **one_hot))
    model = keras.Sequential([*stack, keras.layers.Dense(V)])
    optimizer = keras.optimizers.Adam()
    optimizer.build(model.trainable_variables)

    @tf.function(autograph=False)
    def step() -> tf.Tensor:
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, model(ids, training=True))
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step


def torch_step(cell: str, units: int, depth: int, threads: int, ids: Any, targets: Any) -> Callable[[], Any]:
    """Give a training step of PyTorch's layers."""
    import torch

    torch.set_num_threads(threads)
    recurrent = getattr(torch.nn, cell)(V, units, depth, batch_first=True)
    head = torch.nn.Linear(units, V)
    optimizer = torch.optim.Adam([*recurrent.parameters(), *head.parameters()])
    inputs, wanted = (torch.tensor(array.numpy()).long() for array in (ids, targets))

    def step() -> None:
        outputs, _ = recurrent(torch.nn.functional.one_hot(inputs, V).float())
        loss = torch.nn.functional.cross_entropy(head(outputs).reshape(-1, V), wanted.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def operations(cell: str, units: int, depth: int) -> float:
    """Count the floating-point operations of all products of a step but those with one-hot rows."""
    gates = {"LSTM": 4, "GRU": 3}[cell]
    forward = sum(units * gates * units * (2 if index else 1) for index in range(depth)) + units * V
    return 3 * 2 * B * T * forward


def peak(clock: Callable[[], float]) -> float:
    """Measure the floating-point operations a second of one large product."""
    a = tf.random.normal([2048, 2048])
    product = tf.function(lambda: a @ a)
    return 2 * 2048**3 / min(_times({"product": product}, 7, clock)["product"])


def _times(steps: dict[str, Callable[[], Any]], rounds: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    for step in steps.values():
        step()
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            begun = clock()
            step()
            times[name].append(clock() - begun)
    return times


def main(threads: int = 1, rounds: int = 15) -> None:
    """Print a Markdown table."""
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    rng = np.random.default_rng(0)
    ids, targets = (tf.constant(rng.integers(0, V, (B, T)), tf.int32) for _ in range(2))
    with_torch = importlib.util.find_spec("torch") is not None
    print(f"B={B}, T={T}, V={V}, {threads} thread(s), median of {rounds} steps (and spread: quartiles), milliseconds.")
    print(f"Python {platform.python_version()}, TensorFlow {tf.__version__}, Keras {keras.__version__}", end="")
    print(f", PyTorch {_torch_version()}.\n" if with_torch else ". PyTorch is not installed: left out.\n")
    print("| layers | tfgen | Keras | PyTorch | Keras / tfgen | PyTorch / tfgen | share of the peak |")
    print("|---|---|---|---|---|---|---|")
    for cell, units, depth in CASES:
        steps = {
            "tfgen": keras_step(cell, units, depth, layers, ids, targets),
            "Keras": keras_step(cell, units, depth, keras.layers, ids, targets),
        }
        if with_torch:
            steps["PyTorch"] = torch_step(cell, units, depth, threads, ids, targets)
        times = _times(steps, rounds, clock)
        share = operations(cell, units, depth) / statistics.median(times["tfgen"]) / peak(clock)
        cells = [_spread(times.get(name)) for name in ("tfgen", "Keras", "PyTorch")]
        ratios = [_ratio(times.get(name), times["tfgen"]) for name in ("Keras", "PyTorch")]
        print(f"| {depth} {cell} of {units} | {' | '.join([*cells, *ratios])} | {share:.0%} |", flush=True)


def _torch_version() -> str:
    import torch

    return str(torch.__version__)


def _spread(times: list[float] | None) -> str:
    if times is None:
        return "-"
    low, middle, high = (1e3 * quartile for quartile in statistics.quantiles(times, n=4))
    return f"{middle:.0f} ({low:.0f}-{high:.0f})"


def _ratio(times: list[float] | None, ours: list[float]) -> str:
    if times is None:
        return "-"
    return f"{statistics.median(a / b for a, b in zip(times, ours, strict=True)):.2f}"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
