"""Wrong input: one line that says what was received and how to repair it, exit code 1 or 2, nothing left behind."""

import functools
import gzip
import io
import itertools
import os
import pathlib
import re
import zipfile

import click
import pytest
from cli_support import (  # noqa: F401 - fixtures
    TEXT,
    TINY,
    assert_refusal,
    here_fixture,
    model_bytes_fixture,
    model_fixture,
    refused,
    run,
)

from tfgen.cli import cli, tensorflow_log, terminal

# What each wrong corpus says, and how it says to repair it. All of these are refused before TensorFlow is imported.
CORPORA = {
    "no such file": (["missing.txt"], ["missing.txt", "no such file", "check the path"]),
    "an empty file": (["empty.txt"], ["empty.txt", "is empty", "give a file with some text"]),
    "blank lines": (["blank.txt", "--lines"], ["blank.txt", "every line is blank", "give a file"]),
    "a binary file": (["binary.bin"], ["binary.bin", "offset 3", "U+0000", "--control replace"]),
    "bad UTF-8": (["latin1.txt"], ["latin1.txt", "0xe9", "offset 3", "--encoding"]),
    "an unknown encoding": (["text.txt", "--encoding", "utf-99"], ["utf-99"]),
    "a missing column": (["news.csv", "--column", "titel"], ["news.csv", "'titel'", "'title'"]),
    "a column of empty rows": (["hollow.csv", "--column", "title"], ["hollow.csv[title]", "no text", "choose another"]),
    "a column of no table": (["text.txt", "--column", "title"], ["text.txt", ".csv"]),
    "rows and lines": (
        ["news.csv", "--column", "title", "--lines"],
        ["--column", "--lines", "remove one of them"],
    ),
    "an unknown corpus": (["shakespear"], ["'shakespear'", "did you mean 'shakespeare'"]),
    "a glob of nothing": (["*.nothing"], ["*.nothing", "check the pattern"]),
    "an empty folder": (["folder"], ["'folder'", "holds no files"]),
}
OUTPUTS = {
    "a directory": (["-o", "folder"], ["'folder'", ".keras"]),
    "a directory of that ending": (["-o", "folder.keras"], ["'folder.keras'", "must be a file"]),
    "another ending": (["-o", "model.h5"], ["'model.h5'", "ends in .keras"]),
    "in a missing directory": (["-o", "nowhere/model.keras"], ["no directory 'nowhere'", "make it"]),
    "a link to a missing directory": (["-o", "link.keras"], ["nowhere', where the link 'link.keras' leads", "make it"]),
    "a picture by a link to a missing directory": (["--plot", "link.png"], ["nowhere' for the picture"]),
    "exists": (["-o", "old.keras"], ["'old.keras' exists", "--overwrite"]),
    "a directory of the kernel": (["-o", "/proc/model.keras"], ["'/proc' cannot be written to", "choose another"]),
    "a picture in a missing directory": (["--plot", "nowhere/curve.png"], ["no directory 'nowhere'", "make it"]),
    "a picture of no format": (["--plot", "curve.foo"], ["'curve.foo'", ".png"]),
    "a picture that is a directory": (["--plot", "folder"], ["'folder'", "is a directory"]),
    "to go on from nothing": (["--init-from", "missing.keras"], ["'missing.keras' does not exist", "tfgen train"]),
    "to go on from a text": (["--init-from", "text.txt"], ["'text.txt' is no model file", "tfgen train"]),
}
USAGE = {
    "no command": ([], ["Missing command", "Try 'tfgen --help'"]),
    "a nonsense command": (["frobnicate"], ["'frobnicate'", "Try 'tfgen --help'"]),
    "no corpus": (["train"], ["CORPUS", "Try 'tfgen train --help'"]),
    "no model": (["generate"], ["MODEL", "Try 'tfgen generate --help'"]),
    "no text": (["score", "old.keras"], ["TEXT", "Try 'tfgen score --help'"]),
    "an unknown option": (["train", "text.txt", "--sise", "3"], ["--sise"]),
    "an unknown cell": (["train", "text.txt", "--cell", "foo"], ["'foo'", "'lstm', 'gru', 'rnn'"]),
    "too many arguments": (["score", "old.keras", "Once upon", "a", "time"], ["(a time)"]),
    "an empty text to score": (["score", "old.keras", ""], ["no text to score"]),
}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path
    (folder / "text.txt").write_text(TEXT)
    for link in ("link.keras", "link.png"):
        (folder / link).symlink_to(folder / "nowhere" / link)
    (folder / "empty.txt").touch()
    (folder / "blank.txt").write_text("\n  \n\n")
    (folder / "binary.bin").write_bytes(b"ELF\0\1\2")
    (folder / "latin1.txt").write_bytes("caf\xe9".encode("latin-1"))
    (folder / "news.csv").write_text("id,title\n1,Rain\n")
    (folder / "hollow.csv").write_text("id,title\n1,\n2,  \n")
    (folder / "old.keras").write_text("precious")
    (folder / "folder").mkdir()
    (folder / "folder.keras").mkdir()
    return folder


