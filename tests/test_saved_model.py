"""An exported generator writes the text that Python writes, where there is neither tfgen nor Keras."""

import functools
import importlib
import json
import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from alone_support import TYPES, Alone, AnswerError
from cli_support import ENVIRONMENT, here_fixture, model_bytes_fixture, model_fixture  # noqa: F401
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from tfgen import InputError, TextGenerator, Vocabulary, networks
from tfgen import export as exporting
from tfgen.export import saved_model

TEXT = "the quick brown fox jumps over the lazy dog.\n"
LOADERS = ["object", "session"]
OBJECT_AND_SLOWLY_SESSION = ["object", pytest.param("session", marks=pytest.mark.slow)]
PROMPTS = ["the quick", "", "o", "漢 the ZZZ", "fox jumps over the lazy dog"]  # some of it no model knows
LENGTH = 24
SETTINGS = [{}, {"temperature": 1.7, "top_k": 9, "top_p": 0.95, "min_p": 0.01}]

CHARACTERS = Vocabulary.from_texts([TEXT])
TITLES = Vocabulary.from_texts([TEXT], ends=True)
WORDS = Vocabulary.from_texts([TEXT], split="word")


def plain_keras():
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(len(CHARACTERS), 5),
            layers.GRU(7, return_sequences=True),
            layers.LayerNormalization(),
            layers.LSTM(6, return_sequences=True, name="my-layer.2"),
            layers.Dense(len(CHARACTERS), activation="softmax"),
        ]
    )
    return TextGenerator(CHARACTERS, network)


MODELS = {
    "lstm": lambda: TextGenerator.build(TITLES, units=12, layers=2, seed=1, dropout=0.1),
    "gru, words": lambda: TextGenerator.build(WORDS, cell="gru", units=9, embedding=4, seed=2),
    "rnn, stateful": lambda: TextGenerator.build(CHARACTERS, cell="rnn", units=10, batch_size=3, seed=3),
    "plain Keras": plain_keras,
}


# The graph is the same for both loaders; what differs between them is how weights and vocabulary come back.
LOADED = [
    ("rnn, stateful", "object"),
    *(
        pytest.param(*each, marks=pytest.mark.slow)
        for each in (
            ("lstm", "session"),
            ("gru, words", "object"),
            ("lstm", "object"),
            ("plain Keras", "object"),
            ("gru, words", "session"),
        )
    ),
]


@functools.cache
def generator_of(name):
    """A model that has opinions: weights as they are drawn would find all tokens about as likely."""
    keras.utils.set_random_seed(4)
    generator = MODELS[name]()
    generator.network.set_weights([3 * weight for weight in generator.network.get_weights()])
    generator.provenance["trained on"] = "a fox, “quick”"
    return generator


@pytest.fixture(name="saved", scope="module")
def saved_fixture(tmp_path_factory):
    """Gives the directory of each exported model, by name."""
    folder = tmp_path_factory.mktemp("saved")

    @functools.cache
    def saved(name):
        path = folder / name.replace(" ", "-")
        generator_of(name).export(path)
        return path

    return saved


@pytest.fixture(name="run", scope="module")
def run_fixture(saved, tmp_path_factory):
    """Runs a signature in a process that has TensorFlow alone."""
    with Alone(tmp_path_factory.mktemp("alone")) as alone:
        yield lambda loader, name, *rest, **inputs: alone.run(loader, saved(name), *rest, **inputs)


def in_python(name, prompts=PROMPTS, **settings):
    return generator_of(name).generate(prompts, unknown="unknown", **settings)


@pytest.mark.parametrize(("name", "loader"), LOADED)
def test_it_writes_what_python_writes(name, loader, run):
    for given_settings in SETTINGS:
        for seed in (7, [5, -6, 7, 2**62, 0]):
            call = {"length": LENGTH, "seed": seed, **given_settings}
            assert run(loader, name, "generate", prompts=PROMPTS, **call)["texts"] == in_python(name, **call)


@pytest.mark.parametrize(("name", "loader"), LOADED)
def test_pieces_are_the_whole(name, loader, run):
    call = SETTINGS[1]
    run(loader, name, "start", prompts=PROMPTS, seed=11)
    written = [run(loader, name, "continue", goes_on=True, length=n, **call) for n in (1, 7, LENGTH - 8)]
    joined = ["".join(pieces) for pieces in zip(*(piece["texts"] for piece in written), strict=True)]
    assert joined == in_python(name, length=LENGTH, seed=11, echo=False, **call)
    more = run(loader, name, "continue", goes_on=True, length=5, **call)["texts"]
    assert [not text for text in more] == written[-1]["finished"].tolist()


