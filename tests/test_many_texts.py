"""Several texts from the command line: which seed they had, from which prompts, what is between them, and copies."""

import importlib
import json
import re
import shlex

import pytest
from cli_support import TEXT, here_fixture, model_bytes_fixture, model_fixture  # noqa: F401 - fixtures
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from tfgen import Corpus, TextGenerator, Vocabulary, cli
from tfgen.cli import prompts
from tfgen.errors import InputError
from tfgen.vocabulary import separators

NAMES = ["Anna", "Bert", "Carl", "Dora"]


@pytest.fixture(name="names", scope="module")
def names_fixture(tmp_path_factory):
    """Counts of a few names, which mostly write these again."""
    vocabulary = Vocabulary.from_texts(NAMES, ends=True)
    path = tmp_path_factory.mktemp("names") / "names.keras"
    generator = TextGenerator.count(Corpus.from_texts(NAMES * 20), vocabulary, order=3)
    generator.provenance = {"corpus": {"reading": {"lines": True}}}
    generator.save(path)
    return path


@pytest.mark.parametrize("engine", ["numpy", pytest.param("tensorflow", marks=pytest.mark.slow)])
def test_a_text_can_be_had_again(here, model, engine):
    more = ("the ", "--length", "20", "--engine", engine)
    code, out, err = here("generate", model, *more)
    (seed,) = re.fullmatch(r"seed (\d+)\n", err).groups()
    assert here("generate", model, *more, "--seed", seed) == (code, out, "")
    assert here("generate", model, *more, "--quiet")[2] == ""
    assert here("generate", model, *more, "--temperature", "0")[2] == ""  # nothing is drawn
    code, out, err = here("generate", model, *more, "--json")
    assert (err, json.loads(out)["texts"][0] + "\n") == (
        "",
        here.done("generate", model, *more, "--seed", json.loads(out)["seed"]),
    )


def test_the_seed_of_all_temperatures_is_told_before_the_first_heading(here, model, monkeypatch):
    shown, command = [], importlib.import_module("tfgen.cli.generate")
    monkeypatch.setattr(command, "_write", shown.append)
    monkeypatch.setattr(command, "_tell", shown.extend)
    here("generate", model, "the", "--temperature", "0.5", "--temperature", "1", "--length", "3")
    assert [text.strip() for text in shown if text[:4] in ("seed", "--- ", "\n---")] == [
        shown[0],
        "--- temperature 0.5 ---",
        "--- temperature 1 ---",
    ]
    assert shown[0].startswith("seed ")


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["numpy", "tensorflow"])
def test_each_of_several_prompts_has_its_texts(here, model, engine):
    (here.folder / "prompts.txt").write_text("the fox\nquick\n\n")
    more = ("--length", "12", "--engine", engine, "--seed", "5", "--json")
    given = json.loads(here.done("generate", model, "the fox", "quick", "", "-n", "2", *more))
    assert given["prompts"] == ["the fox", "quick", ""]
    assert [text[:5] for text in given["texts"]][:4] == ["the f", "the f", "quick", "quick"]
    assert json.loads(here.done("generate", model, "--prompts", "prompts.txt", "-n", "2", *more)) == given
    # The third of all is the first of its prompt, and has a seed of its own.
    alone = json.loads(here.done("generate", model, "quick", *more[:5], "7", "--json"))
    assert alone["texts"] == [given["texts"][2]]


def test_a_prompt_that_cannot_be_read_is_named_before_anything_is_written(here, model):
    assert here.refused("generate", model, "the", "\u00e9").startswith("tfgen: in prompt 2, the text holds")
    (here.folder / "some.txt").write_text("the\nfox\0\n")
    assert "prompt 2 holds U+0000" in here.refused("generate", model, "--prompts", "some.txt")
    assert "given twice" in here.refused("generate", model, "the", "--prompts", "some.txt")
    assert "standard input" in here.refused("generate", model, "-", "-")
    assert "standard input" in here.refused("generate", model, "-", "--prompts", "-")


def test_a_word_model_says_that_a_prompt_ends_with_a_word(here):
    vocabulary = Vocabulary.from_texts(["b a"], split="word")
    TextGenerator.build(vocabulary, units=2, seed=1).save("words.keras")
    spaced = here("generate", "words.keras", "b ", "--seed", "1", "--length", "3", "--unknown", "skip")[2]
    assert "the prompt ends in a space" in spaced
    assert here("generate", "words.keras", "b", "--seed", "1", "--length", "3")[2] == ""


# --- what stands between texts --------------------------------------------------------------------------------------

LINES = st.sampled_from(["", "a", "---", "--", "===", "~", "#%*+_", "\u241e\u241e\u241e"])
TEXTS = st.lists(st.lists(LINES, min_size=1).map("\n".join).filter(bool), min_size=1)


@examples(100)
@given(TEXTS)
def test_texts_are_told_apart(texts):
    line = separators.between(Vocabulary.from_texts(texts), [""])
    written = line.join(texts)
    if "\u241e" not in "".join(texts) or line != "\n\u241e\u241e\u241e\n":  # who writes that has all marks in a text
        assert len(texts) == 1 or separators.split(written, texts) == texts


def test_texts_that_may_hold_lines_have_a_line_between_them(here, model, names):
    out = here.done("generate", model, "the ", "-n", "3", "--seed", "2", "--length", "90")
    facts = json.loads(here.done("generate", model, "the ", "-n", "3", "--seed", "2", "--length", "90", "--json"))
    assert out == "\n---\n".join(facts["texts"]) + "\n"
    own = here.done("generate", model, "the ", "-n", "3", "--seed", "2", "--length", "90", "--separator", "%")
    assert own == "\n%\n".join(facts["texts"]) + "\n"
    assert separators.cut(own, "%") == [*facts["texts"][:2], facts["texts"][2] + "\n"]
    assert here.done("generate", names, "-n", "5").count("\n") == 5