@pytest.fixture
def before_tensorflow(here, folder, monkeypatch):
    """`tfgen` in this process and in a folder of wrong things; it may not come so far as to import TensorFlow."""
    monkeypatch.setattr(tensorflow_log, "import_tensorflow", lambda: pytest.fail("it imports TensorFlow first"))
    return here


def assert_says(message, *parts):
    for part in parts:
        assert part in message


@pytest.mark.parametrize("case", CORPORA)
def test_a_wrong_corpus_is_one_line(before_tensorflow, case):
    arguments, parts = CORPORA[case]
    assert_says(before_tensorflow.refused("train", *arguments, "-o", "model.keras"), *parts)


@pytest.mark.parametrize("case", OUTPUTS)
def test_a_wrong_output_is_refused_before_any_work(before_tensorflow, case):
    arguments, parts = OUTPUTS[case]
    if "/proc" in arguments[1] and not pathlib.Path("/proc").is_dir():
        pytest.skip("this system has no directory that nobody can write to, not even root")
    assert_says(before_tensorflow.refused("train", "text.txt", *arguments), *parts)


@pytest.mark.parametrize("case", USAGE)
def test_wrong_usage_is_one_line(before_tensorflow, case):
    arguments, parts = USAGE[case]
    assert_says(before_tensorflow.refused(*arguments), *parts)


def test_so_it_is_in_processes_of_their_own(folder):
    assert_says(refused("train", "latin1.txt", cwd=folder), *CORPORA["bad UTF-8"][1])
    assert_says(refused("train", "text.txt", "-o", "nowhere/model.keras", cwd=folder), "no directory 'nowhere'")
    assert_says(refused("generate", "text.txt", cwd=folder), "'text.txt' is no model file")
    assert_says(refused(cwd=folder), *USAGE["no command"][1])
    assert_says(refused("score", "old.keras", "-", cwd=folder, given=b"caf\xe9!"), "standard input", "0xe9", "offset 3")


def lack_memory(*args, **kwargs):
    raise MemoryError


@pytest.mark.parametrize(
    ("command", "reader"),
    [
        (["inspect", "small.keras"], "zipfile.ZipFile.read"),
        (["generate", "small.keras"], "h5py.File"),
        (["generate", "small.keras", "--engine", "tensorflow"], "keras.saving.load_model"),
        (["novelty", "text.txt", "text.txt"], "tfgen.novelty.passages.report"),
        (["train", "text.txt", "-o", "new.keras"], "tfgen.corpora.text_source.TextSource.load"),
        (["prepare", "text.txt"], "tfgen.vocabulary.vocabulary.Vocabulary.from_pieces"),
    ],
)
def test_a_lack_of_memory_is_one_line_and_no_damage(here, folder, model, monkeypatch, command, reader):
    monkeypatch.setattr(reader, lack_memory)
    monkeypatch.setenv("KERAS_HOME", str(folder / "folder"))
    code, out, err = here(*command)
    assert (code, out.count("hashing"), len(err.splitlines())) == (1, command[0] == "prepare", 1)
    assert err.startswith("tfgen: there is not enough memory")


