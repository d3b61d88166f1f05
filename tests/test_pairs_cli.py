"""A translator from the command line: prepared, trained, written with, scored and looked at in real processes."""

import json
import subprocess
import sys

import numpy as np
import pytest


def run(*arguments, cwd, code=0, stdin=None):
    done = subprocess.run(
        [sys.executable, "-m", "tfgen", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, input=stdin
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if code == 0 else done.stderr


@pytest.mark.slow
def test_a_translator_from_the_command_line(tmp_path):
    letters = "abcdefgh"
    rng = np.random.default_rng(0)
    words = sorted({"".join(rng.choice(list(letters), size=3)) for _ in range(120)})
    (tmp_path / "words.csv").write_text("word,upper\n" + "".join(f"{word},{word.upper()}\n" for word in words))
    options = ["--source", "word", "--column", "upper", "--cell", "gru", "--units", "64", "--epochs", "40"]
    shown = run("train", "words.csv", *options, "-o", "w.keras", cwd=tmp_path)
    assert f"words.csv[word]: {3 * len(words)} characters in {len(words)} documents" in shown
    assert "written without a mistake" in shown
    assert f"tfgen generate w.keras --source {words[0]}" in shown
    first = run("generate", "w.keras", "--source", words[0], "--temperature", 0, cwd=tmp_path)
    some = words[:5]
    given_lines = {"stdin": "\n".join(some) + "\n"}
    lines = run("generate", "w.keras", "--sources", "-", "--temperature", 0, cwd=tmp_path, **given_lines)
    assert lines.startswith(first)
    assert np.mean([line == word.upper() for line, word in zip(lines.splitlines(), some, strict=True)]) > 0.5
    (tmp_path / "some.txt").write_text("\n".join(some))
    assert run("generate", "w.keras", "--sources", "some.txt", "--temperature", 0, cwd=tmp_path) == lines
    seeded = run("generate", "w.keras", "--sources", "some.txt", "--seed", 3, cwd=tmp_path).splitlines()
    assert run("generate", "w.keras", "--source", some[2], "--seed", 5, cwd=tmp_path).splitlines() == [seeded[2]]
    answer = json.loads(run("generate", "w.keras", "--source", words[0], "--json", "-n", 2, cwd=tmp_path))
    assert (answer["sources"], len(answer["texts"])) == ([words[0]], 2)
    right = run("score", "w.keras", words[0].upper(), "--source", words[0], "--json", cwd=tmp_path)
    wrong = run("score", "w.keras", words[0].upper(), "--source", words[-1], "--json", cwd=tmp_path)
    assert json.loads(right)["nats"] < json.loads(wrong)["nats"]
    assert "TextEncoder(32)" in run("inspect", "w.keras", cwd=tmp_path)
    run("prepare", "words.csv", "--source", "word", "--column", "upper", "-o", "ids", cwd=tmp_path)
    assert "written without a mistake" in run(
        "train", "ids", "--units", 8, "--epochs", 1, "-o", "i.keras", cwd=tmp_path
    )
    more = ["--source", "word", "--column", "upper", "--init-from", "w.keras", "--epochs", "1", "-o", "m.keras"]
    assert "written without a mistake" in run("train", "words.csv", *more, cwd=tmp_path)
    for arguments, said in [
        (["generate", "w.keras"], "writes from a source: give --source"),
        (["generate", "w.keras", "--source", "xyz"], "in the source, "),
        (
            ["generate", "w.keras", "--source", "a", "--sources", "some.txt"],
            "sources were given twice: give --source or --sources, one of them.",
        ),
        (["generate", "w.keras", "--sources", "none.txt"], "none.txt"),
        (["score", "w.keras", "ABC", "--sources", "some.txt"], "a text is scored under one source; received 5"),
    ]:
        error = run(*arguments, cwd=tmp_path, code=1)
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
def test_options_that_do_not_go_together_are_refused(tmp_path, arguments, said):
    (tmp_path / "d.csv").write_text("written,iso\na,b\n")
    assert said in run(*arguments, cwd=tmp_path, code=2)
