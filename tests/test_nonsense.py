"""Every public function, given nonsense for one argument, works or refuses it in one plain line."""

import importlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest

import tfgen
from tfgen import Corpus, TextGenerator, Vocabulary, comparison, datasets, export, networks, training
from tfgen.errors import InputError
from tfgen.prepared import Prepared
from tfgen.writing import Session, Writer

pytestmark = pytest.mark.slow

NONSENSE = [None, 3, -1, 2**70, float("nan"), "x", b"x", "a\0b", object(), [object()], {}, np.zeros(3)]

ROOMS = [name for name in tfgen.__all__ if inspect.ismodule(getattr(tfgen, name))]
ROOMS += ["model_files", "prepared", "text_generator", "vocabulary"]

# What is handed on to Keras or to TensorFlow as it is; they refuse it.
THEIRS = {
    "layers.Bidirectional",
    "layers.GRU",
    "layers.LSTM",
    "layers.SimpleRNN",
    "metrics.BitsPerCharacter",
    "metrics.ExactMatch",
    "metrics.NatsPerCharacter",
    "metrics.Perplexity",
    "networks.TextEncoder",  # `dtype`; `text_encoder` checks the rest
    "sampling.draws",
    "sampling.select",
    "vocabulary.Vocabulary.text_from_ids",
    "vocabulary.Vocabulary.text_vectorization",
}
# Their network has passed `check`, and they run in graphs.
OF_A_CHECKED_NETWORK = {
    f"networks.{name}"
    for name in (
        "features",
        "logits_of",
        "prefill",
        "recurrent_layers",
        "shape",
        "step",
        "training_state",
        "vocabulary_size",
        "with_batch_size",
        "zero_state",
    )
}
# What functions give, and nobody makes by hand.
RESULTS = {
    "comparison.Comparison",
    "comparison.Row",
    "corpora.TextSource",
    "datasets.Course",
    "novelty.Copies",
    "novelty.Passage",
    "novelty.Report",
    "prepared.Prepared",
    "prepared.PreparedPairs",
    "training.Floor",
    "training.Job",
    "vocabulary.Coverage",
    "vocabulary.Vocabulary.from_pieces",  # `counted`
    "workers.Workers",
    "writing.Batch",
    "writing.Generated",
    "writing.Piece",
    "writing.Row",
    "writing.Score",
    "writing.Session",
    "writing.Session.load",  # `compiled`
    "writing.Token",
}
# They start processes; tests/test_bulk.py and tests/test_machines.py refuse what they are given.
WITH_RAY = {"bulk.answer", "bulk.generate", "bulk.score", "machines.connected", "machines.train_together"}
METHODS = (Corpus, Prepared, Session, TextGenerator, Vocabulary, Writer)
OWN = {"build", "export", "save"}  # methods of a generator that are not those of Keras


def public() -> Iterator[tuple[str, Any]]:
    """Name all that is public and can be called: functions, classes, and the methods of those that users hold."""
    for room in ROOMS:
        module = importlib.import_module(f"tfgen.{room}")
        defined = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        for name in getattr(module, "__all__", defined):
            value = getattr(module, name)
            if name.startswith("_") or not (inspect.isfunction(value) or inspect.isclass(value)):
                continue
            if not getattr(value, "_is_protocol", False):
                yield f"{room}.{name}", value
            if value in METHODS:
                for method, function in inspect.getmembers(value, callable):
                    inherited = issubclass(value, keras.Model) and hasattr(keras.Model, method) and method not in OWN
                    if not method.startswith("_") and not inherited:
                        yield f"{room}.{name}.{method}", function