@pytest.mark.parametrize(("name", "loader"), LOADED)
def test_it_scores_as_python_scores(name, loader, run):
    texts = ["the quick fox", "x", "", "ZZ the fox"]
    scored = run(loader, name, "score", texts=texts)
    for text, log_p, length in zip(texts, scored["log_probabilities"], scored["lengths"], strict=True):
        expected = generator_of(name).score(text, unknown="unknown").log_probabilities if text else []
        assert length == len(expected)
        np.testing.assert_allclose(log_p[:length], expected, rtol=0, atol=1e-5)
        assert not log_p[length:].any()


@pytest.mark.slow
@pytest.mark.parametrize("loader", LOADERS)
def test_what_is_left_out_has_the_defaults_of_python_and_seed_0(loader, run):
    expected = in_python("rnn, stateful", seed=0)
    assert run(loader, "rnn, stateful", "generate", prompts=PROMPTS)["texts"] == expected
    assert run(loader, "rnn, stateful", "serving_default" if loader == "session" else "generate", prompts=PROMPTS) == {
        "texts": expected
    }
    run(loader, "rnn, stateful", "start", prompts=PROMPTS)
    pieces = run(loader, "rnn, stateful", "continue", goes_on=True)
    assert ["".join(both) for both in zip(PROMPTS, pieces["texts"], strict=True)] == expected


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("loader", LOADERS)
def test_bytes_that_are_no_utf_8_become_the_replacement_character_and_are_read_as_unknown(loader, run):
    raw = [b"th\xff", b"\xed\xa0\x80fox", b"a\0b", b"end\x03of"]
    clean = ["th\ufffd", "\ufffd\ufffd\ufffdfox", "a\0b", "end\x03of"]
    for name in ("lstm", "gru, words"):
        texts = run(loader, name, "generate", prompts=raw, length=LENGTH, seed=3)["texts"]
        assert texts == in_python(name, clean, length=LENGTH, seed=3)


@pytest.mark.parametrize("loader", OBJECT_AND_SLOWLY_SESSION)
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"temperature": -0.5}, "temperature must be at least 0; received] [-0.5]"),
        ({"temperature": float("nan")}, "temperature must be at least 0; received] [nan]"),
        ({"top_k": -1}, "top_k must be at least 0, which stands for all; received] [-1]"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1; received] [0]"),
        ({"top_p": 1.5}, "top_p must be above 0 and at most 1; received] [1.5]"),
        ({"min_p": 2.0}, "min_p must be at least 0 and at most 1; received] [2]"),
        ({"length": 0}, "length must be at least 1; received] [0]"),
        ({"length": 2**31 - 1}, "tokens, rows times the longest; received"),
        ({"seed": [1, 2]}, "there must be one seed, or one for each prompt; received] [1 2]"),
        ({"seed": [[1]]}, "there must be one seed, or one for each prompt; received] [[1]]"),
        ({"prompts": []}, "there must be at least one text"),
        ({"prompts": ["x" * saved_model.TOKENS]}, f"one call can read {saved_model.TOKENS} tokens"),
        ({"prompts": ["x" * 2**20, "x"]}, "one call can read 1048576 bytes of text"),
        ({"prompts": [""] * 4097}, "one call can take 4096 texts"),
    ],
)
def test_a_setting_out_of_its_range_is_named_and_the_next_call_is_answered(wrong, told, loader, run):
    call = {"prompts": ["the"], **wrong}
    with pytest.raises(AnswerError) as caught:
        run(loader, "rnn, stateful", "generate", **call)
    answer = caught.value.args[0]
    assert answer["error"] == "InvalidArgumentError"
    assert told in answer["message"]
    assert run(loader, "rnn, stateful", "generate", prompts=["the"])["texts"] == in_python(
        "rnn, stateful", ["the"], seed=0
    )


@pytest.mark.parametrize("loader", OBJECT_AND_SLOWLY_SESSION)
@pytest.mark.parametrize("drawn", [-1, 2**31 - 1])
def test_a_step_that_no_state_is_at_is_refused(drawn, loader, run):
    run(loader, "rnn, stateful", "start", prompts=["a", "b"])
    with pytest.raises(AnswerError, match="no state that start or continue has given"):
        run(loader, "rnn, stateful", "continue", goes_on=True, drawn=drawn)


