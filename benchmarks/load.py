"""What a process takes that works for long: thousands of calls of every verb, models made and dropped, large requests.

Each row is a process of its own, over an untrained network of 16 units and 65 characters unless it says more. "Grown"
is what the process holds more after the last call than after the first ones, over the calls between; "peak" what it
has held at most beyond what it held before. A share below 1 makes as many calls less.

Usage: python benchmarks/load.py [--share 0.1] [ROW ...]
"""

import argparse
import concurrent.futures
import contextlib
import ctypes
import gc
import http.client
import importlib.util
import json
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

CALLS, MODELS, REQUESTS, CLIENTS = 5_000, 100, 20_000, 8
SERVER = pathlib.Path(__file__).parents[1] / "examples" / "serving" / "server.py"
LETTERS = "".join(map(chr, range(65, 127)))


def generator_of(units: int = 16, tokens: list[str] | None = None) -> Any:
    """Give an untrained generator, of letters or of words, which has written once."""
    import tfgen

    vocabulary = tfgen.Vocabulary(tokens, split="word") if tokens else tfgen.Vocabulary.from_texts([LETTERS])
    generator = tfgen.TextGenerator.build(vocabulary, units=units, seed=0)
    generator.generate("", length=5, seed=0)
    return generator


def held() -> float:
    """Give the memory that this process holds, in MB, after what is free was given back."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    status = pathlib.Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def peak() -> float:
    """Give the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# Calls: each gives what is done with a number, which tells one call from another.


def verbs() -> dict[str, Callable[[Any], Callable[[int], Any]]]:
    """Give each verb, and each way to set it, as a function of a generator and a number."""
    from tfgen import sampling

    def stream(generator: Any) -> Callable[[int], Any]:
        return lambda i: next(generator.stream("A", length=1000, seed=i))

    def session(generator: Any) -> Callable[[int], Any]:
        def write(i: int) -> None:
            begun = generator.start("AB", seed=i)
            begun.generate(4)
            begun.read("C")
            begun.fork().generate(4)

        return write

    def sampled(*samplers: Callable[[int], Any]) -> Callable[[Any], Callable[[int], Any]]:
        return lambda generator: lambda i: generator.generate("A", length=5, seed=i, sampler=[s(i) for s in samplers])

    def written(**varied: Callable[[int], Any]) -> Callable[[Any], Callable[[int], Any]]:
        return lambda generator: (
            lambda i: generator.generate("A", length=5, **{name: value(i) for name, value in varied.items()})
        )

    return {
        "generate": written(seed=lambda i: i),
        "settings": written(temperature=lambda i: 0.5 + i % 9, top_k=lambda i: i % 7, top_p=lambda i: 1 / (1 + i % 5)),
        "batches": lambda generator: lambda i: generator.generate(["A", "BC"] * (1 + i % 40), length=3, seed=i),
        "scores": written(return_scores=lambda i: True, alternatives=lambda i: 1 + i % 60),
        "beams": written(num_beams=lambda i: 2 + i % 30),
        "rows under XLA": lambda generator: (
            lambda i: generator.generate(["A"] * (1 + i % 60), length=3, jit_compile=True)
        ),
        "abandoned streams": stream,
        "sessions": session,
        "score": lambda generator: lambda i: generator.score("ABC" * (1 + i % 50)),
        "patterns": sampled(lambda i: sampling.Pattern(f"A[B-Z]{{{1 + i % 5}}}")),
        "allow-lists": sampled(lambda i: sampling.Allow(LETTERS[i % 50 :])),
        "biases": sampled(lambda i: sampling.LogitBias({LETTERS[i % 60]: 1.0})),
        "banned strings": sampled(lambda i: sampling.Forbid(strings=[LETTERS[i % 50 : i % 50 + 2]])),
        "windows of DRY": sampled(lambda i: sampling.DRY(window=64 + i % 900, longest=1 + i % 60)),
        "breakers of DRY": sampled(lambda i: sampling.DRY(breakers=LETTERS[: i % 60])),
        "n-grams": sampled(lambda i: sampling.NoRepeatNgram(1 + i % 100, 100 + i % 900)),
    }


