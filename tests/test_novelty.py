"""How much of a sample is copied: the definition itself, its laws, and the command."""

import itertools
import json
import pathlib
import subprocess
import sys
import time
import types
from unittest import mock

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import example, given
from hypothesis import strategies as st

import tfgen
from tfgen import novelty
from tfgen.cli import cli
from tfgen.corpora import Corpus
from tfgen.errors import InputError
from tfgen.novelty import suffix_automaton

# Few characters, so that much is copied; of one to four bytes in UTF-8, which share bytes in part.
CHARACTERS = "abæøêオカ👍👎"
SAMPLES = st.text("ab", min_size=1) | st.text(CHARACTERS, min_size=1) | st.text(min_size=1)
DOCUMENTS = st.lists(st.text("ab", min_size=1) | st.text(CHARACTERS, min_size=1), min_size=1, max_size=5)


def corpus_of(*documents: str) -> Corpus:
    return Corpus.from_texts(documents)


def copied(sample: str, *documents: str) -> list[float]:
    return novelty.report(sample, corpus_of(*documents)).copied.tolist()


def by_definition(sample: str, documents: list[str]) -> list[float]:
    shares = []
    for k in range(1, len(sample) + 1):
        substrings = [sample[i : i + k] for i in range(len(sample) - k + 1)]
        found = sum(any(each in document for document in documents) for each in substrings)
        shares.append(found / len(substrings))
    return shares


# --- laws -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", [1, 3, 256])
@given(SAMPLES, DOCUMENTS)
@example("abab", ["ab", "ba"])
@example("æê", ["Ãª"])  # no character in common, though bytes are
@example("aaaaaaaaaa", ["a" * 50])
def test_is_what_the_definition_says(part, sample, documents):
    """However many scanners read the corpus: matches cross the borders of their parts."""
    with mock.patch.object(suffix_automaton, "_SHORTEST_PART", part):
        assert copied(sample, *documents) == by_definition(sample, documents)


@given(SAMPLES, DOCUMENTS)
def test_a_longer_substring_is_not_copied_more_often(sample, documents):
    shares = copied(sample, *documents)
    assert all(0 <= longer <= shorter <= 1 for shorter, longer in itertools.pairwise(shares))


@given(st.text(CHARACTERS), st.text(CHARACTERS, min_size=1), st.text(CHARACTERS), DOCUMENTS)
def test_a_part_of_the_corpus_is_copied_at_every_length(before, sample, after, documents):
    report = novelty.report(sample, corpus_of(*documents, before + sample + after))
    assert report.copied.tolist() == [1] * len(sample)
    assert report.longest == ((sample, 0),)


@given(st.text("abæオ👍", min_size=1), st.lists(st.text("cdøカ👎", min_size=1), min_size=1))
def test_without_a_common_character_nothing_is_copied(sample, documents):
    report = novelty.report(sample, corpus_of(*documents))
    assert report.copied.tolist() == [0] * len(sample)
    assert report.longest == ()


@given(SAMPLES, DOCUMENTS, DOCUMENTS, st.text(CHARACTERS))
def test_more_text_never_lowers_a_share(sample, documents, others, more):
    less = novelty.report(sample, corpus_of(*documents)).copied
    assert (novelty.report(sample, corpus_of(*documents, *others)).copied >= less).all()
    assert (novelty.report(sample, corpus_of(*documents[:-1], documents[-1] + more)).copied >= less).all()


@given(SAMPLES, DOCUMENTS, st.randoms(use_true_random=False))
def test_the_order_of_documents_does_not_matter(sample, documents, random):
    shuffled = random.sample(documents, len(documents))
    assert copied(sample, *documents) == copied(sample, *shuffled)


@given(SAMPLES, DOCUMENTS)
def test_the_longest_passages(sample, documents):
    report = novelty.report(sample, corpus_of(*documents))
    taken = np.zeros(len(sample), int)
    for text, begin in report.longest:
        end = begin + len(text)
        assert sample[begin:end] == text
        assert any(text in document for document in documents)
        for wider in {sample[max(begin - 1, 0) : end], sample[begin : end + 1]} - {text}:
            assert not any(wider in document for document in documents)
        taken[begin:end] += 1
    assert taken.max() <= 1
    sizes = [len(passage.text) for passage in report.longest]
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes, default=0) == np.count_nonzero(report.copied)


# --- examples -------------------------------------------------------------------------------------------------------


def test_borders_of_documents():
    assert copied("abcd", "abcd") == [1, 1, 1, 1]
    assert copied("abcd", "ab", "cd") == [1, 2 / 3, 0, 0]


def test_a_character_is_whole_or_not_at_all():
    """Both are 3 bytes, of which the first two are equal."""
    assert "オ".encode()[:2] == "カ".encode()[:2]
    assert copied("オオ", "カカ") == [0, 0]


def test_half_a_character_of_a_sample_is_new():
    assert copied("a\ud800a", "aa") == [2 / 3, 0, 0]


