"""Laws of the vocabulary, in NumPy alone; the layers it gives are tested in test_text_layers.py."""

import collections
import json
import math
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tfgen import vocabulary
from tfgen.errors import InputError
from tfgen.vocabulary import counting, splitting
from tfgen.vocabulary.vocabulary import END, PADDING, RESERVED, UNKNOWN, Coverage, Split, Vocabulary

# Few letters, so that counts differ and tie, among all of Unicode; NUL and U+0003 are refused in a corpus.
CHARACTERS = st.one_of(
    st.sampled_from("aab  c\n'é漢👩\u0301"), st.characters(exclude_categories=["Cs"], exclude_characters="\0\x03")
)
TEXTS = st.text(CHARACTERS)
SOME_TEXT = st.text(CHARACTERS, min_size=1)
SPLITS: st.SearchStrategy[Split] = st.sampled_from(["character", "word"])

unhurried = settings(deadline=None)  # the first word to be split waits for the classes of all characters


@dataclass
class Corpus:
    documents: Iterable[str]
    ends: bool = False


def tokens_of(text: str, split: Split) -> list[str]:
    return list(text) if split == "character" else list(splitting.words(text))


# Encoding and decoding


@given(SOME_TEXT, SPLITS)
@unhurried
def test_decoding_undoes_encoding(text: str, split: Split) -> None:
    known = Vocabulary.from_texts([text], split=split)
    ids = known.encode(text)
    assert ids.dtype == np.int32
    assert [known.tokens[i] for i in ids] == tokens_of(text, split)
    assert known.decode(ids) == text
    assert known.decode(ids.astype(np.int64).tolist()) == text


@given(SOME_TEXT, TEXTS, SPLITS)
@unhurried
def test_unknown_tokens_are_named_skipped_or_marked(known_text: str, text: str, split: Split) -> None:
    known = Vocabulary.from_texts([known_text], split=split)
    tokens = tokens_of(text, split)
    ids = [known.tokens.index(token) if token in known.tokens else UNKNOWN for token in tokens]
    assert known.encode(text, unknown="unknown").tolist() == ids
    assert known.encode(text, unknown="skip").tolist() == [i for i in ids if i != UNKNOWN]
    if UNKNOWN in ids:
        first = ids.index(UNKNOWN)
        with pytest.raises(InputError, match=rf" at {len(''.join(tokens[:first]))}[,; ]") as caught:
            known.encode(text)
        assert len(str(caught.value).splitlines()) == 1
    else:
        assert known.encode(text).tolist() == ids


def test_unknown_characters_are_named_with_code_points_and_positions() -> None:
    with pytest.raises(InputError) as caught:
        Vocabulary(["a"]).encode("aé\n漢éaéé")
    assert "'é' (U+00E9) at 1, 4, 6, ..., '\\n' (U+000A) at 2, '漢' (U+6F22) at 3; " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("king of", "write ' king' (with the space"),
        ("of The", "write 'The' (without the space"),
        ("of ", "leave out a space at its end"),
        ("of queens", None),
    ],
)
def test_a_word_that_is_known_with_another_space_before_it_is_offered(text: str, written: str | None) -> None:
    known = Vocabulary.from_texts(["The king of", "of"], split="word")
    assert {"The", " king", " of", "of"} <= {*known.tokens}
    with pytest.raises(InputError) as refused:
        known.encode(text)
    offered = str(refused.value).partition("; ")[2]
    assert offered.startswith("remove them" if written is None else written)


def test_the_list_of_unknown_words_is_short() -> None:
    with pytest.raises(InputError) as caught:
        Vocabulary(["a"], split="word").encode("a b c d e f g " + "h" * 200_000)
    assert "' b' at 1, ' c' at 3, ' d' at 5, ' e' at 7, ' f' at 9, ...; " in str(caught.value)
    assert len(str(caught.value)) < 400


@given(st.lists(st.integers(0, 5)))
@unhurried
def test_every_id_has_a_text(ids: list[int]) -> None:
    texts = ["", "\ufffd", "", "a", "漢", "👩"]
    known = Vocabulary(texts[3:])
    assert known.decode(ids) == "".join(texts[i] for i in ids)
    assert Vocabulary(texts[3:], split="word").decode(np.array(ids, np.int16)) == known.decode(ids)


@pytest.mark.parametrize("split", ["character", "word"])
def test_the_end_of_a_text_is_an_ordinary_token(split: Split) -> None:
    known = Vocabulary(["a", " "], split=split)
    assert known.encode("a \x03a").tolist() == [3, 4, END, 3]
    assert known.decode([3, END, 3, PADDING]) == "aa"
    assert known.encode("").shape == (0,)
    assert known.decode([]) == known.decode(known.encode("")) == ""


