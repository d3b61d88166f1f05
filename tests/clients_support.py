"""Runs a reference client in a process that can import neither tfgen nor TensorFlow."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import keras
import numpy as np
import tensorflow as tf

from tfgen import TextGenerator, Vocabulary, networks
from tfgen.export.sources import specs_of_sources
from tfgen.vocabulary import END
from tfgen.writing.prefill import prefill
from tfgen.writing.sources import Sources

CLIENTS = pathlib.Path(__file__).parents[1] / "examples" / "clients"

# What the client says of prompts: logits after each, distributions at temperatures, texts.
_ASK = """
import importlib.util, json, sys
sys.modules.update(dict.fromkeys(["tfgen", "tensorflow", "keras"]))  # an import of any of them fails
spec = importlib.util.spec_from_file_location("client", sys.argv[1])
client = importlib.util.module_from_spec(spec)
spec.loader.exec_module(client)
asked = json.load(sys.stdin)
writer = client.Writer(sys.argv[2])
answers = []
for prompt, source in zip(asked["prompts"], asked["sources"]):
    logits, _ = writer.read(prompt, source)
    answers.append({
        "logits": logits.tolist(),
        "probabilities": [writer.probabilities(logits, t).tolist() for t in asked["temperatures"]],
        "greedy": "".join(writer.write(prompt, asked["length"], 0, None, source)),
        "drawn": "".join(writer.write(prompt, asked["length"], 1.0, 7, source)),
    })
json.dump(answers, sys.stdout)
"""
# What the client makes of directories: the class of the error that each raises.
_OPEN = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("client", sys.argv[1])
client = importlib.util.module_from_spec(spec)
spec.loader.exec_module(client)
def opened(directory):
    try:
        client.Writer(directory)
    except (OSError, LookupError, TypeError, ValueError) as error:
        return type(error).__name__
json.dump([opened(directory) for directory in json.load(sys.stdin)], sys.stdout)
"""
TEMPERATURES = (0, 0.5, 1.0, 1.8)
LENGTH = 60

TEXT = "the quick brown fox jumps over the lazy dog; don't ask why.\n"
TITLES = ("to be or not to be", "all is well", "naïve 漢字 😀", "as you like it")


def lively(generator, seed=0, scale=0.7):
    """Make the weights so large that the texts of an untrained network vary."""
    draw = np.random.default_rng(seed)
    weights = generator.network.get_weights()
    generator.network.set_weights([draw.normal(scale=scale, size=weight.shape) for weight in weights])
    return generator


CASES = {
    "lstm": lambda: TextGenerator.build(Vocabulary.from_texts([TEXT]), units=24, layers=2),
    "gru, texts that end": lambda: TextGenerator.build(Vocabulary.from_texts(TITLES, ends=True), cell="gru", units=24),
    "rnn, dropout, stateful": lambda: TextGenerator.build(
        Vocabulary.from_texts([TEXT]), cell="rnn", units=24, layers=2, dropout=0.3, batch_size=4
    ),
    "transformer": lambda: TextGenerator.build(
        Vocabulary.from_texts([TEXT]), cell="transformer", units=24, layers=2, heads=4, window=16
    ),
    "words, embedding": lambda: TextGenerator.build(Vocabulary.from_texts([TEXT], split="word"), units=24, embedding=6),
}


def pictures():
    layers = [keras.layers.Conv2D(6, 2, activation="tanh"), keras.layers.Reshape((12, 6))]
    return keras.Sequential([keras.Input((4, 5, 1)), *layers])


def two_inputs():
    one, other = keras.Input((2,), name="one"), keras.Input((3,), name="other")
    return keras.Model([one, other], keras.layers.Concatenate()([one, other]))


def read_by(encoder, **build):
    return TextGenerator.build(Vocabulary.from_texts([TEXT], ends=True), **{"units": 24, **build}, encoder=encoder)


READ = Vocabulary.from_texts(["abcdef"])
WORDS = [" a", " at", " atom", " the", "."]  # that are words in any order
WITH_ENCODERS = {
    "a text": lambda: read_by(networks.text_encoder(READ, units=9, embedding=5), attention=True),
    "words, by a gru, layers": lambda: read_by(
        networks.text_encoder(Vocabulary(WORDS, split="word"), cell="gru", units=8, embedding=5, layers=2, dropout=0.1),
        cell="gru",
    ),
    "a text, by an rnn": lambda: read_by(networks.text_encoder(READ, cell="rnn", units=9, embedding=5), layers=2),
    "a picture": lambda: read_by(pictures(), attention=True, embedding=6),
    "two inputs": lambda: read_by(two_inputs(), cell="gru"),
}
PROMPTS = {
    "gru, texts that end": ["", "to be", "naïve 漢字 😀", "well"],
    "words, embedding": ["", "the quick", "the lazy dog; don't ask", "\n"],
}


