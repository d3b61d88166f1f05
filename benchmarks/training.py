"""What a training step costs: tfgen, Keras and PyTorch on the same batch, in turns.

A step is forward, backward and Adam over one-hot characters, recurrent layers and a dense head. With one thread the
figures are seconds of CPU time, which other work on the machine disturbs least; with more they are of the clock. The
last column is the ratio to the physical limit: the floating-point operations of the step's matrix products, over the
rate of one large product measured in the same run.

Usage: python benchmarks/training.py [THREADS [ROUNDS]]
"""

import sys
from collections.abc import Callable
from typing import Any

import turns

B, T, V = 64, 100, 65
CASES = [("LSTM", 128, 1), ("LSTM", 256, 1), ("LSTM", 512, 1), ("GRU", 256, 2)]
# The second table: what a step costs against its size, each beside the first row.
SIZES = {
    "LSTM 256, B=64, T=100": ("LSTM", 256, 1, 64, 100),
    "half the units": ("LSTM", 128, 1, 64, 100),
    "twice the units": ("LSTM", 512, 1, 64, 100),
    "two layers": ("LSTM", 256, 2, 64, 100),
    "three layers": ("LSTM", 256, 3, 64, 100),
    "a quarter of the batch": ("LSTM", 256, 1, 16, 100),
    "twice the batch": ("LSTM", 256, 1, 128, 100),
    "half the length": ("LSTM", 256, 1, 64, 50),
    "twice the length": ("LSTM", 256, 1, 64, 200),
}


def batch(rows: int, length: int) -> Any:
    """Give inputs and targets, (B, T) each, the same for all peers."""
    import numpy as np

    rng = np.random.default_rng(0)
    return [rng.integers(0, V, (rows, length)).astype(np.int32) for _ in range(2)]


def tensorflow_step(ours: bool, cell: str, units: str, depth: str, rows: str, length: str) -> Callable[[], Any]:
    """Give a compiled training step of tfgen's layers or of Keras' own."""
    turns.use_threads()
    import keras
    import tensorflow as tf

    from tfgen import layers

    ids, targets = map(tf.constant, batch(int(rows), int(length)))
    stack: list[Any] = [keras.Input((int(length),), batch_size=int(rows), dtype="int32")]
    if not ours:
        identity = keras.initializers.Identity()
        stack.append(keras.layers.Embedding(V, V, embeddings_initializer=identity, trainable=False))
    for index in range(int(depth)):
        one_hot = {"one_hot": V} if ours and not index else {}
        family = layers if ours else keras.layers
        stack.append(getattr(family, cell)(int(units), return_sequences=True, **one_hot))
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


def torch_step(cell: str, units: str, depth: str, rows: str, length: str) -> Callable[[], Any]:
    """Give a training step of PyTorch's layers."""
    import os

    import torch

    torch.set_num_threads(int(os.environ["THREADS"]))
    recurrent = getattr(torch.nn, cell)(V, int(units), int(depth), batch_first=True)
    head = torch.nn.Linear(int(units), V)
    optimizer = torch.optim.Adam([*recurrent.parameters(), *head.parameters()])
    inputs, wanted = (torch.tensor(array).long() for array in batch(int(rows), int(length)))

    def step() -> None:
        outputs, _ = recurrent(torch.nn.functional.one_hot(inputs, V).float())
        loss = torch.nn.functional.cross_entropy(head(outputs).reshape(-1, V), wanted.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def large_product() -> Callable[[], Any]:
    """Give the product whose rate is the physical limit."""
    turns.use_threads()
    import tensorflow as tf

    a = tf.random.normal([2048, 2048])
    return tf.function(lambda: a @ a, autograph=False)


PEERS: dict[str, Callable[..., Callable[[], Any]]] = {
    "tfgen": lambda *case: tensorflow_step(True, *case),
    "Keras": lambda *case: tensorflow_step(False, *case),
    "PyTorch": torch_step,
    "product": large_product,
}


def operations(cell: str, units: int, depth: int) -> float:
    """Count the floating-point operations of all products of a step but those with one-hot rows."""
    gates = {"LSTM": 4, "GRU": 3}[cell]
    forward = sum(units * gates * units * (2 if index else 1) for index in range(depth)) + units * V
    return 3 * 2 * B * T * forward


def against_peers(threads: int, rounds: int) -> None:
    """Print the table of peers."""
    clock = "cpu" if threads == 1 else "wall"
    print(f"B={B}, T={T}, V={V}, {threads} thread(s): milliseconds, median (and quartiles) of {rounds} steps.\n")
    print("| layers | tfgen | Keras | PyTorch | Keras / tfgen | PyTorch / tfgen | share of the peak |")
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        peers = ["tfgen", "Keras", *(["PyTorch"] if turns.installed("torch") else [])]
        asked = {name: (name, *case, B, T) for name in peers} | {"product": ("product",)}
        times = turns.take_turns(asked, rounds, threads, clock)
        limit = 2 * 2048**3 / min(times["product"])
        share = operations(*case) / sorted(times["tfgen"])[rounds // 2] / limit
        cells = [turns.spread(times[name]) if name in times else "-" for name in ("tfgen", "Keras", "PyTorch")]
        ratios = [f"{turns.ratio(times[name], times['tfgen']):.2f}" if name in times else "-" for name in PEERS][1:3]
        cell, units, depth = case
        print(f"| {depth} {cell} of {units} | {' | '.join([*cells, *ratios])} | {share:.0%} |", flush=True)


def against_size(threads: int, rounds: int) -> None:
    """Print the table of sizes."""
    clock = "cpu" if threads == 1 else "wall"
    times = turns.take_turns({name: ("tfgen", *case) for name, case in SIZES.items()}, rounds, threads, clock)
    print("\n| step | milliseconds | characters/s | over the first row |\n|---|---|---|---|")
    for name, (*_, rows, length) in SIZES.items():
        speed = rows * length / sorted(times[name])[rounds // 2]
        over = turns.ratio(times[name], next(iter(times.values())))
        print(f"| {name} | {turns.spread(times[name])} | {speed:,.0f} | {over:.2f} |", flush=True)


def main(threads: int = 1, rounds: int = 15) -> None:
    """Print Markdown tables."""
    print(f"{turns.versions('tensorflow', 'keras', 'torch')}.\n")
    against_peers(threads, rounds)
    against_size(threads, rounds)


if __name__ == "__main__":
    if sys.argv[1:2] == [turns.PEER]:
        turns.become(PEERS, sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))
