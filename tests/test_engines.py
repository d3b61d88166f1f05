"""The command line with either engine: the same texts, messages and exit codes; the request decides which one runs."""

import json
import math
import subprocess
import sys
import zipfile

import pytest
from cli_support import (  # noqa: F401 - fixtures
    ENVIRONMENT,
    TEXT,
    TFGEN,
    here_fixture,
    model_bytes_fixture,
    model_fixture,
    run,
)

from tfgen import TextGenerator, Vocabulary, model_files, sampling
from tfgen.cli import engines, tensorflow_log

GENERATE = [
    ["generate", "{model}", "the "],
    ["generate", "{model}", ""],
    ["generate", "{model}", "the ", "-n", "3", "--length", "40", "--temperature", "0"],
    ["generate", "{model}", "the ", "-n", "2", "--length", "40", "--top-k", "5", "--top-p", "0.9", "--min-p", "0.01"],
    ["generate", "{model}", "the ", "--typical-p", "0.9", "--repetition-penalty", "1.2", "--no-echo"],
    ["generate", "{model}", "the ", "--stop", "o", "--stop", "the", "--min-length", "3", "--length", "500"],
    ["generate", "{model}", "the ", "--json", "-n", "2", "--stop", "x"],
    ["generate", "{model}", "the \u00e9", "--unknown", "skip"],
    ["generate", "{model}", "-", "--json"],
    ["generate", "{titles}", "Ra", "-n", "5"],
    ["generate", "{titles}", "Ra", "--min-length", "30"],
    ["generate", "{words}", "the fox", "--length", "10"],
]
REFUSED = [
    ["generate", "{model}", "the \u00e9"],
    ["generate", "{model}", "\ud83d"],
    ["generate", "{model}", "the ", "--repetition-penalty", "1e7"],
    ["generate", "{model}", "the ", "--stop", ""],
    ["generate", "{model}", "\u00e9", "--stop", "", "--repetition-penalty", "1e7"],
    ["generate", "{model}", "the ", "--top-p", "0"],
    ["generate", "{model}", "the ", "--scores"],
    ["generate", "missing.keras", "the "],
    ["generate", ".", "the "],
    ["generate", "{broken}", "the "],
    ["generate", "{ruined}", "the "],
    ["score", "{model}", ""],
    ["score", "{model}", "\u00e9"],
    ["score", "{model}", "\u00e9", "--unknown", "skip"],
    ["score", "{ruined}", "the "],
    ["score", "missing.keras", "the "],
]


@pytest.fixture(name="files", scope="module")
def files_fixture(tmp_path_factory, model_bytes):
    folder = tmp_path_factory.mktemp("models")
    (folder / "model.keras").write_bytes(model_bytes)
    titles = Vocabulary.from_texts(["Rain", "Sun and rain", "Wind"], ends=True)
    TextGenerator.build(titles, cell="gru", units=8, layers=2, seed=1).save(folder / "titles.keras")
    words = Vocabulary.from_texts([TEXT], split="word")
    generator = TextGenerator.build(words, cell="rnn", units=8, embedding=4, seed=1)
    generator.save(folder / "words.keras")
    generator.network.set_weights([weight * math.nan for weight in generator.network.get_weights()])
    generator.save(folder / "ruined.keras")
    with zipfile.ZipFile(folder / "model.keras") as old, zipfile.ZipFile(folder / "broken.keras", "w") as new:
        for name in old.namelist():
            new.writestr(name, b"no HDF5" * 9999 if name.endswith("h5") else old.read(name))
    return {path.stem: path for path in folder.iterdir()}


def outcome(here, arguments, files, *more):
    return here(*(each.format(**files) for each in arguments), *more, given=b"the quick\n")


@pytest.mark.parametrize(
    "arguments",
    [pytest.param(each, id=" ".join(each), marks=pytest.mark.slow if n % 3 else ()) for n, each in enumerate(GENERATE)],
)
def test_either_engine_writes_the_same(here, files, arguments):
    code, out, err = outcome(here, arguments, files, "--seed", "3", "--engine", "numpy")
    assert (code, err) == (0, "")
    assert out == outcome(here, arguments, files, "--seed", "3", "--engine", "tensorflow")[1]
    assert out == outcome(here, arguments, files, "--seed", "3")[1]