# --- copies ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_whole_documents_are_drawn_again(here, names):
    (here.folder / "names.txt").write_text("\n".join(NAMES))
    more = ("-n", "40", "--seed", "1", "--temperature", "1")
    drawn = json.loads(here.done("generate", names, *more, "--json"))["texts"]
    facts = json.loads(here.done("generate", names, *more, "--novel", "names.txt", "--json"))
    assert set(drawn) & set(NAMES)
    assert not set(facts["texts"]) & set(NAMES)
    assert facts["drawn_again"] >= sum(text in NAMES for text in drawn)
    # What was no copy is what it was.
    assert all(new == old for new, old in zip(facts["texts"], drawn, strict=True) if old not in NAMES)
    shown = here("generate", names, *more, "--novel", "names.txt")
    assert shown[1].split("\n") == [*facts["texts"], ""]
    assert f"{facts['drawn_again']} copies of whole documents drawn again" in shown[2]
    assert "at --temperature 0" in here.refused("generate", names, "--novel", "names.txt", "--temperature", "0")
    sure = ("An", "--top-k", "1", "--novel", "names.txt")
    assert "each of 101 texts from 'An' was a document" in here.refused("generate", names, *sure)


def test_novel_is_for_texts_that_end(here, model):
    (here.folder / "fox.txt").write_text(TEXT)
    assert "do not end" in here.refused("generate", model, "--novel", "fox.txt")


def test_novelty_tells_the_share_of_whole_copies(here):
    (here.folder / "names.txt").write_text("\n".join(NAMES))
    (here.folder / "sample.txt").write_text("Anna\nAnno\nBert\nAnna\n")
    shown = here.done("novelty", "sample.txt", "names.txt", "--lines")
    assert (
        "4 whole texts, of which 3 (75.0%) are documents of the corpus; of 3 different ones 2 (66.7%): 'Anna', 'Bert'\n"
    ) in shown
    facts = json.loads(here.done("novelty", "sample.txt", "names.txt", "--lines", "--json"))["texts"]
    assert facts == {"texts": 4, "copied": 3, "different": 3, "different_copied": 2, "copies": ["Anna", "Bert"]}
    assert "texts" not in json.loads(here.done("novelty", "sample.txt", "names.txt", "--json"))
    (here.folder / "songs.txt").write_text("la\nla\n\nlo\n")
    (here.folder / "sung.txt").write_text("la\nla\n---\nlo\n\nlo\n")
    songs = ("novelty", "sung.txt", "songs.txt", "--paragraphs", "--json")
    assert json.loads(here.done(*songs))["texts"]["copies"] == ["la\nla"]
    assert json.loads(here.done(*songs, "--separator", ""))["texts"]["copies"] == ["lo"]


# --- candidates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [[], pytest.param(["--engine", "tensorflow"], marks=pytest.mark.slow)])
def test_candidates_are_ranked(here, model, more):
    lines = ["the fox", "xxxx", "lazy dog", "the fox"]
    (here.folder / "some.txt").write_text("\n".join([*lines[:2], "", *lines[2:]]))
    facts = json.loads(here.done("score", model, "some.txt", "--lines", "--json", *more))["ranking"]
    alone = [json.loads(here.done("score", model, line, "--json", *more))["bits_per_character"] for line in lines]
    assert [each["bits_per_character"] for each in facts] == pytest.approx(sorted(alone))
    assert [each["text"] for each in facts] == [lines[i] for i in sorted(range(4), key=alone.__getitem__)]
    assert sorted(each["line"] for each in facts) == [1, 2, 4, 5]
    shown = here.done("score", model, "some.txt", "--lines", *more).splitlines()
    assert [row.split(None, 2)[2] for row in shown[1:]] == [each["text"] for each in facts]


def test_no_candidate_is_scored_before_all_can_be_read(here, model, monkeypatch):
    monkeypatch.setattr("tfgen.instant.writer.Writer.score", lambda *_, **__: pytest.fail("scored"))
    assert here.refused("score", model, "-", "--lines", given="the\n\u00e9".encode()).startswith("tfgen: in line 2, ")


# --- help -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", cli._COMMANDS)
def test_every_command_has_a_few_examples_that_can_be_given(here, name):
    shown = here.done(name, "--help").partition("Examples:\n")[2]
    examples = [shlex.split(line) for line in shown.splitlines()]
    assert len(examples) in (2, 3)
    for _, called, *arguments in examples:
        assert called == name
        cli.cli.get_command(None, name).make_context(name, arguments)


def test_what_was_probably_meant_is_said(here, model):
    assert "Did you mean 'generate'?" in here.refused("genrate", model)
    assert "'--temperature'" in here.refused("generate", model, "--temprature", "1")
    assert "'hot' is not a valid number." in here.refused("generate", model, "--temperature", "hot")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_file_of_prompts_holds_as_many_as_it_has_lines(tmp_path, end):
    path = tmp_path / "prompts.txt"
    path.write_bytes(f"one{end}{end}two{end}".encode())
    assert prompts.read({}, (), path) == ["one", "", "two"]
    path.write_bytes(b"")
    with pytest.raises(InputError, match="holds no prompt"):
        prompts.read({}, (), path)
    path.write_bytes(f"a{end}".encode() * 1_000_001)
    with pytest.raises(InputError, match="has more than 1,000,000 lines"):
        prompts.read({}, (), path)