def repeated(turn: Callable[[int], Any], times: int) -> Iterator[str]:
    """Do something so often; say how memory grew and time changed."""
    few = max(times // 10, min(times // 2, 65))  # by then each of the sizes has come
    yield ""
    begun = time.monotonic()
    for i in range(few):
        turn(i)
    first, before = (time.monotonic() - begun) / few, held()
    begun = time.monotonic()
    for i in range(few, times):
        turn(i)
    each, grown = (time.monotonic() - begun) / (times - few), (held() - before) / (times - few)
    yield f"{times:,} | {1000 * first:,.1f} | {1000 * each:,.1f} | {1024 * grown:,.1f} KB"


# Models that are made and dropped


def models(folder: pathlib.Path) -> dict[str, Callable[[int], Any]]:
    """Give what makes a model and drops it."""
    import keras
    import numpy as np

    import tfgen

    vocabulary = tfgen.Vocabulary.from_texts([LETTERS])
    text = "".join(np.random.default_rng(0).choice(list("ABCDEFGH"), 8 * 20 * 3 + 1))
    train, _ = tfgen.datasets.streams(tfgen.Corpus.from_text(text), vocabulary, batch_size=8, length=20, validation=0)

    def fitted(_: int) -> Any:
        generator = tfgen.TextGenerator.build(vocabulary, units=64, batch_size=8, seed=0)
        generator.compile("adam", "sparse_categorical_crossentropy")
        generator.fit(train, verbose=0)
        return generator

    def exported(_: int) -> None:
        shutil.rmtree(folder / "exported", ignore_errors=True)
        generator.export(folder / "exported")

    generator = fitted(0)
    generator.save(folder / "a.keras")
    return {
        "models loaded": lambda _: keras.saving.load_model(folder / "a.keras"),
        "models loaded, writing": lambda _: keras.saving.load_model(folder / "a.keras").generate("A", length=3),
        "models of another batch size": lambda _: generator.with_batch_size(4),
        "models fitted": fitted,
        "models exported": exported,
    }


MADE = (
    "models loaded",
    "models loaded, writing",
    "models of another batch size",
    "models fitted",
    "models exported",
)


# Large requests: each is done once


def words() -> list[str]:
    """Give 10,000 words."""
    return [f" w{i}" for i in range(10_000)]


def prompt_among_others(generator: Any) -> str:
    """Write after a prompt of a million characters and 63 short ones."""
    generator.generate(["ABCDEFGH" * 125_000, *["A"] * 63], length=10, seed=0, echo=False)
    return "64 texts"


def many_texts(generator: Any) -> str:
    """Write 20,000 texts with one call."""
    return f"{len(generator.generate('A', n=20_000, length=5, seed=0)):,} texts"


def scored(generator: Any) -> str:
    """Score 64 texts of 200 words."""
    return f"{len(generator.score([''.join(words()[1000:1200])] * 64))} texts"


def long_score(generator: Any) -> str:
    """Score one text of a million words."""
    return f"{len(generator.score(''.join(words()[1000:2000]) * 1000).ranks):,} words"


def stopped_search(generator: Any) -> str:
    """Search for a text of 100,000,000 characters, until a signal comes."""
    from tfgen.support import interrupts

    threading.Timer(5, signal.raise_signal, [signal.SIGTERM]).start()
    with interrupts.handled(), interrupts.deferred():
        try:
            generator.generate("A", length=10**8, num_beams=4, min_length=10**8)
        except interrupts.Stopped:
            return "stopped by a signal after 5 s"
    return "was not stopped"


def refused(make: Callable[[], Any]) -> Callable[[Any], str]:
    """Say what is answered to what cannot be."""

    def answer(_: Any) -> str:
        from tfgen import InputError

        try:
            make()
        except InputError as error:
            return f"refused: {error}"
        return "not refused"

    return answer


def largest_window(generator: Any) -> str:
    """Write 64 texts after 60,000 characters that repeat, with the largest window."""
    from tfgen import sampling

    sampler = [sampling.DRY(window=2**16, longest=2**10), sampling.NoRepeatNgram(2**10, 2**16)]
    generator.generate("AB" * 30_000, n=64, length=20, seed=0, sampler=sampler, echo=False)
    return "64 texts"


def n_grams_of_a_window() -> Any:
    """Make a transform that compares 65,536 tokens."""
    from tfgen import sampling

    return sampling.NoRepeatNgram(2**16, 2**16)


def passages_of_a_window() -> Any:
    """Make a transform that compares 65,536 tokens."""
    from tfgen import sampling

    return sampling.DRY(window=2**16, longest=2**16)


LARGE: dict[str, tuple[Callable[[], Any], Callable[[Any], str]]] = {
    "prompt of 1,000,000 characters among 63 of one": (generator_of, prompt_among_others),
    "20,000 texts at once": (generator_of, many_texts),
    "score of 64 texts of 200 words, of 10,000 words": (lambda: generator_of(64, words()), scored),
    "score of 1,000,000 words, of 10,000 words": (lambda: generator_of(64, words()), long_score),
    "beam search of 100,000,000 characters": (generator_of, stopped_search),
    "64 texts with windows of 65,536": (generator_of, largest_window),
    "NoRepeatNgram(65536, 65536)": (generator_of, refused(n_grams_of_a_window)),
    "DRY(window=65536, longest=65536)": (generator_of, refused(passages_of_a_window)),
}


def once(make: Callable[[], Any], work: Callable[[Any], str]) -> Iterator[str]:
    """Do something once; say what it took."""
    made = make()
    yield ""
    before, begun = peak(), time.monotonic()
    said = work(made)
    yield f"{said} | {time.monotonic() - begun:,.1f} s | {peak() - before:,.0f} MB"


# Requests


def requests(times: int) -> Iterator[str]:
    """Ask the server of examples/serving so often, from several clients."""
    if importlib.util.find_spec("kserve") is None:
        yield ""
        yield "not run: kserve is not installed | | "
        return
    with tempfile.TemporaryDirectory() as name, socket.socket() as free:
        generator_of().export(pathlib.Path(name, "model"))
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        options = ("--model_dir", "model", "--model_name", "model", "--http_port", str(port))
        with subprocess.Popen(
            [sys.executable, str(SERVER), *options], cwd=name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as server:
            try:
                _wait(port)
                _asked(port, max(times // 10, CLIENTS))
                yield ""
                before = _held_by(server.pid)
                seconds = sorted(_asked(port, times))
                grown = (_held_by(server.pid) - before) / times
                p50, p99 = (1000 * seconds[int(share * len(seconds))] for share in (0.5, 0.99))
                yield f"{times:,} requests: p50 {p50:,.0f} ms, p99 {p99:,.0f} ms | grown {1024 * grown:,.1f} KB each | "
            finally:
                server.terminate()


def _wait(port: int) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.5)
    raise SystemExit("the server does not answer.")


def _asked(port: int, times: int) -> list[float]:
    def client(number: int) -> list[float]:
        connection, taken = http.client.HTTPConnection("127.0.0.1", port, timeout=300), []
        for i in range(number, times, CLIENTS):
            body = json.dumps({"inputs": {"prompts": ["A"], "length": 20, "seed": [i], "temperature": 0.5 + i % 3}})
            begun = time.monotonic()
            connection.request("POST", "/v1/models/model:predict", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            taken.append(time.monotonic() - begun)
            if answer.status != 200:
                raise SystemExit(f"request {i} was answered with {answer.status}.")
        return taken

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
        return [each for taken in clients.map(client, range(CLIENTS)) for each in taken]


def _held_by(process: int) -> float:
    status = pathlib.Path(f"/proc/{process}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


# All of it

CALLED = (
    *("generate", "settings", "batches", "scores", "beams", "rows under XLA", "abandoned streams", "sessions", "score"),
    *("patterns", "allow-lists", "biases", "banned strings", "windows of DRY", "breakers of DRY", "n-grams"),
)


def row_of(name: str, share: float) -> Iterator[str]:
    """Give a row: once when it is ready, and once with what is to be printed."""
    if name in CALLED:
        yield from repeated(verbs()[name](generator_of()), max(int(share * CALLS), 30))
    elif name in MADE:
        with tempfile.TemporaryDirectory() as folder:
            yield from repeated(models(pathlib.Path(folder))[name], max(int(share * MODELS), 6))
    elif name in LARGE:
        yield from once(*LARGE[name])
    else:
        yield from requests(max(int(share * REQUESTS), 2 * CLIENTS))


def main() -> None:
    """Run each row in a process, or this one's."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("rows", nargs="*")
    options.add_argument("--share", type=float, default=1.0, help="of the calls, models and requests")
    options.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.here:
        row = row_of(given.rows[0], given.share)
        next(row)
        print(f"| {given.rows[0]} | {next(row)} |", flush=True)
        return
    for title, names in (
        ("| calls | times | ms each at first | ms each then | grown each |\n|---|---|---|---|---|", (*CALLED, *MADE)),
        ("| once | | time | peak |\n|---|---|---|---|", (*LARGE, "requests")),
    ):
        chosen = [name for name in names if not given.rows or name in given.rows]
        if chosen:
            print(f"\n{title}", flush=True)
        for name in chosen:
            command = [sys.executable, __file__, "--here", "--share", str(given.share), name]
            subprocess.run(command, check=False)


if __name__ == "__main__":
    main()
