"""A translator from the command line: prepared, trained, written with, scored and looked at in real processes."""

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
from cli_support import here_fixture  # noqa: F401

import tfgen
from tfgen import cli


def run(*arguments, cwd, code=0, stdin=None):
    done = subprocess.run(
        [sys.executable, "-m", "tfgen", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, input=stdin
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.mark.slow
def test_a_translator_from_the_command_line(tmp_path, here):
    letters = "abcdefgh"
    rng = np.random.default_rng(0)
    words = sorted({"".join(rng.choice(list(letters), size=3)) for _ in range(120)})
    (tmp_path / "words.csv").write_text("word,upper\n" + "".join(f"{word},{word.upper()}\n" for word in words))
    options = ["--source", "word", "--column", "upper", "--cell", "gru", "--units", "64", "--epochs", "40"]
    shown = run("train", "words.csv", *options, "-o", "w.keras", cwd=tmp_path)
    assert f"words.csv[word]: {3 * len(words)} characters in {len(words)} documents" in shown
    assert "written without a mistake" in shown
    assert f"tfgen generate w.keras --source {words[0]}" in shown

    def tell(*arguments, code=0, stdin=""):
        ended, out, err = here(*arguments, given=stdin.encode())
        assert ended == code, err
        return err if code else out

    first = tell("generate", "w.keras", "--source", words[0], "--temperature", 0)
    some = words[:5]
    given_lines = {"stdin": "\n".join(some) + "\n"}
    lines = tell("generate", "w.keras", "--sources", "-", "--temperature", 0, **given_lines)
    assert lines.startswith(first)
    assert np.mean([line == word.upper() for line, word in zip(lines.splitlines(), some, strict=True)]) > 0.5
    (tmp_path / "some.txt").write_text("\n".join(some))
    (tmp_path / "many.txt").write_text(f"{some[0]}\n" * 300 + "xyz")
    seeded = tell("generate", "w.keras", "--sources", "some.txt", "--seed", 3).splitlines()
    assert tell("generate", "w.keras", "--source", some[2], "--seed", 5).splitlines() == [seeded[2]]
    answer = json.loads(tell("generate", "w.keras", "--source", words[0], "--json", "-n", 2))
    assert (answer["sources"], len(answer["texts"])) == ([words[0]], 2)
    right = tell("score", "w.keras", words[0].upper(), "--source", words[0], "--json")
    wrong = tell("score", "w.keras", words[0].upper(), "--source", words[-1], "--json")
    assert json.loads(right)["nats"] < json.loads(wrong)["nats"]
    assert "TextEncoder(32)" in tell("inspect", "w.keras")
    tell("prepare", "words.csv", "--source", "word", "--column", "upper", "-o", "ids")
    assert "written without a mistake" in tell("train", "ids", "--units", 8, "--epochs", 1, "-o", "i.keras")
    more = ["--source", "word", "--column", "upper", "--init-from", "w.keras", "--epochs", "1", "-o", "m.keras"]
    assert "written without a mistake" in tell("train", "words.csv", *more)
    for arguments, said in [
        (["generate", "w.keras"], "writes from a source: give --source"),
        (["generate", "w.keras", "--source", "xyz"], "in the source, "),
        (["generate", "w.keras", "--sources", "many.txt"], "in source 301, "),
        (
            ["generate", "w.keras", "--source", "a", "--sources", "some.txt"],
            "given twice: give --source or --sources",
        ),
        (["generate", "w.keras", "--sources", "none.txt"], "none.txt"),
        (["generate", "w.keras", "a\x03b", "--source", "a"], "the prompt holds U+0003"),
        (["generate", "w.keras", "--source", "a\x03b"], "source 1 holds U+0003"),
        (["score", "w.keras", "ABC", "--sources", "some.txt"], "a text is scored under one source; received 5"),
    ]:
        error = tell(*arguments, code=1)
        assert said in error
        assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "d.csv", "--source", "written"], "--source needs --column"),
        (["train", "d.csv", "--source", "written", "--column", "iso", "--lines"], "goes without --lines"),
        (["train", "d.csv", "--source", "written", "--column", "iso", "--prompt", "a"], "omit --prompt"),
        (["prepare", "d.csv", "--source", "written"], "--source needs --column"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path, here, arguments, said):
    (tmp_path / "d.csv").write_text("written,iso\na,b\n")
    code, _, message = here(*arguments)
    assert code == 2
    assert said in message


def test_an_encoder_of_ones_own_is_named_with_how_many_layers_it_has(tmp_path, here):
    picture = keras.Input((4, 4))
    network = keras.Model(picture, keras.layers.Dense(3)(keras.layers.Flatten()(picture)))
    vocabulary = tfgen.Vocabulary.from_texts(["ab"], ends=True)
    tfgen.TextGenerator.build(vocabulary, units=2, encoder=network).save(tmp_path / "m.keras")
    assert "encoder Functional of 2 layers, LSTM(2), Dense(5)\n" in here.done("inspect", "m.keras")
    texts = tfgen.networks.text_encoder(vocabulary, units=3)
    tfgen.TextGenerator.build(vocabulary, units=2, encoder=texts).save(tmp_path / "t.keras")
    assert "encoder TextEncoder(3), LSTM(2), Dense(5)" in here.done("inspect", "t.keras")


def test_prepared_pairs_have_their_sources(tmp_path, here):
    (tmp_path / "d.csv").write_text("written,iso\na,b\nc,d\n")
    tfgen.prepare_pairs("d.csv", "ids", source="written", column="iso")
    code, _, message = here("train", "ids", "--source", "written", "--column", "iso")
    assert (code, "'ids' was prepared, with its sources: omit --source." in message) == (2, True)
    tfgen.prepare_corpus("d.csv", "alone", column="iso")
    code, _, message = here("train", "alone", "--source", "written", "--column", "iso")
    assert (code, "'alone' was prepared without sources" in message) == (2, True)


@pytest.mark.parametrize(
    ("command", "offers"), [("generate", True), ("score", True), ("train", True), ("write", False)]
)
def test_a_command_offers_only_what_it_can_do(here, monkeypatch, command, offers):
    """Whatever a repair needs, a command that lacks it does not name it."""

    def fail(**_):
        tfgen.Vocabulary.from_texts(["ab"]).encode("q")

    monkeypatch.setattr(cli.cli, "main", fail)
    code, _, message = here(command)
    assert code == 1
    assert "'q' (U+0071) at 0; remove them" in message
    assert ("--unknown" in message) == offers == ("unknown=" in message)