@pytest.mark.slow
def test_a_process_that_lacks_memory_ends_with_one_line(folder):
    """A small file that holds more text than the process may hold."""
    resource = pytest.importorskip("resource", reason="this system sets no limits")
    (folder / "large.txt.gz").write_bytes(gzip.compress(b"a" * 1_000_000) * 1000)
    most = 900 << 20
    limit = functools.partial(resource.setrlimit, resource.RLIMIT_AS, (most, most))
    done = run("novelty", "text.txt", "large.txt.gz", cwd=folder, preexec_fn=limit)
    assert "not enough memory" in assert_refusal(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("most", [300 << 20, 1200 << 20])
def test_a_limit_that_tensorflow_does_not_fit_in_is_one_line(folder, model_bytes, most):
    resource = pytest.importorskip("resource", reason="this system sets no limits")
    (folder / "old.keras").write_bytes(model_bytes)
    limit = functools.partial(resource.setrlimit, resource.RLIMIT_AS, (most, most))
    done = run("generate", "old.keras", "--engine", "tensorflow", cwd=folder, preexec_fn=limit)
    message = assert_refusal(done.returncode, done.stdout.decode(), done.stderr.decode())
    assert f"may take {most:,} bytes of memory (ulimit -v)" in message


def test_what_has_no_end_is_read_no_further_than_a_text_may_be_long(before_tensorflow, monkeypatch):
    monkeypatch.setattr(terminal, "_LONGEST", 3 << 20)
    refused = before_tensorflow.refused
    assert "standard input has more than 3,145,728 bytes" in refused("score", "old.keras", "-", given=bytes(4 << 20))
    assert "'/dev/zero' has more than 3,145,728 bytes" in refused("novelty", "/dev/zero", "text.txt")


def test_exit_codes_tell_wrong_usage_from_failure(here):
    assert here("train", "missing.txt")[0] == 1
    assert here("train", "missing.txt", "--units", "none")[0] == 2
    assert here("frobnicate")[0] == 2


@pytest.mark.parametrize("command", [["train", "-"], ["generate", "true.keras", "-"], ["score", "old.keras", "-"]])
def test_bad_utf8_on_standard_input_is_reported_with_its_offset(before_tensorflow, folder, command, model_bytes):
    (folder / "true.keras").write_bytes(model_bytes)
    assert_says(before_tensorflow.refused(*command, given=b"caf\xe9!"), "standard input", "0xe9", "offset 3")


def test_the_demo_refuses_a_directory_it_cannot_make(before_tensorflow):
    assert_says(before_tensorflow.refused("demo", "--directory", "text.txt"), "'text.txt' is a file")
    assert_says(before_tensorflow.refused("demo", "--directory", "text.txt/demo"), "text.txt/demo")


def damaged(model_bytes):
    """Name every way a model file can be wrong, with its bytes."""
    yield from ((f"cut after {cut} bytes", model_bytes[:cut]) for cut in (0, 1, 100, 2000, len(model_bytes) - 30))
    config = bytearray(model_bytes)
    config[model_bytes.index(b'"registered_name"') + 3] ^= 1
    yield "a bit of its configuration flipped", bytes(config)
    yield "a text", TEXT.encode()
    yield "a zip of something else", zipped({"readme.txt": b"hello"})
    yield "a configuration of nothing", zipped({"config.json": b"null"})
    yield "a configuration of a list", zipped({"config.json": b"[1, 2]"})
    yield "a configuration that is no JSON", zipped({"config.json": b'{"registered_name": '})


def zipped(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def test_a_damaged_model_is_refused_by_every_command(before_tensorflow, model_bytes):
    path = before_tensorflow.folder / "model.keras"
    for name, data in damaged(model_bytes):
        path.write_bytes(data)
        for command in (
            ["inspect", path],
            ["generate", path, "the "],
            ["score", path, "the "],
            ["train", "text.txt", "--init-from", path, "-o", "new.keras"],
        ):
            message = before_tensorflow.refused(*command)
            assert str(path) in message, name
            assert re.search("give a|wrap it|save the model", message), (name, message)


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("missing.keras", "does not exist"),
        ("folder.keras", "is a directory"),
        ("pipe.keras", "is a pipe"),
        ("/dev/zero", "is a pipe, a socket or a device"),
    ],
)
def test_a_model_that_is_no_file(before_tensorflow, name, word):
    os.mkfifo(before_tensorflow.folder / "pipe.keras")
    for command in (["inspect", name], ["generate", name], ["score", name, "the "]):
        assert_says(before_tensorflow.refused(*command), name, word, "give the path")


def test_a_flipped_bit_in_the_weights_is_found(here, model_bytes):
    flipped = bytearray(model_bytes)
    weights = zipfile.ZipFile(io.BytesIO(model_bytes)).getinfo("model.weights.h5")
    flipped[weights.header_offset + weights.file_size // 2] ^= 16
    path = here.folder / "model.keras"
    path.write_bytes(flipped)
    assert_says(here.refused("generate", path, "the "), str(path), "damaged")


def test_a_keras_model_of_another_kind(here):
    import keras

    path = here.folder / "other.keras"
    keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]).save(path)
    for command in (["inspect", path], ["generate", path], ["score", path, "x"]):
        assert_says(here.refused(*command), "another kind (Sequential)", "tfgen.TextGenerator(vocabulary, network)")


