"""Models side by side: each figure is that of the verb it belongs to, and what cannot be compared is one line."""

import json

import numpy as np
import pytest
from cli_support import TEXT, here_fixture, model_bytes_fixture, model_fixture, run  # noqa: F401 - fixtures
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

import tfgen
from tfgen import InputError, comparison, model_files, plots
from tfgen.corpora import Corpus
from tfgen.novelty import passages

ROW = comparison.Row("a.keras", 2.0, None, 0, 1_500_000, None, 1234.5, None, None, "text")
SHORT = ("--epochs", "1", "--batch-size", "8", "--no-sample", "--validation", "0.2")
KINDS = {
    "counts": ["--cell", "ngram", "--order", "4"],
    "words": ["--split", "word", "--units", "4", "--length", "8", "--min-count", "2"],
    "gpt": ["--cell", "transformer", "--units", "8", "--layers", "1", "--heads", "2", "--window", "16"],
    "both": ["--units", "4", "--length", "16", "--ngrams", "3"],
}


@pytest.fixture(name="folder", scope="module")
def folder_fixture(tmp_path_factory):
    """Model files of four kinds, and texts."""
    folder = tmp_path_factory.mktemp("compared")
    (folder / "text.txt").write_text(TEXT + "zebra\n")
    (folder / "on.txt").write_text("the lazy fox jumps over the zebra.\nthe brown é dog.\n")
    for name, settings in KINDS.items():
        more = [] if name == "counts" else SHORT
        done = run("train", "text.txt", "-o", f"{name}.keras", *settings, *more, "--no-sample", cwd=folder)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_each_figure_is_that_of_its_verb(folder):
    files = [f"{name}.keras" for name in KINDS]
    asked = ["--prompt", "the ", "--length", "60", "--sample", "500", "--seed", "3", "--temperature", "0.5"]
    told = ["--on", "on.txt", "--corpus", "text.txt", "--json", "--plot", "bits.png"]
    done = run("compare", *files, *told, *asked, cwd=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (folder / "bits.png").read_bytes().startswith(b"\x89PNG")
    given_ = json.loads(done.stdout)
    on, corpus = (tfgen.load_corpus(folder / name) for name in ("on.txt", "text.txt"))
    assert given_["temperature"] == 0.5
    for name, row in zip(files, given_["models"], strict=True):
        generator = model_files.load(folder / name)
        for adapt, bits in ((False, "bits_per_character"), (True, "bits_per_character_adapted")):
            unknown = "unknown" if name == "words.keras" else "skip"
            score = generator.score(on.documents[0], unknown=unknown, adapt=adapt)
            np.testing.assert_allclose(row[bits], score.bits_per_character, rtol=1e-5)
        settings = {"length": 60, "temperature": 0.5, "unknown": unknown}
        assert row["text"] == generator.generate("the ", seed=3, **settings)
        assert row["bytes"] == (folder / name).stat().st_size
        assert row["unknown"] == (2 if name == "words.keras" else 1), "the é, and a word that occurred once"
        assert row["training_seconds"] > 0
        texts, seed = [], 3
        while sum(map(len, texts)) < 500:
            texts.append(generator.generate("the ", seed=seed, echo=False, **settings))
            seed += 1
        texts[-1] = texts[-1][: len(texts[-1]) - (sum(map(len, texts)) - 500)]
        longest = max((passages.report(text, corpus).longest[0].text for text in texts if text), key=len)
        assert len(row["longest_quotation"]) == len(longest)


@pytest.mark.slow
def test_the_table_has_a_line_for_each_and_says_what_is_missing(folder):
    files = ["counts.keras", "words.keras"]
    done = run("compare", *files, "--on", "on.txt", "--no-adapt", "--sample", "50", "--prompt", "thé", cwd=folder)
    assert (done.returncode, done.stderr) == (0, b"")
    table, first, second = done.stdout.decode().split("\n--- ")
    assert [line.split()[0] for line in table.splitlines()] == ["model", *files, *2 * [files[0]], *2 * [files[1]]]
    assert table.splitlines()[1].split()[2] == "-", "nothing was adapted"
    assert "counts.keras does not know 1 token of the prompt: left out." in table
    assert first.startswith("counts.keras\nthé")
    assert second.startswith("words.keras\nthé")


@pytest.mark.usefixtures("model")
def test_what_cannot_be_compared_is_one_line(here):
    (here.folder / "on.txt").write_text("the fox")
    (here.folder / "empty.txt").write_text("")
    for arguments, words in {
        ("small.keras", "missing.keras", "--on", "on.txt"): "'missing.keras' does not exist",
        ("small.keras", "--on", "missing.txt"): "missing.txt",
        ("small.keras", "--on", "empty.txt"): "empty",
        ("on.txt", "--on", "on.txt"): "'on.txt' is no model file",
        ("small.keras", "--on", "on.txt", "--plot", "bits.doc"): "the name of a picture ends in",
        ("small.keras", "--on", "on.txt", "--prompt", "a\x03"): "the prompt holds",
        ("small.keras", "--on", "on.txt", "--top-p", "2"): "--top-p",
        ("small.keras",): "--on",
    }.items():
        assert words in here.refused("compare", *arguments)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"on": []}, "there is no text to compare models on"),
        ({"on": ["", ""]}, "there is no text to compare models on"),
        ({"on": ["a", 3]}, "each text must be a str; received 3"),
        ({"prompt": 3}, "the prompt must be a str; received 3"),
        ({"sample": 0}, "sample must be a whole number of at least 1; received 0"),
        ({"settings": {"top_p": 2}}, "top_p must be a number, above 0, at most 1; received 2"),
        ({"settings": {"heat": 2}}, "each setting must be one of .*; received 'heat'"),
        ({"corpus": "text.txt"}, "the corpus must be what tfgen.load_corpus gives; received 'text.txt'"),
    ],
    ids=str,
)
def test_a_task_that_cannot_be_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        comparison.Task(**{"on": "a", **settings})


