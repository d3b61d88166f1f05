"""Two columns of a table: read beside each other, prepared beside each other, and from the command line."""

import json
import subprocess
import sys

import numpy as np
import pytest

import tfgen
from tfgen import load_pairs, open_prepared_pairs, prepare_pairs
from tfgen.corpora import open_pairs


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "dates.csv"
    path.write_text("written,iso,class\n5 mai,05-05,x\n,06-06,x\n6 juin,,x\n7 juin,06-07,y\n", encoding="utf-8")
    return path


def test_pairs_are_loaded_and_prepared_alike(table, tmp_path):
    pairs = load_pairs(table, source="written", column="iso")
    assert pairs.sources.documents == ("5 mai", "7 juin")
    assert pairs.texts.documents == ("05-05", "06-07")
    prepared = prepare_pairs(table, tmp_path / "ids", source="written", column="iso")
    for side in ("sources", "texts"):
        one, other = getattr(pairs, side), getattr(prepared, side)
        assert (one.sha256, one.source, len(one.documents)) == (other.sha256, other.source, other.number_of_documents)
    again = open_prepared_pairs(tmp_path / "ids")
    np.testing.assert_array_equal(again.texts.ids, prepared.texts.ids)
    assert prepare_pairs(table, tmp_path / "ids", source="written", column="iso").texts.path == prepared.texts.path


def test_prepared_and_loaded_pairs_make_the_same_batches(table, tmp_path):
    pairs = load_pairs(table, source="written", column="iso")
    prepared = prepare_pairs(table, tmp_path / "ids", source="written", column="iso")
    vocabularies = prepared.texts.vocabulary, prepared.sources.vocabulary
    one, _ = tfgen.datasets.pairs(
        pairs.sources, pairs.texts, vocabularies[0], source_vocabulary=vocabularies[1], validation=0
    )
    other, _ = tfgen.datasets.pairs(prepared.sources, prepared.texts, validation=0)
    assert tfgen.datasets.course_of(one).fingerprint() == tfgen.datasets.course_of(other).fingerprint()


def test_what_was_prepared_before_there_were_pairs_is_still_found(table):
    """The name of a prepared text is made of how it is read; what is new is no part of it."""
    from tfgen.prepared.preparing import _key

    beside = open_pairs(table, source="written", column="iso")[1]
    alone = tfgen.corpora.open_source(table, column="iso")
    assert _key(beside, 1) != _key(alone, 1)
    import dataclasses

    old = {name: value for name, value in dataclasses.asdict(alone.reading).items() if name != "beside"}
    assert list(old) == ["column", "lines", "encoding", "unescape", "strip_gutenberg", "normalize", "control"]


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
        (["generate", "w.keras", "--source", "a", "--sources", "some.txt"], "give --source TEXT, or --sources FILE"),
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
