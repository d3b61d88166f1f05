"""What several workers cost and give: paper for networks that are not here, and what one machine can measure.

Usage: python benchmarks/machines.py steps                  # seconds of a core that steps take
       python benchmarks/machines.py table                  # bytes a step, and when a ring of machines pays
       python benchmarks/machines.py batches [CORPUS [MB]]  # the loss of larger batches at equal characters
       python benchmarks/machines.py apart [CORPUS [MB]]    # the loss where weights are averaged every k steps
       python benchmarks/machines.py sums                   # a step of one process and of two, and what the sums cost
       python benchmarks/machines.py start                  # seconds until Ray and two workers compute
       python benchmarks/machines.py bulk                   # 2,000 prompts in this process and by actors
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

# Of an LSTM: units, parameters, and the seconds of a core of a step of 32 rows of 32 characters, as `steps` measured.
NETWORKS = {"0.4 M": (256, 0.39e6, 0.031), "1.3 M": (512, 1.30e6, 0.101), "10 M": (1536, 10.2e6, 0.873)}
# Bytes a second, and seconds that a message takes to arrive.
LINES = {"1 Gbit/s": (0.125e9, 100e-6), "10 Gbit/s": (1.25e9, 50e-6), "100 Gbit/s": (12.5e9, 20e-6)}
MACHINES = (2, 4, 8, 16, 64)


def ring(size: float, machines: int, rate: float, delay: float) -> float:
    """Give the seconds of a ring all-reduce: 2 (n - 1) messages of a part of the bytes each."""
    return 2 * (machines - 1) * (size / machines / rate + delay)


def steps() -> None:
    """Train each network for some steps on one thread, and print the processor time of one."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    import keras

    import tfgen
    from tfgen import training

    text = tfgen.Corpus((tfgen.load_corpus("python-docs").documents[0][:60_000],), False, "python-docs")
    for name, (units, _, _) in NETWORKS.items():
        settings = training.Settings(units=units, batch_size=32, length=32, epochs=1, cut="streams", validation=0.0)
        job = training.prepare(text, settings)
        seen: list[float] = []
        look = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs, seen=seen: seen.append(time.process_time())
        )
        job.generator.fit(job.train.take(12), epochs=1, verbose=0, callbacks=[look])
        seconds = (seen[-1] - seen[1]) / (len(seen) - 2)
        print(f"{name}: {job.generator.count_params():,} parameters, {1000 * seconds:.0f} ms of a core", flush=True)


def table() -> None:
    """Print, for each network and line, what the sums take and how much faster n machines are.

    First with the batch that one had, of which each has a part; then with a batch n times as large.
    """
    print("| parameters | bytes a step | step | line | " + " | ".join(f"{n} machines" for n in MACHINES) + " |")
    print("|" + "---|" * (4 + len(MACHINES)))
    for name, (_, parameters, step) in NETWORKS.items():
        for line, (rate, delay) in LINES.items():
            costs = [ring(4 * parameters, n, rate, delay) for n in MACHINES]
            gains = [
                (step / (step / n + cost), n * step / (step + cost)) for n, cost in zip(MACHINES, costs, strict=True)
            ]
            cells = [f"{1000 * cost:.1f} ms: {a:.1f}, {b:.1f}" for cost, (a, b) in zip(costs, gains, strict=True)]
            size = f"{4 * parameters / 1e6:.1f} MB"
            print(f"| {name} | {size} | {1000 * step:.0f} ms | {line} | {' | '.join(cells)} |")


def batches(corpus: str = "python-docs", megabytes: float = 0.2) -> None:
    """Train one small network with batches of several sizes, the rate scaled by the square root; print the losses."""
    import keras

    from tfgen import training

    text = _beginning(corpus, megabytes)
    print("| batch | rate | steps | validation, nats a character |\n|---|---|---|---|")
    for rows in (32, 64, 128, 256):
        rate = 8e-3 * (rows / 32) ** 0.5
        keras.utils.set_random_seed(0)
        settings = training.Settings(units=64, batch_size=rows, length=16, epochs=4, learning_rate=rate, cut="streams")
        job = training.prepare(text, settings)
        history = training.run(job).history
        print(f"| {rows} | {rate:.3f} | {4 * len(job.train)} | {min(history['val_nats']):.3f} |", flush=True)