def generator_of(case):
    # A plain RNN with larger weights is chaotic, and then no two runtimes agree.
    return lively({**CASES, **WITH_ENCODERS}[case](), scale=0.2 if case.startswith(("rnn", "transformer")) else 0.7)


def generator_in(policy, case="lstm"):
    """Give what `generator_of` gives, calculating by a dtype policy of Keras."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return generator_of(case)
    finally:
        keras.config.set_dtype_policy(before)


def prompts_of(case):
    return PROMPTS.get(case, ["", "the", "why. the X漢", "\n"])


def ask(client, directory, prompts, cwd, sources=None):
    """Ask a client, which finds nothing of this checkout; sources are texts, or lists of numbers by name."""
    sources = [None] * len(prompts) if sources is None else sources
    asked = {"prompts": prompts, "sources": sources, "temperatures": TEMPERATURES, "length": LENGTH}
    return _talk(_ASK, client, directory, asked, cwd)


def _talk(script, client, directory, said, cwd):
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, CLIENTS / client, directory],
        input=json.dumps(said),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def run(client, *arguments, cwd):
    """Run a client as its user does."""
    command = [sys.executable, "-I", CLIENTS / client, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)


def assert_only_what_was_written_is_read(client, directory, tmp_path):
    """What is damaged, incomplete or of another kind is an error that the client tells in one line."""
    files = {path.name: path.read_bytes() for path in directory.iterdir()}
    model = max(files.keys() - {"tfgen.json"})  # the step, beside which there may be an encoder
    whole = files[model]
    flipped = whole[:1000] + bytes([whole[1000] ^ 1]) + whole[1001:]
    told = json.loads(files["tfgen.json"])
    cases = [{model: damaged} for damaged in (None, b"", whole[:-3], flipped, b"PK" + whole[2:])]
    cases += [
        {"tfgen.json": damaged} for damaged in (None, b"", files["tfgen.json"][:500], b"\xff", b"null", b"[]", b"{}")
    ]
    cases += [{"tfgen.json": json.dumps({**told, name: 3}).encode()} for name in ("sha256", "state", "vocabulary")]
    for i, case in enumerate([{}, *cases]):
        (tmp_path / str(i)).mkdir()
        for name, content in {**files, **case}.items():
            if content is not None:
                (tmp_path / str(i) / name).write_bytes(content)
    places = [str(tmp_path / str(i)) for i in range(len(cases) + 1)]
    good, *bad, missing = _talk(_OPEN, client, directory, [*places, str(tmp_path / "missing")], tmp_path)
    assert good is None
    assert all(bad), list(zip(cases, bad, strict=True))
    assert missing == "FileNotFoundError"

    done = run(client, places[1], cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"{re.escape(places[1])} is no export for \w+( \w+)?, or damaged: .+\n", done.stderr)


# Runs a client as a command on one export after another, in one process, and says how each ended.
_RUN = """
import contextlib, io, json, runpy, sys
client, *directories = sys.argv[1:]
ends = []
for directory in directories:
    sys.argv = [client, directory, "the", "--length", "3"]
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            runpy.run_path(client, run_name="__main__")
        ends.append(None)
    except SystemExit as end:
        ends.append(str(end))