PUBLIC = {name: call for name, call in public() if name not in THEIRS | OF_A_CHECKED_NETWORK | RESULTS | WITH_RAY}


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Callable[[str], dict[str, Any]]:
    """Give good values of arguments, by name."""
    folder = tmp_path_factory.mktemp("nonsense")
    (folder / "table.csv").write_text("one,two\na,b\nc,d\n")
    (folder / "a.txt").write_text("the cat sat on the mat. " * 40)
    corpus = tfgen.load_corpus(folder / "a.txt")
    vocabulary = Vocabulary.from_corpus(corpus)
    generator = TextGenerator.build(vocabulary, units=4)
    generator.save(folder / "a.keras")
    session = generator.start("the", seed=1)
    session.save(folder / "a.session")
    prepared = tfgen.prepare_corpus(folder / "a.txt", folder / "ids")
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    titles = Vocabulary.from_texts(["at"], ends=True)
    values = {
        "config": vocabulary.get_config(),
        "corpus": corpus,
        "documents": ("the cat",),
        "ends": True,
        "generator": generator,
        "ids": [3, 4],
        "job": training.prepare(corpus, training.Settings(units=4, batch_size=2, length=8)),
        "kept": [True] * len(vocabulary),
        "model": generator.writer.model,
        "network": generator.network,
        "sequential": generator.network,
        "source": str(folder / "a.txt"),
        "split": "character",
        "state_dict": {},
        "training": [(1, 1.0)],
        "validation": [],
        "baselines": {"xz": 1.0},
        "characters": 10,
        "dataset": None,
        "format": "saved-model",
        "vocabulary_size": 5,
        "order": 2,
        "other": vocabulary,
        "nodes": 3,
        "entries": 3,
        "most_children": [1],
        "most_entries": [1],
        "members": [networks.build(5, units=2), networks.build(5, units=2)],
        "low": 0.5,
        "high": 1.0,
        "epsilon": 0.1,
        "penalty": 1.1,
        "p": 0.5,
        "n": 3,
        "t": 1.0,
        "k": 2,
        "seed": 1,
        "models": {"a": generator},
        "rows": 2,
        "steps": 10,
        "batch_size": 2,
        "position": 0,
        "writer": generator.writer,
        "units": 3,
        "sizes": [[3, 3], [2]],
        "encoder": encoder,
        "decoder": networks.build(len(vocabulary), units=3),
        "sources": np.zeros((2, 3)),
        "pairs": datasets.pairs(np.zeros((2, 3)), ["a", "t"], titles, validation=0)[0],
        "weights": np.ones((7, 7)),
        "vocabulary": vocabulary,
        "tokens": ["a", "b"],
        "pieces": ["the"],
        "biases": {"a": 1.0},
        "pattern": "a*",
        "sample": "the cat",
        "on": "the cat",
        "task": comparison.Task("the cat"),
        "text": "the cat",
        "texts": ["the cat"],
        "title": "A curve",
    }
    paths = {
        "interop.load_torch": "a.safetensors",
        "interop.save_torch": "a.safetensors",
        "model_files": "a.keras",
        "plots": "a.png",
        "prepared.open_prepared": "ids",
        "text_generator.TextGenerator.resume": "a.session",
        "text_generator.TextGenerator.save": "b.keras",
        "writing.Writer.resume": "a.session",
    }
    values["floor"] = training.floor(corpus, values["job"])
    counted = TextGenerator(vocabulary, networks.ngram([3, 4, 3], vocabulary))
    selves = dict(zip(METHODS, (corpus, prepared, session, generator, vocabulary, generator.writer), strict=True))

    def of(name: str) -> dict[str, Any]:
        ending = next((path for begin, path in paths.items() if name.startswith(begin)), "made")
        place = {"path": folder / ending, "filepath": folder / ending, "directory": folder / "made"}
        held = next((value for kind, value in selves.items() if f".{kind.__name__}." in name), None)
        of_pairs = {"texts": ["a", "t"], "vocabulary": titles} if name == "datasets.pairs" else {}
        if name == "text_generator.TextGenerator.mix":
            of_pairs = {"members": [generator, counted]}
        if name == "networks.Counts":
            of_pairs = {"network": networks.ngram([3, 4, 3], vocabulary)}
        if name.endswith("_pairs"):
            of_pairs = {"file": folder / "table.csv", "source": "one", "column": "two"}
        if name == "networks.Conditioned":
            of_pairs = {"network": networks.EncoderDecoder(encoder, networks.build(5, units=3))}
        if name.startswith("comparison."):
            of_pairs = {"model": folder / "a.keras", "models": [folder / "a.keras"]}
        if name == "plots.bits_against_size":
            of_pairs = {"sizes": {"a": 1}, "bits": {"static": {"a": 1.0}}}
        if name == "plots.attention":
            of_pairs = {"source": "the cat", "tokens": "the cat"}
        return {**values, **place, **of_pairs, "self": held, "overwrite": True}

    return of


def arguments(call: Any) -> list[inspect.Parameter]:
    """The named arguments of a function; what begins with an underscore is for tfgen alone."""
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_ONLY)
    every = inspect.signature(call).parameters.values()
    return [each for each in every if each.kind in named and not each.name.startswith("_")]


def assert_is_plain(message: str) -> None:
    assert message.endswith("."), message
    assert len(message.splitlines()) == 1, message
    assert " at 0x" not in message, message


@pytest.mark.parametrize("name", PUBLIC)
def test_nonsense_is_refused_in_one_plain_line(name, good, tmp_path, monkeypatch):
    if name.startswith("plots."):
        pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(export, "FORMATS", {"saved-model": lambda writer, path: {}})
    monkeypatch.setattr(comparison, "measure", lambda model, task: None)  # by `compare`, which would take long
    call, values = PUBLIC[name], good(name)
    given = {each.name: values[each.name] for each in arguments(call) if each.default is each.empty}
    for each in arguments(call):
        for nonsense in NONSENSE:
            is_flag = "bool" in str(each.annotation) and "None" not in str(each.annotation)
            if each.name == "self" or (is_flag and isinstance(nonsense, np.ndarray)):  # which has no truth
                continue
            try:
                result = call(**{**given, each.name: nonsense})
                if inspect.isgenerator(result):
                    next(result, None)
            except InputError as error:
                assert_is_plain(str(error))
            except Exception as error:
                pytest.fail(f"{name}({each.name}={nonsense!r}) raises {type(error).__name__}: {error}")


def test_every_room_is_looked_at():
    assert {name.partition(".")[0] for name, _ in public()} == set(ROOMS)
    assert {name for name, _ in public()} >= THEIRS | OF_A_CHECKED_NETWORK | RESULTS | WITH_RAY


@pytest.mark.parametrize("method", ["generate", "stream"])
def test_a_setting_that_there_is_not_is_named_with_those_there_are(method, good):
    with pytest.raises(TypeError) as caught:
        getattr(good("")["generator"], method)(temprature=1)
    assert_is_plain(str(caught.value))
    assert str(caught.value).startswith("there is no setting temprature, did you mean temperature? The settings are ")


@pytest.mark.parametrize("seed", [2**63 - 3, 2**63 - 1])
def test_the_largest_seeds_build_a_network(seed):
    one, other = (networks.build(5, units=3, layers=2, dropout=0.1, seed=seed).get_weights() for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