@given(st.data())
@unhurried
def test_long_texts_are_worked_on_in_pieces(data: st.DataObject) -> None:
    text = data.draw(SOME_TEXT)
    split = data.draw(SPLITS)
    whole = Vocabulary.from_texts([text], split=split)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splitting, "PIECE", data.draw(st.integers(1, 5)))
        patch.setattr(counting, "_COUNTED_TOGETHER", data.draw(st.integers(1, 10)))
        in_pieces = Vocabulary.from_texts([text], split=split)
        assert in_pieces == whole
        np.testing.assert_array_equal(in_pieces.encode(text), whole.encode(text))
        assert in_pieces.decode(whole.encode(text)) == text


@pytest.mark.parametrize("unknown", ["error", "skip", "unknown"])
@pytest.mark.parametrize("split", ["character", "word"])
@pytest.mark.parametrize("position", [0, 2, 70_000])
def test_half_a_character_is_reported_with_its_position(split: Split, unknown: Any, position: int) -> None:
    with pytest.raises(InputError, match=rf"U\+D83D, at position {position};"):
        Vocabulary(["a"], split=split).encode("a" * position + "\ud83d", unknown=unknown)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([6], "the ids of the vocabulary are 0 to 5; received 6"),
        ([3, -1], "received -1"),
        (np.array([2**64 - 1], np.uint64), "received 18446744073709551615"),
        (np.array([3], "m8[s]"), "timedelta64"),
        ([[3], [4, 5]], "one row of ids"),
        ([None], "object"),
        ([[3, 4]], r"shape \(1, 2\)"),
        (3, r"shape \(\)"),
        ([0.5], "float64"),
        (["a"], "integers"),
        ([True], "bool"),
        ([2**70], "object"),
    ],
)
@pytest.mark.parametrize("split", ["character", "word"])
def test_what_decode_refuses(split: Split, ids: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Vocabulary(["a", "b", "c"], split=split).decode(ids)


def test_what_encode_refuses() -> None:
    with pytest.raises(InputError, match="takes one str; received b'a'"):
        Vocabulary(["a"]).encode(b"a")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="unknown must be one of 'error', 'skip', 'unknown'; received 'ignore'"):
        Vocabulary(["a"]).encode("a", unknown="ignore")  # type: ignore[arg-type]


LARGE = Vocabulary([chr(0x4E00 + k) for k in range(300)])
LARGE_WORDS = Vocabulary(LARGE.tokens[3:], split="word")


@pytest.mark.parametrize("known", [LARGE, LARGE_WORDS])
@pytest.mark.parametrize(
    ("dtype", "received"),
    [
        *((kind, np.dtype(kind).name) for kind in (np.uint8, np.int8, bool, float, np.float16, str, object, "m8[s]")),
        *((">u1", "uint8"), (None, "None"), ("id", "'id'"), ([3], "[3]"), (len, "builtin_function_or_method")),
    ],
)
def test_a_type_that_does_not_hold_every_id_is_refused_before_any_text_is_read(
    known: Vocabulary, dtype: Any, received: str
) -> None:
    for encode in (
        lambda: known.encode("", dtype=dtype),
        lambda: known.encode_pieces([], dtype=dtype),
        lambda: known.encode_from(0, [], dtype=dtype),
    ):
        match = re.escape(f"ids up to 302, such as uint16; received {received}.")
        with pytest.raises(InputError, match=match) as caught:
            encode()
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.slow
@given(st.sampled_from([1, 125, 126, 253, 254, 32765, 32766, 65533, 65534]), st.sampled_from("bBhHiIlLqQ"))
@settings(deadline=None, max_examples=40)
def test_a_type_is_taken_if_and_only_if_no_id_is_wrapped_around(size: int, kind: str) -> None:
    known = Vocabulary([f"{k}" for k in range(size)], split="word")
    last = known.tokens[-1]
    if np.iinfo(kind).max >= len(known) - 1:
        ids = known.encode(last, dtype=kind)
        assert (ids.dtype, known.decode(ids)) == (np.dtype(kind), last)
    else:
        with pytest.raises(InputError, match="dtype must be"):
            known.encode(last, dtype=kind)
    assert known.decode(known.encode(last, dtype=known.id_type)) == last


# Counting a corpus


@given(st.lists(TEXTS), SPLITS, st.booleans())
@unhurried
def test_order_is_by_frequency_then_code_point(documents: list[str], split: Split, ends: bool) -> None:
    assume(any(documents))
    known = Vocabulary.from_corpus(Corpus(documents, ends), split=split)
    expected = collections.Counter(token for document in documents for token in tokens_of(document, split))
    assert known.tokens[:3] == ("", "[UNK]", "\x03") == RESERVED
    assert RESERVED == (vocabulary.PADDING_TOKEN, vocabulary.UNKNOWN_TOKEN, vocabulary.END_OF_TEXT)
    assert dict(zip(known.tokens[3:], known.counts[3:], strict=True)) == expected
    assert list(known.tokens[3:]) == sorted(expected, key=lambda token: (-expected[token], token))
    assert known.counts[:3] == (0, 0, len(documents) if ends else 0)
    assert known.ends == (ends and len(documents) > 0)


