"""How soon a model is good: tfgen beside nanoGPT's configuration for a CPU, in CPU seconds of one thread.

Usage: python benchmarks/quality.py TEXT             # tiny Shakespeare, for figures that can be compared
       python benchmarks/quality.py TEXT long        # the best loss of a long run, an hour and a half of one core
       python benchmarks/quality.py TEXT transformer [SEEDS] [STEPS]  # nanoGPT's configuration in PyTorch, 2,000
                                                     # steps, and here, so many (2,000), in turns
       python benchmarks/quality.py TEXT counts      # n-grams of orders 1 to 10, some seconds
       python benchmarks/quality.py TEXT adapting MODEL.keras  # a mixture that learns while it reads, a minute
       python benchmarks/quality.py TEXT costs MODEL.keras     # what that costs a character, half a minute

The first nine tenths of the text are trained on, the last is scored, as nanoGPT splits it. "Fresh 64" is nanoGPT's
protocol: windows of 64 characters, each read from an empty context; "carried" reads the tenth from its first character
to its last. All losses are in nats per character.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import turns

# By what each row of the first table is called: settings of `tfgen train`, beyond its defaults.
SOONEST = {"units": 144, "batch_size": 16, "length": 32, "learning_rate": 8e-3, "epochs": 1}
LONG = {
    **{"units": 512, "layers": 2, "dropout": 0.45, "weight_drop": 0.4},
    **{"batch_size": 32, "length": 64, "learning_rate": 6e-3, "epochs": 24, "patience": None},
}
ROWS: dict[str, dict[str, Any]] = {"soonest": SOONEST, "defaults": {}, "long": LONG}


def loss_fresh(generator: Any, ids: np.ndarray, length: int) -> float:
    """Give the mean loss of windows of so many characters, one after the other, each from the zero state."""
    count = (len(ids) - 1) // length
    rows = np.stack([ids[length * i : length * (i + 1) + 1] for i in range(count)])
    return -float(np.concatenate([_log_p(generator, rows[begin : begin + 64]) for begin in range(0, count, 64)]).mean())


def loss_carried(generator: Any, ids: np.ndarray) -> float:
    """Give the mean loss of the whole text, read once from the zero state."""
    return -float(_log_p(generator, ids[np.newaxis]).mean())


def _log_p(generator: Any, rows: np.ndarray) -> np.ndarray:
    """Give the log-probabilities of all but the first of each row of ids."""
    import tensorflow as tf

    from tfgen.writing import scoring

    return scoring.score_tokens(generator.writer.model, tf.constant(rows, tf.int32), ())[0].numpy()


# So many steps of one peer, and then as many of the other.
TURN = 100


class Turns:
    """Tells after the first steps, and after every hundredth, what CPU seconds they took; and waits for a line.

    The first of them are those from the start of the process on, of its imports and of compiling.
    """

    def __init__(self, waits: bool) -> None:
        """Take whether somebody sends lines."""
        self._waits = waits
        self._told: float | None = None

    def after_step(self, step: int) -> None:
        """Tell, if it is time to."""
        if self._waits and (self._told is None or (step + 1) % TURN == 0):
            now = time.process_time()
            took = {"first": now} if self._told is None else {"turn": now - self._told}
            print(json.dumps(took), flush=True)
            sys.stdin.readline()
            self._told = time.process_time()


def nanogpt(path: str, seed: int = 0, waits: bool = False) -> dict[str, float]:
    """Train nanoGPT's configuration in PyTorch."""
    import nanogpt

    text = Path(path).read_text("utf-8")
    characters, ids = np.unique(np.frombuffer(text.encode("utf-32-le"), np.uint32), return_inverse=True)
    cut = int(0.9 * len(ids))
    begun = time.perf_counter()
    seconds, fresh = nanogpt.run(ids[:cut], ids[cut:], len(characters), 1, seed, Turns(waits).after_step)
    return {"cpu": seconds, "wall": time.perf_counter() - begun, "fresh 64": fresh}