@pytest.fixture(name="loaded", scope="module")
def loaded_fixture(saved):
    return tf.saved_model.load(str(saved("rnn, stateful")))


six_digits = st.builds(lambda digits, places: digits / 10**places, st.integers(0, 999_999), st.integers(0, 6))


@pytest.mark.slow
@examples(40)
@given(
    prompts=st.lists(st.text(st.sampled_from("the quick foxΩ"), max_size=9), min_size=1, max_size=4),
    length=st.integers(1, 40),
    temperature=six_digits,
    top_k=st.integers(0, 60),
    top_p=st.sampled_from([0.001, 0.3, 0.95, 0.999, 1.0]),
    min_p=st.sampled_from([0.0, 0.003, 0.1, 1.0]),
    seed=st.integers(-(2**63), 2**63 - 1),
)
def test_every_setting_means_what_it_means_in_python(loaded, prompts, seed, **chosen):
    tensors = {name: tf.constant(value, TYPES[name]) for name, value in chosen.items()}
    texts = loaded.generate(tf.constant(prompts), seed=tf.constant(seed, tf.int64), **tensors)["texts"]
    assert [text.decode() for text in texts.numpy()] == in_python("rnn, stateful", prompts, seed=seed, **chosen)


@given(six_digits)
def test_a_setting_of_six_digits_is_the_number_it_is_in_python(value):
    assert saved_model._as_in_python(tf.constant(value, tf.float32)).numpy() == value


def test_rows_of_a_state_must_be_as_many(loaded):
    go_on = getattr(loaded, "continue")
    state = loaded.start(tf.constant(["the", "fox"]))
    for name, tensor in state.items():
        if tensor.shape.rank:
            with pytest.raises(tf.errors.InvalidArgumentError, match="no state that start or continue has given"):
                go_on({**state, name: tensor[:1]})


@pytest.mark.slow
def test_saved_model_cli_prints_the_text(saved):
    expression = f"prompts={['the quick', 'o']!r};length={LENGTH};temperature=0.8;seed=9"
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "tensorflow.python.tools.saved_model_cli",
                "run",
                "--dir",
                str(saved("rnn, stateful")),
            ),
            *("--tag_set", "serve", "--signature_def", "generate", "--input_exprs", expression),
        ],
        capture_output=True,
        env={name: value for name, value in ENVIRONMENT.items() if name != "PYTHONPATH"},
        cwd="/",
        timeout=300,
        check=False,
    )
    printed = done.stdout.decode().split("texts:\n")[-1].strip()
    expected = in_python("rnn, stateful", ["the quick", "o"], length=LENGTH, temperature=0.8, seed=9)
    assert printed.split() == str(np.array([text.encode() for text in expected], object)).split(), done.stderr.decode()


@pytest.mark.slow
def test_an_export_where_there_is_a_gpu_runs_where_there_is_none(tmp_path, monkeypatch):
    backend = importlib.import_module("keras.src.backend.tensorflow.rnn")
    monkeypatch.setattr(backend, "_is_gpu_available", lambda: True)  # Keras takes cuDNN then
    generator = plain_keras()
    state = networks.zero_state(generator.network, 1)
    prefill = tf.function(lambda ids: networks.prefill(generator.network, ids, None, state))
    read = prefill.get_concrete_function(tf.TensorSpec([1, None], tf.int32))
    assert any("Cudnn" in operation.type for operation in read.graph.get_operations())

    generator.export(tmp_path / "place")
    assert b"Cudnn" not in (tmp_path / "place" / "saved_model.pb").read_bytes()
    assert [layer.use_cudnn for layer in networks.recurrent_layers(generator.network)] == ["auto"] * 2


@pytest.mark.slow
def test_the_manifest_tells_what_it_is(saved):
    told = json.loads((saved("gru, words") / "tfgen.json").read_text("utf-8"))
    assert told["format"] == "saved-model"
    assert told["provenance"] == generator_of("gru, words").provenance
    assert told["vocabulary"]["split"] == "word"
    assert tuple(told["vocabulary"]["tokens"]) == WORDS.tokens
    assert told["vocabulary"]["writable"] == WORDS.writable.tolist()
    stack = told["network"].pop("stack")
    assert [(layer["kind"], layer["outputs"]) for layer in stack] == [
        ("embedding", 4),
        ("gru", 9),
        ("dense", len(WORDS)),
    ]
    assert told["network"] == {
        "cell": "gru",
        "units": 9,
        "layers": 1,
        "dropout": 0.0,
        "weight_drop": 0.0,
        "embedding": 4,
    }
    assert told["versions"]["keras"] == keras.__version__
    assert told["versions"]["tensorflow"] == tf.__version__