@given(st.lists(SOME_TEXT, min_size=1), st.randoms(use_true_random=False))
@unhurried
def test_characters_do_not_depend_on_how_the_corpus_is_cut(documents: list[str], random: Any) -> None:
    known = Vocabulary.from_texts(documents)
    random.shuffle(documents)
    assert Vocabulary.from_texts(["".join(documents)]) == known
    assert Vocabulary.from_corpus(Corpus(iter(documents))) == known  # read once: an iterator will do


@given(SOME_TEXT, SPLITS, st.integers(4, 12), st.integers(1, 4))
@unhurried
def test_limits_keep_the_most_frequent(text: str, split: Split, max_tokens: int, min_count: int) -> None:
    whole = Vocabulary.from_texts([text], split=split)
    frequent = [token for token, count in zip(whole.tokens, whole.counts, strict=True) if count >= min_count]
    assume(frequent)
    known = Vocabulary.from_texts([text], split=split, max_tokens=max_tokens, min_count=min_count)
    kept = min(len(frequent), max_tokens - 3)
    assert known.tokens == whole.tokens[: kept + 3]
    assert known.counts[3:] == whole.counts[3 : kept + 3]
    assert known.counts[UNKNOWN] == sum(whole.counts[kept + 3 :])
    assert sum(known.counts) == len(tokens_of(text, split))
    counted = collections.Counter(known.encode(text, unknown="unknown").tolist())
    assert counted == {i: count for i, count in enumerate(known.counts) if count}