@pytest.mark.parametrize("arguments", REFUSED, ids=ascii)
def test_either_engine_refuses_in_the_same_words(here, files, arguments):
    alone = outcome(here, arguments, files)
    assert alone[0] in (1, 2)
    assert alone == outcome(here, arguments, files, "--engine", "tensorflow")
    if "{broken}" not in arguments:  # where each says what it has found
        assert alone == outcome(here, arguments, files, "--engine", "numpy")


@pytest.mark.slow
@pytest.mark.parametrize("text", ["the quick brown fox", "x", "-"])
def test_either_engine_scores_the_same(here, files, text):
    ours, theirs = (
        json.loads(outcome(here, ["score", "{model}", text, "--json"], files, "--engine", engine)[1])
        for engine in ("numpy", "tensorflow")
    )
    for name in ("tokens", "characters", "model"):
        assert ours[name] == theirs[name]
    assert ours.keys() == theirs.keys()
    assert ours["nats"] == pytest.approx(theirs["nats"], rel=1e-6)


def test_a_damaged_file_is_refused_by_numpy_in_one_line(here, files):
    code, out, err = outcome(here, ["generate", "{broken}", "the "], files, "--engine", "numpy")
    assert (code, out) == (1, "")
    assert "damaged" in err
    assert len(err.splitlines()) == 1


# --- which one ------------------------------------------------------------------------------------------------------


@pytest.fixture(name="tensorflow_begins")
def tensorflow_begins_fixture(monkeypatch):
    """How often TensorFlow was asked for."""
    times = []
    monkeypatch.setattr(tensorflow_log, "import_tensorflow", lambda: times.append(1))
    return times


@pytest.mark.slow
@pytest.mark.parametrize(
    ("more", "begins"),
    [
        ([], 0),
        (["--engine", "numpy"], 0),
        (["--engine", "tensorflow"], 1),
        (["--pattern", "[a-z ]+"], 1),
        (["--dry", "0.8"], 1),
        (["--mirostat", "3"], 1),
        (["--num-beams", "2"], 1),
        (["--json", "--scores"], 1),
        (["--temperature", "0", "--top-k", "3", "--max-time", "100", "--stop", "x", "-n", "2"], 0),
    ],
    ids=str,
)
def test_the_request_decides(here, files, tensorflow_begins, more, begins):
    here.done("generate", files["model"], "the ", "--length", "3", *more)
    assert len(tensorflow_begins) == begins


@pytest.mark.slow
def test_large_requests_are_for_tensorflow(here, files, tensorflow_begins, monkeypatch):
    monkeypatch.setattr(engines, "_MOST_TOKENS", 20)
    here.done("generate", files["model"], "the ", "--length", "8", "-n", "2")
    here.done("score", files["model"], "the quick brown fox")
    assert not tensorflow_begins
    here.done("generate", files["model"], "the ", "--length", "9", "-n", "2")
    here.done("score", files["model"], "the quick brown fox j")
    here.done("generate", files["model"], "the ", "--length", "9", "-n", "2", "--engine", "numpy")
    assert len(tensorflow_begins) == 2


@pytest.mark.parametrize(
    "more",
    [["--pattern", "a"], ["--json", "--scores"], ["--num-beams", "3"], ["--dry", "1"], ["--xtc-probability", "0.5"]],
)
def test_what_numpy_lacks_is_wrong_usage(here, files, more):
    message = here.refused("generate", files["model"], "the ", *more, "--engine", "numpy")
    assert "--engine numpy" in message
    assert more[-2 if len(more) == 2 and more[0] != "--json" else -1] in message


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--xtc-threshold", "0.2"], "--xtc-threshold goes with --xtc-probability."),
        (["--adaptive-decay", "0.2"], "--adaptive-decay goes with --adaptive-target."),
        (["--mirostat", "3", "--adaptive-target", "0.3"], "leave out one of them."),
        (["--temperature", "0", "--mirostat", "3"], "--mirostat can do nothing at --temperature 0"),
        (["--temperature", "0", "--xtc-probability", "1"], "--xtc-probability can do nothing at --temperature 0"),
        (["--temperature", "0", "--adaptive-target", "1"], "--adaptive-target can do nothing at --temperature 0"),
    ],
    ids=str,
)
def test_samplers_that_would_do_nothing_are_wrong_usage(here, files, more, words):
    assert words in here.refused("generate", files["model"], "the ", *more)


