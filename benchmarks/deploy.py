"""What each exported format costs and loses: size, memory, speed, and bits per character of a text.

Usage: python benchmarks/deploy.py MODEL TEXT [LENGTH]

MODEL is a .keras file of characters, TEXT a file that the model has not been trained on. Each runtime runs in a process
of its own, on Linux, for one row, and draws LENGTH tokens at temperature 1 three times, of which the fastest counts.
Formats whose packages are not installed are skipped by name.
"""

import concurrent.futures
import importlib.util
import multiprocessing
import pathlib
import re
import sys
import tempfile
import time

import numpy as np

CLIENTS = pathlib.Path(__file__).parents[1] / "examples" / "clients"


def main(model: str, text: str, length: int = 2000) -> None:
    """Print a Markdown table."""
    content = pathlib.Path(text).read_text(encoding="utf-8")
    print(f"{len(content):,} characters scored, {length:,} drawn.\n")
    print("| format | MB on disk | peak memory, MB | s to the first character | characters/s | bits per character |")
    print("|---|---|---|---|---|---|")
    print(row(".keras, with tfgen", pathlib.Path(model), alone(in_python, model, content, length)), flush=True)
    for name, (run, packages) in FORMATS.items():
        missing = [package for package in packages if importlib.util.find_spec(package) is None]
        if missing:
            print(f"| {name} | {', '.join(missing)} not installed: skipped |")
            continue
        with tempfile.TemporaryDirectory() as place:
            folder = pathlib.Path(place, "model")
            alone(export, name, model, folder)
            print(row(name, folder, alone(run, folder, content, length)), flush=True)


def alone(function, *arguments):
    """Call a function in a fresh process, so that its memory is its own."""
    spawned = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawned) as pool:
        return pool.submit(function, *arguments).result()


def export(name, model, folder):
    from tfgen import model_files

    model_files.load(model).export(folder, name)


def in_python(model, content, length):
    begun = time.perf_counter()
    from tfgen import model_files

    generator = model_files.load(model)
    next(generator.stream("", length=1, seed=0))
    first = time.perf_counter() - begun
    speed = fastest(lambda: generator.generate("", length=length, seed=2, echo=False))
    return peak_memory(), first, speed, generator.score(content).bits_per_character


def in_tensorflow(folder, content, length):
    begun = time.perf_counter()
    import tensorflow as tf

    model = tf.saved_model.load(str(folder))
    model.generate(tf.constant([""]), tf.constant(1))
    first = time.perf_counter() - begun
    seed = tf.constant(2, tf.int64)
    speed = fastest(
        lambda: model.generate(tf.constant([""]), tf.constant(length), seed=seed)["texts"][0].numpy().decode()
    )
    memory = peak_memory()
    return memory, first, speed, -model.score(tf.constant([content]))["log_probabilities"].numpy().mean() / np.log(2)


def in_onnx_client(folder, content, length):
    return in_client("onnx_client", folder, content, length)


def in_litert_client(folder, content, length):
    return in_client("litert_client", folder, content, length)


def in_client(name, folder, content, length):
    begun = time.perf_counter()
    spec = importlib.util.spec_from_file_location(name, CLIENTS / f"{name}.py")
    client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(client)
    writer = client.Writer(folder)
    next(writer.write("", 1, seed=0))
    first = time.perf_counter() - begun
    speed = fastest(lambda: "".join(writer.write("", length, seed=2)))
    return peak_memory(), first, speed, bits_per_character(writer, content)


# Format: how it is run, and the packages to make and to run it.
FORMATS = {
    "saved-model": (in_tensorflow, ()),
    "onnx": (in_onnx_client, ("tf2onnx", "onnxruntime")),
    "litert": (in_litert_client, ("ai_edge_litert",)),
    "litert-int8": (in_litert_client, ("ai_edge_litert",)),
}


def fastest(write):
    """Give characters a second, of the fastest of three times."""
    write()  # compiles
    speeds = []
    for _ in range(3):
        begun = time.perf_counter()
        text = write()
        speeds.append(len(text) / (time.perf_counter() - begun))
    return max(speeds)


def bits_per_character(writer, content):
    (logits, state), nats = writer.read(""), 0.0
    for token in writer.ids(content):
        highest = logits.max()
        nats += np.log(np.exp(logits - highest, dtype=np.float64).sum()) + highest - logits[token]
        logits, state = writer.step(token, state)
    return nats / len(content) / np.log(2)


def peak_memory():
    # Not that of getrusage, which a process inherits from its parent.
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status)[1]) / 1024


def row(name, path, measured):
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files) / 1e6
    memory, first, speed, bits = measured
    return f"| {name} | {size:.2f} | {memory:.0f} | {first:.2f} | {speed:,.0f} | {bits:.4f} |"


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:4]))