@pytest.mark.parametrize(
    ("documents", "limits", "message"),
    [
        (["a"], {"max_tokens": 3}, "max_tokens must be a whole number of at least 4; received 3"),
        (["a"], {"max_tokens": 0}, "max_tokens must be a whole number of at least 4; received 0"),
        (["a"], {"max_tokens": "9"}, "max_tokens must be a whole number of at least 4; received '9'"),
        (["a"], {"max_tokens": True}, "max_tokens must be a whole number of at least 4; received True"),
        (["a"], {"min_count": 0}, "min_count must be a whole number of at least 1; received 0"),
        (["a"], {"min_count": True}, "min_count must be a whole number of at least 1; received True"),
        (["a"], {"split": "sentence"}, "split must be one of 'character', 'word'; received 'sentence'"),
        (["aab"], {"min_count": 3}, r"leaves no token: the most frequent, 'a' \(U\+0061\), occurs 2 times"),
        ([], {}, "holds no text"),
        (["", ""], {}, "holds no text"),
        (["a", "b\0"], {}, r"document 2: .* '\\x00' \(U\+0000\) at position 1"),
        (["ab\x03"], {}, r"document 1: .* '\\x03' \(U\+0003\) at position 2"),
        (["a", "", "ab\ud800"], {}, r"document 3: .*U\+D800, at position 2"),
        (["a", "ab\ud800"], {"split": "word"}, r"document 2: .*U\+D800, at position 2"),
        ([b"a"], {}, "document 1: a text must be a str; received b'a'"),
        ("abc", {}, r"put it in a list, \[text\]"),
    ],
)
def test_what_cannot_be_counted(documents: Any, limits: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Vocabulary.from_texts(documents, **limits)
    assert len(str(caught.value).splitlines()) == 1


# What the counts tell


def test_coverage_by_hand() -> None:
    coverage = Vocabulary.from_corpus(Corpus(["abracadabra", "!"], ends=True), min_count=2).coverage()
    assert coverage == Coverage(100 * 9 / 12, 3, 3, (("!", 1), ("c", 1), ("d", 1)))
    assert str(coverage) == "covers 75.00 % of the corpus, leaving out 3 tokens of 3 kinds: '!' (1), 'c' (1), 'd' (1)"


def test_coverage_of_many_shows_both_ends() -> None:
    text = "".join(chr(ord("a") + k) * (20 - k) for k in range(20))
    coverage = Vocabulary.from_texts([text], max_tokens=4).coverage()
    assert [token for token, _ in coverage.examples] == list("bcdefpqrst")
    assert "'f' (15), ..., 'p' (5)" in str(coverage)


def test_coverage_is_never_rounded_up_to_all() -> None:
    known = Vocabulary.from_texts(["a" * 99_999 + "b"], min_count=2)
    assert str(known.coverage()) == "covers 99.99 % of the corpus, leaving out 1 token of 1 kind: 'b' (1)"
    loaded = Vocabulary.from_config(known.get_config())
    assert str(loaded.coverage()) == "covers 99.99 % of the corpus, leaving out 1 token"
    assert str(Vocabulary.from_texts(["ab"]).coverage()) == "covers the whole corpus"


@given(SOME_TEXT, SPLITS)
@unhurried
def test_entropy_is_the_mean_surprise_of_the_text(text: str, split: Split) -> None:
    known = Vocabulary.from_texts([text], split=split)
    ids = known.encode(text)
    surprises = -np.log(np.array(known.counts)[ids] / len(ids))
    assert math.isclose(known.entropy(), surprises.mean(), abs_tol=1e-9)


def test_without_counts_nothing_is_told_of_a_corpus() -> None:
    known = Vocabulary(["a"])
    assert known.counts == (0, 0, 0, 0)
    assert not known.ends
    for ask in (known.entropy, known.coverage):
        with pytest.raises(InputError, match="has no counts"):
            ask()


# The vocabulary as a value


@given(st.lists(TEXTS), SPLITS, st.booleans(), st.integers(1, 2))
@unhurried
def test_the_config_is_json_and_gives_an_equal_vocabulary(
    documents: list[str], split: Split, ends: bool, min_count: int
) -> None:
    known = Vocabulary.from_corpus(Corpus([*documents, "  "], ends), split=split, min_count=min_count)
    config = json.loads(json.dumps(known.get_config()))
    again = Vocabulary.from_config(config)
    assert config == known.get_config()
    assert again == known
    assert hash(again) == hash(known)
    assert again.ends == known.ends
    assert again.coverage().percent == known.coverage().percent


def test_equality_is_by_content() -> None:
    known = Vocabulary(["a", "b"])
    assert known == Vocabulary(("a", "b"), [0] * 5)
    assert known != Vocabulary(["b", "a"])
    assert known != Vocabulary(["a", "b"], split="word")
    assert known != Vocabulary(["a", "b"], [0, 0, 0, 1, 1])
    assert known != "ab"
    assert repr(known) == "<Vocabulary of 5 tokens, split='character'>"
    assert Vocabulary(["a"], [np.int64(0)] * 4).get_config()["counts"] == [0] * 4


GOOD: dict[str, Any] = {"tokens": ["a", "b"], "counts": [0, 0, 0, 2, 1], "split": "character"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"tokens": None}, "tokens must be a list"),
        ({"tokens": "ab"}, "tokens must be a list"),
        ({"tokens": []}, "at least one token"),
        ({"tokens": ["a", 1]}, "token 1 of the vocabulary, 1, is not a str"),
        ({"tokens": ["a", ["b"]]}, "is not a str"),
        ({"tokens": ["a", ""]}, "is reserved"),
        ({"tokens": ["a", "\x03"]}, "is reserved"),
        ({"tokens": ["a", "[UNK]"], "split": "word"}, "is reserved"),
        ({"tokens": ["a", "b\0"], "split": "word"}, "holds NUL"),
        ({"tokens": ["a", "\ud800"]}, "lone surrogate"),
        ({"tokens": ["a", "bc"]}, "not a single character"),
        ({"tokens": ["a", "a"]}, r"'a' \(U\+0061\), is there already"),
        ({"counts": None}, "a vocabulary's config has counts, split, tokens"),
        ({"counts": 5}, "counts must be a list of 5"),
        ({"counts": [0, 0, 0, 2]}, "counts must be a list of 5"),
        ({"counts": "00021"}, "count 0 of the vocabulary must be a whole number"),
        ({"counts": [0, 0, 0, 2, -1]}, "count 4 .* received -1"),
        ({"counts": [0, 0, 0, 2, 1.5]}, "count 4 .* received 1.5"),
        ({"counts": [0, 0, 0, 2, True]}, "count 4 .* received True"),
        ({"counts": [1, 0, 0, 2, 1]}, "padding"),
        ({"split": "sentence"}, "split must be one of"),
        ({"split": ["word"]}, "split must be one of"),
        ({"extra": 1}, "a vocabulary's config has counts, split, tokens"),
    ],
)
def test_damaged_configs(damage: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Vocabulary.from_config(GOOD | damage)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("config", [None, [], "tokens", {}, {"tokens": ["a"]}, {1: 2}])
def test_what_is_no_config(config: Any) -> None:
    with pytest.raises(InputError, match="a vocabulary's config has counts, split, tokens; received"):
        Vocabulary.from_config(config)


def test_the_vocabulary_works_without_tensorflow() -> None:
    script = (
        "import sys\n"
        "from tfgen.vocabulary import Vocabulary\n"
        "print(Vocabulary.from_texts(['to be'], split='word').encode('to be').tolist())\n"
        "print({'keras', 'tensorflow'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "[4, 3]\nset()\n"