@pytest.mark.slow
def test_samplers_of_the_command_line_are_those_of_python(here, files):
    generator = model_files.load(here.folder / files["model"])
    asked = {
        ("--top-n-sigma", "1.2"): [sampling.TopNSigma(1.2), sampling.Temperature(0.8)],
        ("--xtc-probability", "0.7"): [sampling.Temperature(0.8), sampling.XTC(0.7, 0.1)],
        ("--xtc-probability", "1", "--xtc-threshold", "0.05"): [sampling.Temperature(0.8), sampling.XTC(1, 0.05)],
        ("--adaptive-target", "0.3"): [sampling.Temperature(0.8), sampling.AdaptiveP(0.3, 0.9)],
        ("--adaptive-target", "0.3", "--adaptive-decay", "0"): [sampling.Temperature(0.8), sampling.AdaptiveP(0.3, 0)],
    }
    for options, sampler in asked.items():
        text = generator.generate("the ", length=20, seed=3, sampler=sampler)
        assert here.done("generate", files["model"], "the ", "--length", "20", "--seed", "3", *options) == text + "\n"


def test_inspect_tells_which(here, files, tmp_path):
    assert ["engine", "numpy"] in map(str.split, here.done("inspect", files["titles"]).splitlines())
    keras = pytest.importorskip("keras")
    size = len(Vocabulary.from_texts([TEXT]))
    network = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(size, 4),
            keras.layers.LSTM(4, return_sequences=True, activation="gelu", name="odd"),
            keras.layers.Dense(size, activation="softmax"),
        ]
    )
    TextGenerator(Vocabulary.from_texts([TEXT]), network).save(tmp_path / "odd.keras")
    facts = json.loads(here.done("inspect", "odd.keras", "--json"))
    assert facts["engine"] == "tensorflow"
    assert "'odd' (LSTM) has activation='gelu'" in facts["engine_reason"]
    assert here.done("generate", "odd.keras", "the ", "--length", "3")
    assert "'odd' (LSTM)" in here.refused("generate", "odd.keras", "the ", "--engine", "numpy")


def test_a_process_that_writes_never_imports_tensorflow(files, tmp_path):
    code = (
        "import sys; sys.argv[0] = 'tfgen'\nfrom tfgen import cli\n"
        "try: cli.main()\nexcept SystemExit as ended: assert not ended.code\n"
        "print(sorted({'tensorflow', 'keras', 'rich', 'scipy'} & {name.split('.')[0] for name in sys.modules}))"
    )
    command = [sys.executable, "-c", code, "generate", files["model"], "the ", "--length", "5"]
    out = subprocess.check_output(command, env=ENVIRONMENT, text=True, cwd=tmp_path)
    assert out.endswith("\n[]\n")


@pytest.mark.slow
def test_a_long_text_is_written_whole_and_nothing_else_is_said(files, tmp_path):
    done = run("generate", files["model"], "the ", "--length", "20000", "--seed", "7", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout) == 20_005
    assert model_files.read_config(files["model"])


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["numpy", "tensorflow"])
def test_a_reader_that_has_enough_ends_it(files, tmp_path, engine):
    asked = ["generate", files["model"], "the ", "--length", "100000000", "--seed", "7", "--engine", engine]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([*TFGEN, *map(str, asked)], env=ENVIRONMENT, cwd=tmp_path, **pipes) as process:
        assert process.stdout.read(4) == b"the "
        process.stdout.close()
        assert (process.wait(120), process.stderr.read()) == (0, b"")