def apart(corpus: str = "python-docs", megabytes: float = 0.2) -> None:
    """Train as workers who average their weights every k steps would, each on its 32 rows; print the losses.

    All train on the same characters, with the rate of `batches`; what is averaged are weights, the moments of the
    optimizer stay with each (Stich 2019, "Local SGD converges fast and communicates little").
    """
    from tfgen import training

    text = _beginning(corpus, megabytes)
    print("| workers | steps | gradients summed | k = 1 | k = 10 | k = 100 |\n|---|---|---|---|---|---|")
    for size in (2, 4):
        options = {"units": 64, "batch_size": 32 * size, "length": 16, "epochs": 4, "cut": "windows"}
        settings = training.Settings(**options, learning_rate=8e-3 * size**0.5)
        found = []
        for every in (None, 1, 10, 100):
            jobs = [training.prepare(text, settings) for _ in range(1 if every is None else size)]
            models = [job.generator for job in jobs]
            _average(models)  # all begin alike
            step = 0
            for _ in range(settings.epochs):
                for x, y in jobs[0].train:
                    step += 1
                    for rank, model in enumerate(models):
                        rows = slice(rank, None, len(models))
                        model.train_on_batch(x[rows], y[rows])
                    if every and step % every == 0:
                        _average(models)
            _average(models)
            found.append(models[0].evaluate(jobs[0].validation, verbose=0, return_dict=True)["nats"])
        print(f"| {size} | {step} | " + " | ".join(f"{nats:.3f}" for nats in found) + " |", flush=True)


def _average(models: list[Any]) -> None:
    every = [model.get_weights() for model in models]
    mean = [np.mean(each, axis=0) for each in zip(*every, strict=True)]
    for model in models:
        model.set_weights(mean)


def _beginning(corpus: str, megabytes: float) -> Any:
    import tfgen

    text = tfgen.load_corpus(corpus).documents[0][: int(1e6 * float(megabytes))]
    return tfgen.Corpus((text,), False, corpus)


def _worker() -> None:
    """Train as one of the workers of TF_CONFIG, and print the seconds a step of the second epoch."""
    from tfgen import workers

    together = workers.join()
    import keras
    import tensorflow as tf

    import tfgen
    from tfgen import training

    text = tfgen.Corpus((tfgen.load_corpus("python-docs").documents[0][:150_000],), False, "python-docs")
    job = training.prepare(text, training.Settings(units=256, batch_size=32, length=32, epochs=2, cut="streams"))
    job.generator.workers = together

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            self.begun = time.perf_counter()

        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            self.step = (time.perf_counter() - self.begun) / (batch + 1)

    clock = Clock()
    job.generator.fit(job.train, epochs=2, verbose=0, callbacks=[clock])
    numbers = tf.fill([job.generator.count_params()], 1.0)
    summed = tf.function(together.sum)
    summed(numbers)
    begun = time.perf_counter()
    for _ in range(20):
        summed(numbers).numpy()
    sums = (time.perf_counter() - begun) / 20
    if together.is_chief:
        rate = 32 * 32 / clock.step
        print(
            f"{together.size} workers, {job.generator.count_params():,} parameters: {1000 * clock.step:.1f} ms a step, "
            f"{rate:,.0f} characters a second; {1000 * sums:.1f} ms for the sums of one"
        )
    assert np.isfinite(clock.step)


def sums() -> None:
    """Run one worker, and two."""
    for size in (1, 2):
        sockets = [socket.socket() for _ in range(size)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
        for each in sockets:
            each.close()
        running = []
        for rank in range(size):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
            environment = {**os.environ, "TF_CONFIG": json.dumps(task), "TF_NUM_INTRAOP_THREADS": str(2 // size)}
            running.append(subprocess.Popen([sys.executable, __file__, "worker"], env=environment))
        assert not any(process.wait() for process in running)


def _first_step(ask: dict[str, str]) -> None:
    from tfgen import workers

    print(f"joined after {time.time() - float(ask['begun']):.1f} s as {workers.join().rank}")


def start() -> None:
    """Start Ray and two workers."""
    from tfgen.machines import train_together

    with tempfile.TemporaryDirectory() as folder:
        train_together(_first_step, {"begun": str(time.time())}, workers=2, folder=Path(folder, "ray"))


def bulk() -> None:
    """Write 2,000 texts of 100 characters in this process, and by one actor and two."""
    from tfgen import TextGenerator, Vocabulary, bulk

    with tempfile.TemporaryDirectory() as folder:
        model, prompts = Path(folder, "model.keras"), Path(folder, "prompts.txt")
        TextGenerator.build(Vocabulary.from_texts(["abcdefghijklmnopqrstuvwxyz "]), units=128, seed=0).save(model)
        prompts.write_text("the \n" * 2000)
        for workers in (None, 1, 2):
            request = bulk.Request(settings={"length": 100})
            begun = time.perf_counter()
            bulk.answer(model, prompts, Path(folder, f"{workers}.jsonl"), request, workers=workers)
            seconds = time.perf_counter() - begun
            where = "this process" if workers is None else f"{workers} actors"
            print(f"{where}: {seconds:.0f} s, {200_000 / seconds:,.0f} characters a second")


if __name__ == "__main__":
    every = (steps, table, batches, apart, sums, start, bulk)
    commands = {command.__name__: command for command in every} | {"worker": _worker}
    commands[sys.argv[1]](*sys.argv[2:])