print(json.dumps(ends))
"""


def assert_forged_manifests_are_one_line(client, directory, tmp_path):
    """Whatever a manifest says of a whole model, it is refused in one line, in little memory."""
    told = json.loads((directory / "tfgen.json").read_text("utf-8"))
    vocabulary, state = told["vocabulary"], told["state"]
    forged = [
        {"vocabulary": {**vocabulary, "tokens": vocabulary["tokens"][:5]}},
        {"vocabulary": {**vocabulary, "tokens": [*range(len(vocabulary["tokens"]))]}},
        {"vocabulary": {**vocabulary, "tokens": "x" * len(vocabulary["tokens"])}},
        {"vocabulary": {**vocabulary, "writable": [False] * len(vocabulary["tokens"])}},
        {"vocabulary": {**vocabulary, "writable": True}},
        {"vocabulary": {**vocabulary, "end": "x"}},
        {"vocabulary": {**vocabulary, "end": 10**6}},
        {"vocabulary": {**vocabulary, "unknown": None}},
        {"vocabulary": {**vocabulary, "normalize": "XYZ"}},
        {"state": []},
        {"state": [{**each, "shape": [1, 10**11]} for each in state]},
        {"state": [{**each, "shape": "x"} for each in state]},
        {"state": [{**each, "dtype": "object"} for each in state]},
        {"state": [{**each, "dtype": "nonsense"} for each in state]},
        {"state": [{**each, "next": "nothing"} for each in state]},
        {"state": [{**each, "name": "nothing"} for each in state]},
        {"sha256": {}},
        {"encoder": {"inputs": []}},
    ]
    places = []
    for i, each in enumerate([{}, *forged]):
        places.append(tmp_path / f"forged{i}")
        shutil.copytree(directory, places[-1])
        (places[-1] / "tfgen.json").write_text(json.dumps({**told, **each}), "utf-8")
    huge = tmp_path / "huge"
    shutil.copytree(directory, huge)
    model = next(path for path in huge.iterdir() if path.stem == "step")
    os.truncate(model, 2**40)
    pipe = tmp_path / "pipe"
    shutil.copytree(directory, pipe)
    (pipe / "tfgen.json").unlink()
    os.mkfifo(pipe / "tfgen.json")
    command = [sys.executable, "-I", "-c", _RUN, CLIENTS / client, *places, huge, pipe]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    good, *bad = json.loads(done.stdout.splitlines()[-1])
    assert good is None
    for case, end in zip([*forged, "huge", "pipe"], bad, strict=True):
        assert end, case
        assert len(end.splitlines()) == 1
        assert "damaged" in end, (case, end)


def assert_it_is_a_command(client, directory, generator, cwd):
    """It writes to standard output what Python writes, and refuses wrong settings in one line."""
    done = run(client, directory, "the", "--length", 20, "--temperature", 0, cwd=cwd)
    assert done.stdout == generator.generate("the", length=20, temperature=0) + "\n"
    for wrong in (["--temperature", "-1"], ["--temperature", "nan"], ["--seed", "-1"]):
        done = run(client, directory, *wrong, cwd=cwd)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.endswith("error: the temperature and the seed are at least 0\n")


def model_distribution(generator, prompt, source=None):
    """What Python gives as the distribution of the token after a prompt, (V,): among the tokens that may come."""
    vocabulary = generator.vocabulary
    settings = {"length": 1, "return_scores": True, "alternatives": len(vocabulary), "unknown": "unknown"}
    first = generator.generate(prompt, source=source, **settings).alternatives[0]
    ids = {token: i for i, token in enumerate(vocabulary.tokens)}
    distribution = np.zeros(len(vocabulary))
    for token, log_p in first:
        distribution[ids[token]] = np.exp(log_p)
    return distribution


def at_temperature(distribution, t):
    if t == 0:
        return np.eye(len(distribution))[distribution.argmax()]
    powers = np.where(distribution > 0, distribution ** (1 / t), 0)
    return powers / powers.sum()


def assert_is_pythons(generator, prompts, answers, sources=None):
    """The same logits to 1e-5, the same distribution at each temperature, the same greedy text."""
    sources = [None] * len(prompts) if sources is None else sources
    for prompt, answer, source in zip(prompts, answers, sources, strict=True):
        distribution = model_distribution(generator, prompt, source)
        for t, probabilities in zip(TEMPERATURES, answer["probabilities"], strict=True):
            np.testing.assert_allclose(probabilities, at_temperature(distribution, t), rtol=0, atol=1e-5)
        np.testing.assert_allclose(answer["logits"], logits_after(generator, prompt, source), rtol=0, atol=1e-5)
        assert not any(token in answer["drawn"] for token in ("[UNK]", "\x03"))
        assert answer["greedy"] == greedy(generator, prompt, source)
    assert len(set("".join(answer["greedy"] for answer in answers))) > 3


def greedy(generator, prompt, source=None, length=LENGTH):
    """The text that Python writes at temperature 0."""
    return generator.generate(prompt, length=length, temperature=0, echo=False, unknown="unknown", source=source)


def logits_after(generator, prompt, source=None):
    model = generator.writer.model
    ids = np.concatenate([[END], generator.vocabulary.encode(prompt, "unknown")]).astype(np.int32)
    context, _, _ = Sources(model).context(source, 1, False, "unknown")
    return prefill(model, tf.constant([ids]), None, context)[0][0]


def sources_of(generator, rows, seed=0):
    """Sources of so many rows, texts of different lengths or arrays; and the same as JSON, as clients are given it."""
    rng, model = np.random.default_rng(seed), generator.writer.model
    if model.source_ids:
        vocabulary = generator.network.encoder.vocabulary
        # An unknown word is one token here, and as many as it has characters to a client.
        some = [*vocabulary.tokens[END + 1 :], *("漢" if vocabulary.split == "character" else "")]
        texts = ["".join(rng.choice(some, size=size)) for size in (*rng.integers(1, 12, size=rows - 1), 0)]
        return texts, texts
    specs = tf.nest.flatten(specs_of_sources(model, strings=False))
    arrays = [[rng.normal(size=spec.shape[1:]).astype(np.float32) for spec in specs] for _ in range(rows)]
    told = [{spec.name: each.tolist() for spec, each in zip(specs, row, strict=True)} for row in arrays]
    return [tf.nest.pack_sequence_as(model.source, row) for row in arrays], told
