"""What each exported format costs and loses: size, memory, speed, and bits per character of a text.

Usage: python benchmarks/deploy.py MODEL TEXT [LENGTH]

MODEL is a .keras file, TEXT a file that the model has not been trained on. Each runtime runs in a process of its own,
one row, and draws LENGTH tokens at temperature 1. Formats whose packages are not installed are skipped by name.
"""

import concurrent.futures
import importlib.util
import multiprocessing
import pathlib
import resource
import sys
import tempfile
import time

import numpy as np

CLIENTS = pathlib.Path(__file__).parents[1] / "examples" / "clients"
# Format: its reference client, and the packages to make and to run it.
FORMATS = {
    "onnx": ("onnx_client", ("tf2onnx", "onnxruntime")),
    "litert": ("litert_client", ("ai_edge_litert",)),
    "litert-int8": ("litert_client", ("ai_edge_litert",)),
}


def main(model: str, text: str, length: int = 2000) -> None:
    """Print a Markdown table."""
    content = pathlib.Path(text).read_text(encoding="utf-8")
    print(f"{len(content):,} characters scored, {length:,} drawn.\n")
    print("| format | MB on disk | peak memory, MB | s to the first character | characters/s | bits per character |")
    print("|---|---|---|---|---|---|")
    print(row("Python (.keras)", pathlib.Path(model), alone(in_python, model, content, length)))
    for name, (client, packages) in FORMATS.items():
        missing = [package for package in packages if importlib.util.find_spec(package) is None]
        if missing:
            print(f"| {name} | {', '.join(missing)} not installed: skipped |")
            continue
        with tempfile.TemporaryDirectory() as folder:
            alone(export, name, model, folder)
            print(row(name, pathlib.Path(folder), alone(in_client, client, folder, content, length)))


def alone(function, *arguments):
    """Call a function in a fresh process, so that its memory is its own."""
    spawned = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawned) as pool:
        return pool.submit(function, *arguments).result()


def export(name, model, folder):
    from tfgen import export, model_files

    export.FORMATS[name](model_files.load(model), pathlib.Path(folder))


def in_python(model, content, length):
    begun = time.perf_counter()
    from tfgen import model_files

    generator = model_files.load(model)
    next(generator.stream("", length=1, seed=0))
    first = time.perf_counter() - begun
    generator.generate("", length=length, seed=1, echo=False)  # compiles
    begun = time.perf_counter()
    text = generator.generate("", length=length, seed=2, echo=False)
    speed = len(text) / (time.perf_counter() - begun)
    memory = peak_memory()
    return memory, first, speed, generator.score(content, unknown="skip").bits_per_character


def in_client(name, folder, content, length):
    begun = time.perf_counter()
    spec = importlib.util.spec_from_file_location(name, CLIENTS / f"{name}.py")
    client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(client)
    writer = client.Writer(folder)
    next(writer.write("", 1, seed=0))
    first = time.perf_counter() - begun
    begun = time.perf_counter()
    text = "".join(writer.write("", length, seed=2))
    speed = len(text) / (time.perf_counter() - begun)
    memory = peak_memory()
    return memory, first, speed, bits_per_character(writer, content)


def bits_per_character(writer, content):
    known = "".join(character for character in content if character in writer.ids or writer.longest > 1)
    (logits, state), nats = writer.read(""), 0.0
    for token in writer.encode(known):
        highest = logits.max()
        nats += np.log(np.exp(logits - highest, dtype=np.float64).sum()) + highest - logits[token]
        logits, state = writer.step(token, state)
    return nats / len(known) / np.log(2)


def peak_memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def row(name, path, measured):
    files = path.iterdir() if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in files) / 1e6
    memory, first, speed, bits = measured
    return f"| {name} | {size:.2f} | {memory:.0f} | {first:.2f} | {speed:,.0f} | {bits:.4f} |"


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:4]))
