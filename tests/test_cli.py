"""The command line at work: processes of its own where a pipe, a signal or a terminal matters, else this one."""

import contextlib
import importlib
import json
import math
import os
import pathlib
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import time

import click
import keras
import numpy as np
import pytest
from cli_support import ENVIRONMENT, TEXT, TFGEN, TINY, here_fixture, model_bytes_fixture, model_fixture, run  # noqa: F401 - fixtures

import tfgen
from tfgen import model_files
from tfgen.cli import terminal, training_run
from tfgen.corpora import Corpus
from tfgen.training import jobs, runs

EPOCH = re.compile(
    r"epoch (\d+)/(\d+) · training [\d.]+ nats \([\d.]+ bits\) · validation [\d.]+ nats \([\d.]+ bits\)"
    r" · n-grams [\d.]+ bits · [\d,]+ characters/s · \d+ s left"
)
TITLES = "Rain in May\nA dog barks\nThe sun also rises\nSnow on the hill\n" * 10


def module(command):
    """The module of a command, whose name in the package is the command's."""
    return importlib.import_module(f"tfgen.cli.{command}")


COMMANDS = ("demo", "train", "generate", "score", "inspect")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([command, "--help"] for command in COMMANDS)])
def test_help_and_version_do_not_import_tensorflow(tmp_path, arguments):
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "tfgen", *arguments],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not imported & {"tensorflow", "keras", "matplotlib"}
    assert done.stdout.startswith("tfgen, version " if arguments == ["--version"] else "Usage: tfgen")
    if arguments == ["--help"]:
        assert all(f"\n  {command} " in done.stdout for command in COMMANDS)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A process that trains for two epochs on a file, with a picture, into a pipe."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "fox.txt").write_text(TEXT)
    options = ["--units", 8, "--length", 16, "--batch-size", 8, "--epochs", 2, "--prompt", "the ", "--plot", "fox.png"]
    done = run("train", "fox.txt", *options, cwd=folder)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return folder, done.stdout.decode()


def test_training_into_a_pipe_is_plain_lines(trained):
    _, out = trained
    assert not set(out) & {"\x1b", "\r", "\x08"}
    lines = out.splitlines()
    epochs = [match.groups() for line in lines if (match := EPOCH.fullmatch(line))]
    assert epochs == [("1", "2"), ("2", "2")]
    assert lines[0] == f"fox.txt: {len(TEXT):,} characters"
    assert lines[1] == "vocabulary: 29 characters; covers the whole corpus"
    assert "8 streams of up to 16 tokens" in lines[3]
    assert lines[4].startswith("to beat: counted n-grams of order 7, ")
    assert any(line.startswith("the network has not beaten counted n-grams of order 7 yet, ") for line in lines)
    samples = [lines[number + 1] for number, line in enumerate(lines) if line.startswith("--- epoch ")]
    assert len(samples) == 2
    assert all(sample.startswith("the ") for sample in samples)
    assert lines[-2:] == ["The model is fox.keras. Try:", "  tfgen generate fox.keras 'the '"]


def test_training_ends_with_why_what_is_kept_and_what_the_file_writes(trained, here):
    folder, out = trained
    ending, written = re.search(
        r"\n\n(Both epochs .+)\n.+\n\nThe saved model writes:\n\n(.+)\n\nThe model is", out, re.S
    ).groups()
    kept = r"Both epochs are done; epoch ([12]) is kept, validation [\d.]+ nats \([\d.]+ bits\)\."
    (epoch,) = re.fullmatch(kept, ending).groups()
    again = here.done("generate", folder / "fox.keras", "the ", "--length", "200", "--seed", "0")
    assert f"{written}\n" == "--- temperature 0.8 ---\n" + again
    result = json.loads(here.done("inspect", folder / "fox.keras", "--json"))["result"]
    assert (result["kept_epoch"], result["ended"]) == (int(epoch), "all epochs done")


