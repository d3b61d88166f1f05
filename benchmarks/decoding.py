"""What a written character costs: tfgen and what else writes with a recurrent network, in turns.

Every peer draws from an untrained network of one-hot characters at temperature 0.8, LENGTH characters a row; those that
take long draw fewer. The last column of the first table is the ratio to the physical limit: the weights that one
character must read, over the rate at which a core reads an array of that size, measured in the same run.

Usage: python benchmarks/decoding.py [LENGTH [ROUNDS]]
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import turns

V = 65
TEMPERATURE = 0.8
# Units, layers, rows.
CASES = [(128, 1, 1), (512, 1, 1), (512, 2, 1), (256, 1, 64), (512, 2, 64)]
RUNTIMES = [(32, 2, 1), (256, 1, 1)]
READINGS = 100
# How many characters those draw that take long, of a thousand.
SHARES = {"tutorial": 0.2, "prefix": 0.003}


def generator_of(units: str, depth: str) -> Any:
    """Give an untrained generator of V tokens."""
    import tfgen

    vocabulary = tfgen.Vocabulary.from_texts(["".join(map(chr, range(65, 65 + V - 3)))])
    return tfgen.TextGenerator.build(vocabulary, units=int(units), layers=int(depth), seed=0)


def write(jit_compile: bool, units: str, depth: str, rows: str, length: str) -> Callable[[], Any]:
    """Give tfgen's loop, in the plain graph or compiled by XLA."""
    turns.use_threads()
    generator = generator_of(units, depth)
    settings = {"length": int(length), "temperature": TEMPERATURE, "seed": 0, "jit_compile": jit_compile}
    return lambda: generator.generate(["A"] * int(rows), **settings)