def written(generator, path):
    (path / "part").write_text("of it")
    return {"told": "more"}


def fails(generator, path):
    written(generator, path)
    raise OSError("no space left")


@pytest.fixture(name="formats")
def formats_fixture(monkeypatch):
    """Formats that take no time, one of which fails half-way."""
    monkeypatch.setattr(exporting, "FORMATS", {"good": written, "bad": fails})


def everything(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("formats")
@pytest.mark.parametrize("before", ["nothing", "an empty directory", "an export"])
def test_an_export_that_fails_leaves_what_was_there(tmp_path, before):
    generator, place = generator_of("rnn, stateful"), tmp_path / "place"
    if before == "an empty directory":
        place.mkdir()
    if before == "an export":
        generator.export(place, "good")
    kept, listed = everything(tmp_path), sorted(tmp_path.rglob("*"))
    with pytest.raises(OSError, match="no space left"):
        generator.export(place, "bad", overwrite=True)
    assert (everything(tmp_path), sorted(tmp_path.rglob("*"))) == (kept, listed)
    generator.export(place, "good", overwrite=True)
    assert {str(path) for path in everything(place)} == {"part", "tfgen.json"}
    assert list(tmp_path.iterdir()) == [place]


@pytest.mark.usefixtures("formats")
def test_what_is_there_is_not_lost(tmp_path):
    generator = generator_of("rnn, stateful")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "letter").write_text("mine")
    kept = everything(tmp_path)
    for place, overwrite, told in [
        ("folder", False, "exists and is not empty"),
        ("folder", True, "is not an export of tfgen"),
        ("file", True, "is not a directory"),
        ("nowhere/place", False, "there is no directory"),
    ]:
        with pytest.raises(InputError, match=told):
            generator.export(tmp_path / place, "good", overwrite=overwrite)
        assert everything(tmp_path) == kept
    with pytest.raises(InputError, match="the format must be one of good, bad, html; received 'best'"):
        generator.export(tmp_path / "new", "best")


def put_a_file(place):
    (place / "letter").write_text("mine")


def put_a_folder(place):
    (place / "part.d" / "deep").mkdir(parents=True)
    put_a_file(place / "part.d" / "deep")


def put_a_link(place):
    (place / "letter").symlink_to("nowhere")


@pytest.mark.usefixtures("formats")
@pytest.mark.parametrize("put", [put_a_file, put_a_folder, put_a_link])
@pytest.mark.parametrize("when", ["before", "while it is written"])
def test_what_an_export_did_not_write_is_not_deleted_with_it(tmp_path, monkeypatch, put, when):
    generator, place = generator_of("rnn, stateful"), tmp_path / "place"
    generator.export(place, "good")
    (place / "empty").mkdir()  # which loses nothing
    generator.export(place, "good", overwrite=True)

    def meddled(generator, path):
        put(place)
        return written(generator, path)

    if when == "before":
        put(place)
    else:
        monkeypatch.setattr(exporting, "FORMATS", {"good": meddled})
    with pytest.raises(InputError, match=r"letter' in it would be lost, which the export has not written"):
        generator.export(place, "good", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["place"]
    assert any(path.name == "letter" for path in place.rglob("*"))


@pytest.mark.usefixtures("formats")
@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"sha256": 1}', b"[" * 10**5, b"\xff", "pipe", "link to a pipe"]
)
def test_a_manifest_that_lists_nothing_makes_no_export(tmp_path, content):
    generator, place = generator_of("rnn, stateful"), tmp_path / "place"
    place.mkdir()
    (place / "part").write_text("mine")
    if isinstance(content, bytes):
        (place / "tfgen.json").write_bytes(content)
    else:
        os.mkfifo(pipe := tmp_path / "pipe")
        pipe.rename(place / "tfgen.json") if content == "pipe" else (place / "tfgen.json").symlink_to(pipe)
    with pytest.raises(InputError, match=r"is not an export of tfgen \(it has no tfgen.json that lists its files\)"):
        generator.export(place, "good", overwrite=True)
    assert (place / "part").read_text() == "mine"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.usefixtures("formats")