def transformer(path: str, seed: int = 0, waits: bool = False, steps: int = 2000) -> dict[str, float]:
    """Train nanoGPT's configuration as a `TextGenerator`: the same sizes, batches and rates, compiling included.

    Fewer steps than nanoGPT's 2,000 have its schedule, which is as much shorter.
    """
    turns.use_threads()
    import keras
    import tensorflow as tf

    from tfgen import TextGenerator, Vocabulary, metrics
    from tfgen.fitting.adamw import AdamW

    text = Path(path).read_text("utf-8")
    vocabulary = Vocabulary.from_texts([text])
    ids = vocabulary.encode(text).astype(np.int32)
    training, held_out = np.split(ids, [int(0.9 * len(ids))])
    begun, wall = time.process_time(), time.perf_counter()
    keras.utils.set_random_seed(seed)
    generator = TextGenerator.build(vocabulary, cell="transformer", units=128, layers=4, heads=4, window=64)
    rates = keras.optimizers.schedules.CosineDecay(0.0, steps - 100, alpha=0.1, warmup_target=1e-3, warmup_steps=100)
    optimizer = AdamW(rates, weight_decay=0.1, beta_2=0.99, global_clipnorm=1.0)
    nats = [metrics.NatsPerCharacter()]
    generator.compile(optimizer, "sparse_categorical_crossentropy", metrics=nats, steps_per_execution=TURN // 5)
    drawn = np.random.default_rng(seed).integers(len(training) - 64, size=(steps, 12))
    rows = training[drawn[..., np.newaxis] + np.arange(65)]
    batches = tf.data.Dataset.from_tensor_slices((rows[..., :-1], rows[..., 1:]))
    told = Turns(waits)
    after_step = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: told.after_step(step))
    generator.fit(batches, verbose=0, callbacks=[after_step])
    return {
        **{"cpu": time.process_time() - begun, "wall": time.perf_counter() - wall},
        **{f"fresh {length}": loss_fresh(generator, held_out, length) for length in (64, 256)},
        "carried": loss_carried(generator, held_out),
    }


def tfgen(path: str, name: str) -> dict[str, float]:
    """Train with `tfgen.training`, as `tfgen train` does, compiling included."""
    turns.use_threads()
    import tensorflow  # noqa: F401 - whose import is not counted

    from tfgen import load_corpus, training

    corpus = load_corpus(path)
    begun, wall = time.process_time(), time.perf_counter()
    job = training.prepare(corpus, training.Settings(**ROWS[name]))
    training.run(job)
    spent = {"cpu": time.process_time() - begun, "wall": time.perf_counter() - wall}
    ids = job.generator.vocabulary.encode(corpus.documents[0])
    held_out = ids[len(ids) - round(job.settings.validation * len(ids)) :]
    return {
        **spent,
        **{f"fresh {length}": loss_fresh(job.generator, held_out, length) for length in (64, 256)},
        "carried": loss_carried(job.generator, held_out),
    }


def counts(path: str) -> None:
    """Print a Markdown table of n-grams of orders 1 to 10."""
    from tfgen import TextGenerator, Vocabulary, load_corpus, networks

    text = load_corpus(path).documents[0]
    vocabulary = Vocabulary.from_texts([text])
    ids = vocabulary.encode(text)
    cut = len(ids) - round(0.1 * len(ids))
    print("| order | n-grams | MB | CPU seconds to count | carried | µs a character |\n|---|---|---|---|---|---|")
    for order in range(1, 11):
        begun = time.process_time()
        generator = TextGenerator(vocabulary, networks.ngram(ids[:cut], vocabulary, order=order))
        counted = time.process_time()
        loss_carried(generator, ids[cut : cut + 1000])  # compiles
        scored = time.process_time()
        loss = loss_carried(generator, ids[cut:])
        each = 1e6 * (time.process_time() - scored) / (len(ids) - cut)
        size = sum(array.nbytes for array in generator.network.get_weights()) / 1e6
        number = generator.network.layers[-1].ngrams
        print(f"| {order} | {number:,} | {size:.1f} | {counted - begun:.1f} | {loss:.4f} | {each:.1f} |", flush=True)


def of_mixture(path: str, model: str) -> tuple[dict[str, Any], str]:
    """Load a mixture of a network and counts: it and its members by name, and the text that none has learned from."""
    turns.use_threads()
    from tfgen import TextGenerator, load_corpus, model_files

    mixed = model_files.load(model)
    text = load_corpus(path).documents[0]
    members = [TextGenerator(mixed.vocabulary, each) for each in mixed.network.members]
    generators = dict(zip(("network", "counts"), members, strict=True)) | {"mixture": mixed}
    return generators, text[len(text) - round(0.1 * len(text)) :]


def adapting(path: str, model: str) -> None:
    """Print a Markdown table of a mixture and its members, static and learning while they read."""
    generators, held_out = of_mixture(path, model)
    print("| | protocol | whole | its play | the other play |\n|---|---|---|---|---|")
    for name, generator in generators.items():
        for adapt in (False, True):
            nats = -generator.score(held_out, adapt=adapt).log_probabilities
            known = round(0.71 * len(nats))
            losses = " | ".join(f"{part.mean():.4f}" for part in (nats, nats[:known], nats[known:]))
            print(f"| {name} | {'adapted' if adapt else 'static'} | {losses} |", flush=True)