def test_passages_have_places_in_characters():
    report = novelty.report("オオ to be, or not", corpus_of("to be", "not an ox"))
    assert report.longest[:2] == (("to be", 3), ("not", 13))


def test_a_report_is_a_value_of_arrays():
    report = novelty.report("abc", corpus_of("ab"))
    assert report.lengths.tolist() == [1, 2, 3]
    assert report.lengths.dtype.kind == "i"
    assert report.copied.dtype == np.float64
    with pytest.raises(AttributeError):
        report.lengths = report.copied


def test_what_cannot_be_a_sample():
    with pytest.raises(InputError, match="the sample is empty"):
        novelty.report("", corpus_of("a"))
    with pytest.raises(InputError, match="1,000,001 bytes in UTF-8; use a part of at most 1,000,000"):
        novelty.report("a" * 1_000_001, corpus_of("a"))


@pytest.mark.slow
def test_a_large_corpus_is_quick():
    """Ten million characters take about a second."""
    random = np.random.default_rng(0)
    words = ["".join(random.choice(list("etaoin"), 5)) for _ in range(5000)]
    text = " ".join(random.choice(words, 1_700_000))
    corpus, sample = Corpus.from_text(text), text[5_000_000:5_005_000] + "-" + " ".join(words)[:5000]
    begin = time.process_time()
    report = novelty.report(sample, corpus)
    assert time.process_time() - begin < 10
    assert len(report.longest[0].text) == 5000


@pytest.mark.slow
def test_does_not_import_tensorflow():
    check = "import sys, tfgen.novelty, tfgen.cli.novelty; print({'tensorflow', 'keras'} & set(sys.modules))"
    environment = {"PYTHONPATH": str(pathlib.Path(tfgen.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", check], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample.txt").write_text("The cat sat on a mat.\n")
    (tmp_path / "corpus.txt").write_text("A dog. The cat sat down.\nA mat.\n")
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "latin-1.txt").write_bytes(b"caf\xe9")

    def run(*arguments, given=None):
        done = CliRunner().invoke(cli, ["novelty", *arguments], input=given)
        return types.SimpleNamespace(code=done.exit_code, out=done.stdout, error=done.exception)

    return run


def test_command_shows_a_table_and_the_longest_passages(run):
    done = run("sample.txt", "corpus.txt")
    assert (done.code, done.error) == (0, None)
    assert done.out == (
        "21 characters, compared with corpus.txt: 32 characters\n"
        "\n"
        "length  copied\n"
        "     4   61.1%  ████████████████████████\n"
        "     8   35.7%  ██████████████\n"
        "    12     10%  ████\n"
        "\n"
        "The longest copied passages:\n"
        "  12 characters at character 1: 'The cat sat '\n"
        "  5 characters at character 17: ' mat.'\n"
        "  1 character at character 13: 'o'\n"
        "  1 character at character 14: 'n'\n"
        "  1 character at character 15: ' '\n"
    )


def test_command_reads_standard_input_and_writes_json(run):
    done = run("-", "corpus.txt", "--json", given="The cat sat on a mat.\n")
    facts = json.loads(done.out)
    assert facts["sample"] == "-"
    assert facts["characters"] == 21
    assert facts["corpus"]["source"] == "corpus.txt"
    assert facts["longest"][0] == {"length": 12, "text": "The cat sat ", "begin": 0}
    assert facts["lengths"] == list(range(1, 14))
    assert facts["copied"][11:] == [0.1, 0]
    assert json.loads(run("sample.txt", "corpus.txt", "--json").out) == {**facts, "sample": "sample.txt"}


def test_command_takes_the_options_of_a_corpus(run):
    whole = json.loads(run("-", "corpus.txt", "--json", given="down.\nA mat").out)
    lines = json.loads(run("-", "corpus.txt", "--json", "--lines", given="down.\nA mat").out)
    assert whole["longest"][0]["length"] == 11
    assert [passage["text"] for passage in lines["longest"]] == ["down.", "A mat"]


def test_command_says_when_nothing_is_copied(run):
    done = run("-", "corpus.txt", given="xyz")
    assert done.out == "3 characters, compared with corpus.txt: 32 characters\nNone of them occurs there.\n"


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (["empty.txt", "corpus.txt"], "the sample is empty"),
        (["latin-1.txt", "corpus.txt"], "'latin-1.txt' is not UTF-8: byte 0xe9 at offset 3"),
        (["missing.txt", "corpus.txt"], "'missing.txt' cannot be read"),
        (["sample.txt", "missing.txt"], "no such file or named corpus: 'missing.txt'"),
    ],
)
def test_command_refuses(run, arguments, fact):
    done = run(*arguments)
    assert done.out == ""
    assert isinstance(done.error, InputError)
    assert fact in str(done.error)


def test_command_refuses_one_standard_input_for_two(run):
    assert run("-", "-", given="abc").code == 2
    assert run("sample.txt").code == 2