def test_a_file_of_an_export_that_is_replaced_keeps_its_mode(tmp_path):
    generator, place = generator_of("rnn, stateful"), tmp_path / "place"
    generator.export(place, "good")
    (place / "part").chmod(0o600)
    (place / "tfgen.json").chmod(0o640)
    generator.export(place, "good", overwrite=True)
    assert [(place / name).stat().st_mode & 0o777 for name in ("part", "tfgen.json")] == [0o600, 0o640]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.usefixtures("formats")
@pytest.mark.parametrize("mode", [0o700, 0o750])
def test_a_directory_that_is_replaced_keeps_its_mode(tmp_path, mode):
    generator, place = generator_of("rnn, stateful"), tmp_path / "place"
    place.mkdir()
    place.chmod(mode)
    for _ in range(2):  # it is empty, and then an export
        generator.export(place, "good", overwrite=True)
        assert place.stat().st_mode & 0o777 == mode


@pytest.mark.usefixtures("formats")
def test_a_second_rename_that_fails_brings_the_first_back(tmp_path, monkeypatch):
    generator, place = generator_of("rnn, stateful"), tmp_path / "place"
    generator.export(place, "good")
    kept = everything(tmp_path)
    rename = pathlib.Path.rename

    def refuse(path, target):
        if path.name == "export":
            raise OSError("read-only")
        return rename(path, target)

    monkeypatch.setattr(pathlib.Path, "rename", refuse)
    with pytest.raises(OSError, match="read-only"):
        generator.export(place, "good", overwrite=True)
    assert everything(tmp_path) == kept


def test_weights_that_are_no_numbers_are_refused(tmp_path):
    generator = TextGenerator.build(CHARACTERS, units=4)
    generator.network.set_weights([weight * np.nan for weight in generator.network.get_weights()])
    for name in exporting.FORMATS:
        with pytest.raises(InputError, match="output is NaN"):
            generator.export(tmp_path / "place", name)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not limit the size of files")
def test_files_that_do_not_fit_are_an_error_of_the_system_and_nothing_is_left(tmp_path):
    import resource

    generator = TextGenerator.build(CHARACTERS, units=4)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))  # Python is told of it as of a full disk
    try:
        with pytest.raises(OSError, match=r"^the export cannot be written: File too large$"):
            generator.export(tmp_path / "place")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="on Windows it is never known to be dead")
@pytest.mark.usefixtures("formats")
def test_what_a_killed_export_left_is_cleared_away(tmp_path):
    generator = generator_of("rnn, stateful")
    for name in ("earlier", "other"):
        generator.export(tmp_path / name, "good")
    kept = everything(tmp_path)
    kill = """
import os, pathlib, signal
from tfgen.support import atomic_files
atomic_files.Directory(pathlib.Path()).path("new").mkdir()
with atomic_files.making_room(pathlib.Path("earlier")), atomic_files.making_room(pathlib.Path("other")):
    pathlib.Path("other").mkdir()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", kill], cwd=tmp_path, env=ENVIRONMENT, check=False, timeout=300)
    assert len(list(tmp_path.iterdir())) == 4
    with pytest.raises(InputError, match="exists and is not empty"):
        generator.export(tmp_path / "earlier", "good")
    assert {path.name for path in tmp_path.iterdir()} == {"earlier", "other"}
    assert everything(tmp_path) == {path: content for path, content in kept.items() if path.parts[0] == "earlier"}


@pytest.mark.slow
def test_the_command_writes_and_says_what_to_try(here, model):
    out = here.done("export", model, "out")
    assert "saved-model, " in out
    assert "saved_model.pb" in out
    assert "saved_model_cli run" in out
    assert "is not empty" in here.refused("export", model, "out")
    here.folder.joinpath("out", "tfgen.json").unlink()
    assert "is not an export of tfgen" in here.refused("export", model, "out", "--overwrite")


def test_the_command_refuses_what_is_no_model(here, model):
    whole = model.read_bytes()
    here.folder.joinpath("foreign.keras").write_bytes(b"PK\x03\x04 nothing")
    here.folder.joinpath("short.keras").write_bytes(whole[: len(whole) // 2])
    weights = whole.index(b"\x89HDF")
    here.folder.joinpath("damaged.keras").write_bytes(whole[:weights] + bytes(2048) + whole[weights + 2048 :])
    for name in ("foreign", "short", "damaged", "missing"):
        assert name in here.refused("export", f"{name}.keras", "out")