@given(st.lists(st.text("ab", max_size=60), min_size=1, max_size=4), st.text("ab", max_size=80), st.integers(1, 150))
@examples(50)
def test_passages_are_counted_in_each_text_alone(texts, corpus, sample):
    task = comparison.Task("a", sample=sample, corpus=Corpus.from_texts([corpus + "c"]))
    longest, copied = comparison._copied(texts, task)
    seen = "\0".join(texts)
    most = sample + len(texts) - 1 if sum(map(len, texts[:-1])) < sample else len("\0".join(texts[:-1]))
    parts = seen[:most].split("\0")
    whole = [part[i : i + 30] for part in parts for i in range(len(part) - 29)]
    expected = sum(each in corpus for each in whole) / len(whole) if whole else None
    assert copied == (None if expected is None else pytest.approx(expected))
    found = [part[i:j] for part in parts for i in range(len(part)) for j in range(i + 1, len(part) + 1)]
    best = max((len(each) for each in found if each in corpus + "c"), default=0)
    assert (None if not any(parts) else best) == (None if longest is None else len(longest))


def test_seconds_are_of_everything_that_a_model_is_made_of():
    one, two = {"result": {"seconds": 1.5}}, {"result": {"seconds": 2}}
    for provenance, seconds in (
        ({}, None),
        (one, 1.5),
        ({**one, "before": two}, 3.5),
        ({**one, "before": {"corpus": {}}}, None),
        ({"members": [one, two], "result": {"val_nats": 1.0}}, 3.5),
        ({"members": [one, {}]}, None),
        ({"result": "yesterday"}, None),
    ):
        assert comparison._training_seconds(provenance) == seconds


def test_a_table_is_in_columns_and_html():
    other = comparison.Row("<b>.keras", 10.0, 1.5, 3, 2_000_000, 61.2, 9.0, "abc", 0.123, "text", ("is <odd>.",))
    table = comparison.Comparison((ROW, other))
    head, first, second, note = str(table).splitlines()
    assert len(head) == len(first) == len(second)
    assert first.split() == ["a.keras", "2.000", "-", "1.50", "-", "1,234", "-", "-"]
    assert second.split() == ["<b>.keras", "10.000", "1.500", "2.00", "61.2", "9", "3", "12.3%"]
    assert note == "<b>.keras is <odd>."
    assert "<b>" not in table._repr_html_()


def test_bits_are_drawn_against_size(tmp_path):
    bits = {"static": {"a$": 2.0, "b": 1.5}, "adapted": {"a$": 1.9, "b": None}}
    path = tmp_path / "bits.svg"
    figure = plots.bits_against_size({"a$": 10**6, "b": 10**7}, bits, title="$ on $", path=path)
    assert path.read_text().startswith("<?xml")
    static, adapted = figure.axes[0].lines[:2]
    assert static.get_xydata().tolist() == [[1, 2.0], [10, 1.5]]
    assert adapted.get_xydata().tolist() == [[1, 1.9]]
    for sizes, given_, words in (
        ({}, {}, "there is no model to draw"),
        ({"a": 0}, {}, "the size of 'a' must be a number above 0; received 0"),
        ({"a": 1}, {"static": {"b": 1}}, "'b' has bits and no size"),
        ({"a": 1}, {"static": {"a": "x"}}, "the bits of 'a' must be a number"),
        ({"a": 1}, {"static": 3}, "the bits of 'static' must be a mapping"),
    ):
        with pytest.raises(InputError, match=words):
            plots.bits_against_size(sizes, given_)