def torch_loop(cells: bool, units: str, depth: str, rows: str, length: str) -> Callable[[], Any]:
    """Give a Python loop over `nn.LSTM`, or over cells written by hand, which is what PyTorch does best here."""
    import os

    import torch

    torch.set_num_threads(int(os.environ["THREADS"]))
    torch.manual_seed(0)
    recurrent, head = torch.nn.LSTM(V, int(units), int(depth)), torch.nn.Linear(int(units), V)
    one_hot = torch.eye(V)
    kernels = [
        [getattr(recurrent, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        for layer in range(int(depth))
    ]
    ready = [(ih.t().contiguous(), hh.t().contiguous(), one + other) for ih, hh, one, other in kernels]

    def step_of_cells(ids: Any, state: list[Any]) -> tuple[Any, list[Any]]:
        after = []
        for layer, ((ih, hh, bias), (h, c)) in enumerate(zip(ready, state, strict=True)):
            z = torch.addmm(bias + (ih[ids] if layer == 0 else x @ ih), h, hh)  # noqa: F821 - from the layer before
            i, f, g, o = z.chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            x = torch.sigmoid(o) * torch.tanh(c)
            after.append((x, c))
        return x, after

    def step_of_layer(ids: Any, state: Any) -> tuple[Any, Any]:
        outputs, state = recurrent(one_hot[ids][None], state)
        return outputs[0], state

    @torch.inference_mode()
    def run() -> None:
        ids = torch.zeros(int(rows), dtype=torch.long)
        zero = torch.zeros(int(rows), int(units))
        stacked = torch.zeros(int(depth), int(rows), int(units))
        step, state = (step_of_cells, [(zero, zero)] * int(depth)) if cells else (step_of_layer, (stacked, stacked))
        for _ in range(int(length)):
            outputs, state = step(ids, state)
            ids = torch.multinomial(torch.softmax(head(outputs) / TEMPERATURE, -1), 1)[:, 0]

    return run


def keras_network(units: str, depth: str) -> tuple[Any, list[Any]]:
    """Give a network of Keras' own layers, as tutorials build it, and its recurrent layers."""
    import keras

    layers = [
        keras.layers.LSTM(int(units), return_sequences=True, return_state=True, name=f"lstm_{i}")
        for i in range(int(depth))
    ]
    return keras.layers.Dense(V), layers


def tutorial(units: str, depth: str, rows: str, length: str) -> Callable[[], Any]:
    """Give the loop of TensorFlow's tutorial: Python calls a compiled step, once a character."""
    turns.use_threads()
    import tensorflow as tf

    head, layers = keras_network(units, depth)

    @tf.function
    def one_step(ids: tf.Tensor, states: Any) -> Any:
        x, after = tf.one_hot(ids, V), []
        for layer, state in zip(layers, states, strict=True):
            x, *state = layer(x, initial_state=state)
            after.append(state)
        logits = head(x)[:, -1] / TEMPERATURE
        return tf.random.categorical(logits, 1), after

    def run() -> None:
        ids = tf.zeros([int(rows), 1], tf.int64)
        states = [[tf.zeros([int(rows), int(units)])] * 2] * int(depth)
        for _ in range(int(length)):
            ids, states = one_step(ids, states)

    return run


def prefix(units: str, depth: str, rows: str, length: str) -> Callable[[], Any]:
    """Give the loop that reads the whole text so far again for each character; at 100 characters of text."""
    turns.use_threads()
    import tensorflow as tf

    head, layers = keras_network(units, depth)
    text = tf.zeros([int(rows), 100], tf.int64)

    def run() -> None:
        for _ in range(int(length)):
            x = tf.one_hot(text, V)
            for layer in layers:
                x, *_ = layer(x)
            tf.random.categorical(head(x)[:, -1] / TEMPERATURE, 1)

    return run


def client(name: str, units: str, depth: str, length: str) -> Callable[[], Any]:
    """Give the loop of a reference client over an exported step."""
    import importlib
    import subprocess

    directory = tempfile.mkdtemp()
    # Exported by another process, for a client has no TensorFlow.
    command = [sys.executable, __file__, "--export", name, units, depth, directory]
    subprocess.run(command, check=True, capture_output=True)
    sys.path.insert(0, str(Path(__file__).parents[1] / "examples" / "clients"))
    writer = importlib.import_module(f"{name}_client").Writer(directory)
    return lambda: "".join(writer.write("A", int(length), TEMPERATURE, 0))


def reading(size: str) -> Callable[[], Any]:
    """Give the physical limit: a core reads an array of so many numbers, a hundred times."""
    import numpy as np

    array = np.ones(int(size), np.float32)
    return lambda: [array.max() for _ in range(READINGS)]  # which was the fastest of several ways


PEERS: dict[str, Callable[..., Callable[[], Any]]] = {
    "tfgen": lambda *case: write(False, *case),
    "tfgen, XLA": lambda *case: write(True, *case),
    "PyTorch, nn.LSTM": lambda *case: torch_loop(False, *case),
    "PyTorch, cells": lambda *case: torch_loop(True, *case),
    "tutorial": tutorial,
    "prefix": prefix,
    "onnx": lambda *case: client("onnx", *case),
    "litert": lambda *case: client("litert", *case),
    "reading": reading,
}


def weights(units: int, depth: int) -> int:
    """Count the numbers that one character must read: all weights, but one row of the first kernel."""
    first = V * 4 * units
    return sum(2 * units * 4 * units for _ in range(depth)) - units * 4 * units + first // V + units * V


def table(case: tuple[int, int, int], names: list[str], length: int, rounds: int) -> None:
    """Print the rows of one case."""
    units, depth, rows = case
    drawn = {name: max(int(length * SHARES.get(name, 1)), 1) for name in names}
    asked: dict[str, Any] = {name: (name, units, depth, rows, drawn[name]) for name in names}
    for name in ("onnx", "litert"):
        if name in names:
            asked[name] = (name, units, depth, length)
    asked["reading"] = ("reading", weights(units, depth))
    times = turns.take_turns(asked, rounds)
    times = {name: [second / drawn.get(name, READINGS) for second in each] for name, each in times.items()}
    best = times["tfgen, XLA"]
    limit = min(times["reading"])  # the others have emptied the cache before
    for name in names:
        middle = sorted(times[name])[rounds // 2]
        over = " | ".join(f"{turns.ratio(times[name], times[ours]):,.1f}" for ours in ("tfgen, XLA", "tfgen"))
        share = f"{limit / sorted(best)[rounds // 2]:.0%}" if name == "tfgen, XLA" and rows == 1 else ""
        label = f"{depth} LSTM of {units}, {rows} row(s)"
        print(
            f"| {label} | {name} | {turns.spread(times[name], 1e-6)} | {rows / middle:,.0f} | {over} | {share} |",
            flush=True,
        )


def main(length: int = 1000, rounds: int = 7) -> None:
    """Print a Markdown table."""
    packages = ("tensorflow", "keras", "torch", "onnxruntime", "ai-edge-litert")
    print(f"{turns.versions(*packages)}.\n\nV={V}, one thread, {length} characters a row, {rounds} rounds.\n")
    columns = (
        "network",
        "written by",
        "µs a step, median (and quartiles)",
        "characters/s",
        "over XLA",
        "over the graph",
    )
    print(f"| {' | '.join([*columns, 'share of the limit'])} |\n{'|---' * 7}|")
    torch = ["PyTorch, nn.LSTM", "PyTorch, cells"] if turns.installed("torch") else []
    clients = [n for n, package in (("onnx", "onnxruntime"), ("litert", "ai_edge_litert")) if turns.installed(package)]
    for case in CASES:
        table(case, ["tfgen", "tfgen, XLA", *torch, "tutorial", *(["prefix"] if case[2] == 1 else [])], length, rounds)
    for case in RUNTIMES:
        table(case, ["tfgen", "tfgen, XLA", *clients], length, rounds)


def _export(name: str, units: str, depth: str, directory: str) -> None:
    generator_of(units, depth).export(directory, name)


if __name__ == "__main__":
    if sys.argv[1:2] == [turns.PEER]:
        turns.become(PEERS, sys.argv[2:])
    elif sys.argv[1:2] == ["--export"]:
        _export(*sys.argv[2:])
    else:
        main(*map(int, sys.argv[1:]))