def beyond(kind):
    """What an option of this type must refuse."""
    yield from ("abc", "", "nan", "-1", "-1000000000.5")
    if isinstance(kind, click.IntRange):
        yield from ("1.5", "inf", "9" * 40)
    if kind.max is not None:
        yield str(kind.max if kind.max_open else kind.max + 1)
        yield "inf"
    if kind.min:
        yield str(kind.min - 1)
    if kind.min_open:
        yield str(kind.min)


NUMBERS = [
    (command, option)
    for command in ("demo", "train", "generate", "write")
    for option in cli.get_command(None, command).params
    if isinstance(option.type, (click.IntRange, click.FloatRange))
]


def test_every_number_of_the_command_line_has_a_range():
    assert {option.name for _, option in NUMBERS} >= {
        *("max_tokens", "min_count", "units", "layers", "dropout", "embedding", "batch_size", "length", "epochs"),
        *("learning_rate", "validation", "patience", "seed", "count", "temperature", "top_k", "top_p", "min_p"),
    }
    plain = (click.types.IntParamType, click.types.FloatParamType)
    for name in cli.list_commands(None):
        for option in cli.get_command(None, name).params:
            assert type(option.type) not in plain, option.name


@pytest.mark.parametrize(("command", "option"), NUMBERS, ids=[f"{c} {o.opts[-1]}" for c, o in NUMBERS])
def test_absurd_numbers_are_refused(here, model, command, option):
    (here.folder / "text.txt").write_text(TEXT)
    first = {"demo": [], "train": ["text.txt"]}.get(command, [model, "the "])
    for value in beyond(option.type):
        message = here.refused(command, *first, f"{option.opts[-1]}{'=' if option.opts[-1][1] == '-' else ''}{value}")
        assert option.opts[-1] in message or (option.name or "") in message, (value, message)
        assert value in message


@pytest.mark.parametrize(
    ("option", "value", "parts"),
    [
        ("--length", "100000", ["too short", "lower length to"]),
        ("--batch-size", "65536", ["too short", "lower batch_size to"]),
        ("--min-count", "1000000000", ["min_count", "lower min_count"]),
        ("--validation", "0.99999", ["too short"]),
        ("--cut", "documents", ["--lines"]),
    ],
)
def test_numbers_that_are_absurd_for_this_text_are_refused(here, option, value, parts):
    (here.folder / "text.txt").write_text(TEXT)
    assert_says(here.refused("train", "text.txt", option, value), *parts)


@pytest.mark.slow
@pytest.mark.parametrize("cut", ["streams", "windows"])
def test_the_advice_for_a_text_shorter_than_one_window_works(here, cut):
    (here.folder / "short.txt").write_text("a rose is a rose is a rose")
    arguments = ["train", "short.txt", "--units", "2", "--epochs", "1", "--no-sample", "--cut", cut]
    advised = {}
    for _ in range(3):  # each repairs one thing; there may be two
        code, _, err = here(*arguments, *itertools.chain(*advised.items()), "--overwrite")
        if code == 0:
            break
        advice = re.search(r"lower (\w+) to (\d+)", err)
        assert advice, err
        advised[f"--{advice[1].replace('_', '-')}"] = advice[2]
    assert code == 0
    assert (here.folder / "short.keras").exists()


def test_a_prompt_with_unknown_characters_names_them_and_their_places(here, model):
    for command in ("generate", "score"):
        message = here.refused(command, model, "the é dog Ж")
        assert_says(message, "'é' (U+00E9) at 4", "'Ж' (U+0416) at 10", "skip", "unknown")
    assert here.done("generate", model, "the é dog", "--unknown", "skip", "--length", "3").startswith("the é dog")
    assert here.done("generate", model, "the é dog", "--unknown", "unknown", "--length", "3").startswith("the é dog")
    assert "nats" in here.done("score", model, "the é dog", "--unknown", "skip")
    assert_says(here.refused("score", model, "é", "--unknown", "skip"), "nothing to score in 'é'")


def test_going_on_with_a_text_of_new_characters_names_them(here, model):
    (here.folder / "new.txt").write_text(TEXT + "ÆØ" * 20)
    assert_says(here.refused("train", "new.txt", "--init-from", model, *TINY[2:]), "'Æ'", "'Ø'")