def costs(path: str, model: str) -> None:
    """Print a Markdown table of what a character costs them, in CPU microseconds: medians of four parts, in turn."""
    generators, held_out = of_mixture(path, model)
    parts = [held_out[begin : begin + 12_000] for begin in range(0, 48_000, 12_000)]
    kinds = [(name, adapt) for name in generators for adapt in (False, True)]
    each: dict[tuple[str, bool], list[float]] = {kind: [] for kind in kinds}
    for part in [parts[0], *parts]:  # compiles first
        for name, adapt in kinds:
            begun = time.process_time()
            generators[name].score(part, adapt=adapt)
            each[name, adapt].append(1e6 * (time.process_time() - begun) / len(part))
    print("| | static | adapted | times as much |\n|---|---|---|---|")
    for name in generators:
        static, adapted = each[name, False][1:], each[name, True][1:]
        medians = f"{statistics.median(static):.0f} | {statistics.median(adapted):.0f}"
        print(f"| {name} | {medians} | {turns.ratio(adapted, static):.2f} |", flush=True)


def begun(path: str, name: str, seed: int = 0, *more: Any) -> subprocess.Popen:
    """Start to train one row in a process of its own, of one thread."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, path, turns.PEER, name, str(seed), *map(str, more)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def measured(path: str, name: str) -> dict[str, float]:
    """Train one row."""
    process = begun(path, name)
    told, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"The row {name!r} has failed.")
    return json.loads(told.splitlines()[-1])


def beside(path: str, seeds: int, steps: int) -> None:
    """Print a Markdown table of nanoGPT's configuration in PyTorch and here, which take turns: medians of the seeds."""
    peers = {"nanoGPT": "nanoGPT in PyTorch", "transformer": f"`--cell transformer`, {steps:,} steps"}
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in peers.values()}
    for seed in range(seeds):
        processes, told = [], []
        for name in peers:  # one after the other: starting up takes both cores
            processes.append(begun(path, name, seed, "waits", *([steps] if name == "transformer" else [])))
            told.append([json.loads(processes[-1].stdout.readline())])
        while active := [pair for pair in zip(processes, told, strict=True) if "cpu" not in pair[1][-1]]:
            for process, of_process in active:
                process.stdin.write("\n")
                process.stdin.flush()
                of_process.append(json.loads(process.stdout.readline()))
            shown = [f"{each[-1].get('turn', 0):.2f}" for each in told]
            print(
                f"seed {seed}, turn {max(map(len, told)) - 1}, CPU s: {', '.join(shown)}", file=sys.stderr, flush=True
            )
        for of_row, (first, *parts, end) in zip(rows.values(), told, strict=True):
            training = [part["turn"] for part in parts]
            whole = first["first"] + sum(training)
            step = statistics.median(training[1:]) / TURN  # the first turn has fewer
            of_row.append({**end, "first": first["first"], "whole": whole, "ms": 1e3 * step})
    columns = ("first", "ms", "whole", "fresh 64", "fresh 256", "carried")
    print(
        "| | to the first steps | ms a step | in all | fresh 64 | fresh 256 | carried |\n|---|---|---|---|---|---|---|"
    )
    for name, of_name in rows.items():
        values = [statistics.median(each[column] for each in of_name) for column in columns if column in of_name[0]]
        shown = [f"{value:.{1 if place < 3 else 3}f}" for place, value in enumerate(values)]
        print(f"| {name} | {' | '.join([*shown, *['-'] * (len(columns) - len(shown))])} |", flush=True)


def main(path: str, which: str = "soon", model: str = "", steps: str = "2000") -> None:
    """Print a Markdown table."""
    if which in ("adapting", "costs"):
        {"adapting": adapting, "costs": costs}[which](path, model)
        return
    if which == "counts":
        counts(path)
        return
    print(f"{turns.versions('tensorflow', 'keras', 'torch')}.\n")
    if which == "transformer":
        beside(path, int(model or 3), int(steps))
        return
    names = ["long"] if which == "long" else [*(["nanoGPT"] if turns.installed("torch") else []), "soonest", "defaults"]
    columns = ("fresh 64", "fresh 256", "carried")
    print(
        "| | CPU seconds | of nanoGPT's | wall seconds | " + " | ".join(columns) + " |\n|---|---|---|---|---|---|---|"
    )
    yardstick = None
    for name in names:
        row = measured(path, name)
        yardstick = row["cpu"] if name == "nanoGPT" else yardstick
        share = f"{row['cpu'] / yardstick:.2f}" if yardstick else "-"
        losses = " | ".join(f"{row[column]:.3f}" if column in row else "-" for column in columns)
        print(f"| {name} | {row['cpu']:,.0f} | {share} | {row['wall']:,.0f} | {losses} |", flush=True)


PEERS = {"nanoGPT": nanogpt, "transformer": transformer}

if __name__ == "__main__":
    if sys.argv[2:3] == [turns.PEER]:
        path, _, name, seed, *more = sys.argv[1:]
        given = [bool(more), *map(int, more[1:])]
        print(json.dumps(PEERS[name](path, int(seed), *given) if name in PEERS else tfgen(path, name)))
    else:
        main(*sys.argv[1:])