def test_the_trained_model_and_its_picture_are_files(trained):
    folder, _ = trained
    assert sorted(path.name for path in folder.iterdir()) == ["fox.keras", "fox.png", "fox.txt"]
    assert (folder / "fox.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    generator = keras.saving.load_model(folder / "fox.keras")
    assert isinstance(generator, tfgen.TextGenerator)
    assert set(generator.vocabulary.tokens[3:]) == set(TEXT)
    assert generator.provenance["result"]["epochs"] == 2


@pytest.mark.slow
def test_text_streams_the_same_for_a_seed_in_every_process_and_a_reader_that_leaves_early_is_no_error(trained):
    folder, _ = trained
    generator = keras.saving.load_model(folder / "fox.keras")
    expected = generator.generate("the ", length=40, seed=7, temperature=1.3)
    assert len(expected) == 44
    options = ["--length", "10000000", "--seed", "7", "--temperature", "1.3"]
    with subprocess.Popen(
        [*TFGEN, "generate", "fox.keras", "the ", *options],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.read(44).decode() == expected
        assert process.poll() is None  # it writes on while the beginning is read already
        process.stdout.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == b""


@pytest.mark.slow
@pytest.mark.usefixtures("signals_end_processes")
def test_an_interrupted_training_keeps_what_it_learned_and_says_how_to_go_on(here, tmp_path):
    (tmp_path / "my titles.csv").write_text(
        "id,title\n" + "".join(f"{n},{t}\n" for n, t in enumerate(TITLES.split("\n")))
    )
    options = ["--units", "4", "--batch-size", "8", "--epochs", "100000", "--no-sample", "-o", "a {b}.keras"]
    command = [*TFGEN, "train", "my titles.csv", "--column", "title", *options]
    with subprocess.Popen(
        command, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        for line in process.stdout:
            if line.startswith("epoch 1/"):
                break
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert err.rstrip().endswith("tfgen: interrupted")
    assert re.search(
        r"Interrupted\. a \{b\}\.keras has the best epoch so far\. Stopped after \d+ of 100000 epochs; "
        r"epoch \d+ is kept, validation [\d.]+ nats",
        err,
    )
    saved = keras.saving.load_model(tmp_path / "a {b}.keras")
    assert saved.vocabulary.ends
    (advice,) = re.findall(r"To go on:\n  tfgen (.+)\n", err)
    shorter = shlex.split(advice.replace("--epochs 100000", "--epochs 1"))
    assert "documents of up to" in here.done(*shorter)  # it still takes the column
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a {b}.keras", "my titles.csv"]
    assert keras.saving.load_model(tmp_path / "a {b}.keras").vocabulary == saved.vocabulary


@pytest.mark.slow
def test_a_terminal_shows_a_bar_and_standard_input_is_a_corpus(tmp_path):
    read, write = pty.openpty()
    options = ["--lines", "--units", "4", "--batch-size", "8", "--epochs", "1", "--prompt", "R"]
    with subprocess.Popen(
        [*TFGEN, "train", "-", *options],
        cwd=tmp_path,
        env=ENVIRONMENT | {"TERM": "xterm"},
        stdin=subprocess.PIPE,
        stdout=write,
        stderr=write,
    ) as process:
        os.close(write)
        process.stdin.write(TITLES.encode())
        process.stdin.close()
        shown = everything(read)
        assert process.wait(60) == 0
    os.close(read)
    assert "\x1b[?25l" in shown  # the cursor is hidden while the bar moves
    assert "\x1b[?25h" in shown  # and comes back
    assert re.search("epoch 1/1.*━", shown)
    assert "standard input: " in shown
    assert "documents of up to 500 tokens" in shown
    assert "epoch 1/1 · training" in shown
    assert "--- epoch 1, temperature 0.8 ---" in shown
    assert (tmp_path / "model.keras").exists()


def everything(terminal, seconds=120):
    """Read a pseudo-terminal until the other side hangs up."""
    data, until = b"", time.monotonic() + seconds
    while time.monotonic() < until:
        if select.select([terminal], [], [], 1)[0]:
            piece = b""
            with contextlib.suppress(OSError):  # so Linux tells that nobody holds the other side any more
                piece = os.read(terminal, 65536)
            if not piece:
                break
            data += piece
    return data.decode()


@pytest.mark.slow
def test_titles_are_documents_that_end(here):
    (here.folder / "titles.tsv").write_text("id\ttitle\n" + "".join(f"1\t{title}\n" for title in TITLES.splitlines()))
    out = here.done(
        "train", "titles.tsv", "--column", "title", *TINY[:2], "--epochs", "1", "--batch-size", "4", "--no-sample"
    )
    assert "in 40 documents" in out
    generator = model_files.load(here.folder / "titles.keras")
    assert generator.vocabulary.ends
    texts = generator.generate("", n=20, length=500, seed=0)
    assert all(len(text) < 500 for text in texts)
    assert here.done("generate", "titles.keras", "-n", "3", "--length", "500", "--seed", "0").count("\n") == 3


@pytest.mark.slow
def test_a_model_goes_on_with_its_own_vocabulary_and_shape(here, model, model_bytes):
    (here.folder / "part.txt").write_text("the dog jumps over the fox.\n" * 30)
    options = ["--length", "16", "--batch-size", "8", "--epochs", "1", "--no-sample", "--init-from", model]
    assert "covers" not in here.done("train", "part.txt", "-o", "new.keras", *options), "counted on another text"
    old, new = model_files.load(model), model_files.load(here.folder / "new.keras")
    assert new.vocabulary == old.vocabulary
    assert new.count_params() == old.count_params()
    assert model.read_bytes() == model_bytes
    here.done("train", "part.txt", "-o", model, *options)  # onto itself, without --overwrite
    assert model.read_bytes() != model_bytes


@pytest.mark.slow
def test_a_vocabulary_that_left_tokens_out_can_go_on_with_its_own_text(here):
    (here.folder / "rare.txt").write_text(TEXT + "Ω")
    here.done("train", "rare.txt", *TINY, "--min-count", "2", "--no-sample")
    here.done("train", "rare.txt", *TINY[2:], "--init-from", "rare.keras", "-o", "rare.keras", "--no-sample")
    assert "Ω" not in model_files.load(here.folder / "rare.keras").vocabulary.tokens


def test_the_way_to_go_on_repeats_how_the_corpus_was_read(here, monkeypatch):
    (here.folder / "my text.txt").write_text(TEXT)
    commands = []
    monkeypatch.setattr(training_run.TrainingRun, "run", lambda self, corpus: commands.append(self.continue_command))
    here.done("train", "my text.txt", "-o", "a b.keras", *TINY)
    here.done("train", "my text.txt", *TINY, "--lines", "--unescape", "--normalize", "NFC", "--encoding", "ascii")
    assert commands == [
        "tfgen train --units 4 --batch-size 8 --length 16 --epochs 1 'my text.txt' -o 'a b.keras' --resume",
        "tfgen train --lines --encoding ascii --unescape --normalize NFC --units 4 --batch-size 8 --length 16 "
        "--epochs 1 'my text.txt' -o 'my text.keras' --resume",
    ]


def test_a_name_that_begins_with_a_dash_is_no_option_in_the_next_command(here, monkeypatch):
    (here.folder / "-my text.txt").write_text(f"{TEXT}-")
    commands = []
    monkeypatch.setattr(training_run.TrainingRun, "run", lambda self, corpus: commands.append(self.continue_command))
    shown = here.done("train", *TINY[:2], "--prompt", "-x", "--prompt", "the", "--", "-my text.txt")
    assert commands == [
        "tfgen train --prompt -x --prompt the --units 4 './-my text.txt' -o './-my text.keras' --resume"
    ]
    assert shown.endswith("  tfgen generate './-my text.keras' the\n")
    assert terminal.quote(pathlib.Path("-e")) == "./-e"
    assert terminal.quote("-e") == "-e"


def test_an_interruption_before_anything_was_learned_saves_nothing(here, model, monkeypatch):

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "run", interrupted)
    (here.folder / "fox.txt").write_text(TEXT)
    before = (here.folder / model).read_bytes()
    code, _, err = here("train", "fox.txt", *TINY, "-o", model, "--overwrite", "--no-sample")
    assert (code, (here.folder / model).read_bytes()) == (130, before)
    assert "Nothing was learned yet, and nothing is saved." in err
    code, _, err = here("train", "fox.txt", *TINY, "-o", "fresh.keras", "--no-sample")
    assert code == 130
    assert "Nothing was learned yet, and nothing is saved." in err
    assert not (here.folder / "fresh.keras").exists()


@pytest.mark.parametrize(
    ("corpus", "name"),
    [("./poems/rain.v2.txt", "rain.v2"), (".", None), ("poems/*.txt", "model"), ("-", "model"), ("poems", "poems")],
)
def test_a_model_is_named_after_its_corpus(here, monkeypatch, corpus, name):
    (here.folder / "poems").mkdir()
    (here.folder / "poems" / "rain.v2.txt").write_text(TEXT)
    saved = []
    monkeypatch.setattr(training_run.TrainingRun, "run", lambda self, corpus: saved.append(str(self.output)))
    here.done("train", corpus, *TINY, "--cut", "streams", given=TEXT.encode())
    assert saved == [f"{name or here.folder.name}.keras"]


def test_diverging_is_an_error_that_names_the_rate_and_keeps_good_weights(here, monkeypatch):
    (here.folder / "fox.txt").write_text(TEXT)
    monkeypatch.setattr(jobs, "optimizer", lambda *of_the_run: keras.optimizers.SGD(1e38))
    code, _, err = here("train", "fox.txt", *TINY, "--no-sample")
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "at a learning rate of 1e+38" in err
    assert "fox.keras" in err
    assert all(np.isfinite(each).all() for each in model_files.load(here.folder / "fox.keras").get_weights())


def test_several_temperatures_are_blocks_of_one_seed(here, model):
    common = ("the ", "--length", "20", "--seed", "5")
    alone = [here.done("generate", model, *common, "--temperature", each) for each in ("0.3", "1.8")]
    both = here.done("generate", model, *common, "--temperature", "0.3", "--temperature", "1.8")
    assert both == "--- temperature 0.3 ---\n{}\n--- temperature 1.8 ---\n{}".format(*alone)
    drawn = here.done("generate", model, "--temperature", "0", "--temperature", "2", "--length", "2", "--json")
    cold, hot = map(json.loads, drawn.splitlines())
    assert (cold["temperature"], hot["temperature"], cold["seed"]) == (0, 2, hot["seed"])


def test_an_option_of_one_value_is_not_taken_twice(here):
    for name in tfgen.cli._COMMANDS:
        command = tfgen.cli.cli.get_command(None, name)
        for option in command.params:
            if not isinstance(option, click.Option) or option.is_flag or option.multiple:
                continue
            value = option.type.choices[0] if isinstance(option.type, click.Choice) else "1"
            said = here.refused(name, "x", option.opts[0], value, option.opts[-1], value)
            assert f"tfgen: {option.opts[-1]} takes one value, and was given 2: keep one of them." in said


def test_json_of_generate(here, model):
    options = ["-n", "3", "--length", "12", "--top-k", "5", "--min-p", "0.01"]
    facts = json.loads(here.done("generate", model, "the ", "--json", *options))
    assert {name: facts[name] for name in ("model", "prompt", "length", "temperature", "top_k", "min_p")} == {
        **{"model": str(model), "prompt": "the ", "length": 12, "temperature": 0.8, "top_k": 5, "min_p": 0.01}
    }
    assert [text[:4] for text in facts["texts"]] == ["the "] * 3
    assert [len(text) for text in facts["texts"]] == [16] * 3
    again = here.done("generate", model, "the ", *options, "--seed", facts["seed"])  # the seed was drawn, and is told
    assert again == "\n---\n".join(facts["texts"]) + "\n"
    bare = json.loads(here.done("generate", model, "-", "--json", "--no-echo", "--length", "5", given=b"the \n"))
    assert bare["prompt"] == "the "
    assert len(bare["texts"][0]) == 5


def test_json_of_score(here, model):
    text = "the lazy fox"
    facts = json.loads(here.done("score", model, text, "--json"))
    assert facts["tokens"] == list(text)
    assert facts["characters"] == len(text)
    assert facts["nats"] == pytest.approx(-sum(facts["log_probabilities"]))
    assert facts["nats_per_character"] == pytest.approx(facts["nats"] / len(text))
    assert facts["bits_per_character"] == pytest.approx(facts["nats_per_character"] / np.log(2))
    assert facts["perplexity"] == pytest.approx(np.exp(facts["nats_per_character"]))
    assert all(1 <= rank <= 32 for rank in facts["ranks"])
    assert json.loads(here.done("score", model, "-", "--json", given=f"{text}\n".encode())) == facts


def test_json_has_no_numbers_that_are_none_in_json(here, model):
    def refuse(name):
        pytest.fail(f"{name} is not JSON")

    written = here.done("generate", model, "--json", "--scores", "--length", "2", "--temperature", "inf", "--seed", "1")
    facts = json.loads(written, parse_constant=refuse)
    assert facts["temperature"] == "Infinity"  # which the command takes again
    assert here.done("generate", model, "--temperature", "Infinity", "--length", "2", "--seed", "1") == (
        facts["texts"][0]["text"] + "\n"
    )
    odd = {"a": [1.5, (-math.inf, math.nan)], "b": None}
    assert json.loads(terminal.as_json(odd), parse_constant=refuse) == {"a": [1.5, ["-Infinity", "NaN"]], "b": None}


def test_score_shows_the_greatest_surprises_first(here, model):
    lines = here.done("score", model, "the fox").splitlines()
    assert re.fullmatch(r"[\d.]+ bits, [\d.]+ nats per character; perplexity [\d.]+; 7 characters", lines[0])
    surprises = [float(re.search(r"probability ([\d.e-]+), rank \d+$", line)[1]) for line in lines[3:]]
    assert len(surprises) == 5
    assert surprises == sorted(surprises)


def test_inspect_tells_what_the_file_holds(trained, here):
    path = trained[0] / "fox.keras"
    facts = json.loads(here.done("inspect", path, "--json"))
    assert facts["bytes"] == path.stat().st_size
    assert facts["vocabulary"] == {"tokens": 32, "split": "character", "texts_end": False, "normalize": None}
    assert facts["network"] == ["LSTM(8)", "Dense(32)"]
    assert facts["corpus"]["characters"] == len(TEXT)
    assert facts["settings"]["batch_size"] == 8
    assert facts["result"]["val_nats"] > 0
    plain = here.done("inspect", path)
    assert " None" not in plain  # what was left open
    assert len({re.match(r"\S+ +", line).end() for line in plain.splitlines()}) == 1
    assert re.search(r"^corpus\.characters +1,800$", plain, re.M)
    assert re.search(r"^network +LSTM\(8\), Dense\(32\)$", plain, re.M)


def test_pieces_are_flushed_as_they_come(here, model, monkeypatch):
    pieces = []
    monkeypatch.setattr(module("generate"), "_write", pieces.append)
    here("generate", model, "the ", "--length", "40", "--seed", "3")
    assert pieces[0] == "the "
    assert len(pieces[1]) == 1  # the first character comes alone, at once
    assert len(pieces) > 4
    assert pieces[-1] == "\n"
    assert "".join(pieces) == model_files.load(model).generate("the ", length=40, seed=3, temperature=0.8) + "\n"


def test_a_terminal_without_utf8_shows_escapes(model):
    model.rename(model.with_name("né.keras"))
    environment = ENVIRONMENT | {"PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*TFGEN, "inspect", "né.keras"], cwd=model.parent, env=environment, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.split()[:2] == [b"model", b"n\\xe9.keras"]


@pytest.mark.slow
def test_the_demo_tells_its_story(here, monkeypatch):
    monkeypatch.setattr(module("demo"), "load_corpus", lambda name: Corpus.from_text("The " + TEXT, name))
    (here.folder / "demo").mkdir()
    (here.folder / "demo" / "python-docs.keras").write_text("an earlier demo, to be replaced")
    out = here.done("demo", "--epochs", "1")
    names = ["learning-curve.png", "python-docs.html", "python-docs.keras"]
    assert sorted(path.name for path in (here.folder / "demo").iterdir()) == names
    assert "python-docs.html is the model as a page" in out.splitlines()[-1]
    assert [line for line in out.splitlines() if line.startswith("--- temperature")] == [
        f"--- temperature {t} ---" for t in ("0.3", "0.8", "1", "1.3", "1.8")
    ]
    commands = [line for line in out.splitlines() if line.startswith("  tfgen ")]
    assert len(commands) == 3
    assert "'A' (U+0041)" in here.refused(*shlex.split(commands[0])[1:])  # well formed, but the tiny text has no A
