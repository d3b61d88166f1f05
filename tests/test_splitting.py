"""The rule for words: lossless, local, and kind to marks."""

import itertools
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tfgen.errors import InputError
from tfgen.vocabulary import splitting

# Characters of every class, so that all neighbourhoods occur: Hypothesis alone would rarely put two of a kind together.
TRICKY = " \n\r\t\u2028\u00a0\x03ab9_é'’-.\"漢かノไกक\u0301\u093f\ufe0f\u200c\u200d👩🏽❤🇫\U000e0067\0"
CHARACTERS = st.one_of(st.sampled_from(TRICKY), st.characters(exclude_categories=["Cs"]))
TEXTS = st.text(CHARACTERS)


def words(text: str) -> list[str]:
    return list(splitting.words(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Hello, world", ["Hello", ",", " world"]),
        ("I don't.", ["I", " don't", "."]),
        ("don’t", ["don’t"]),
        ("the dogs' 'tis rock 'n' roll", ["the", " dogs", "'", " '", "tis", " rock", " '", "n", "'", " roll"]),
        ("a''b", ["a", "'", "'", "b"]),
        ("one  two", ["one", " ", " two"]),
        ("end \n", ["end", " ", "\n"]),
        ("a\n b", ["a", "\n", " b"]),
        ("a\r\nb\u2028c\td", ["a", "\r", "\n", "b", "\u2028", "c", "\t", "d"]),
        ("10\u00a0000", ["10", "\u00a0", "000"]),
        ("snake_case x2", ["snake_case", " x2"]),
        ("3.14", ["3", ".", "14"]),
        ("well-known", ["well", "-", "known"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),  # combining accents
        ("हिन्दी भाषा", ["हिन्दी", " भाषा"]),  # Devanagari: vowel signs and virama are marks
        ("می\u200cخواهم", ["می\u200cخواهم"]),  # Persian: a zero-width non-joiner within the word
        ("한국어 글", ["한국어", " 글"]),
        ("漢字かな", ["漢", "字", "か", "な"]),
        ("用 TF2 吧", ["用", " TF2", " 吧"]),
        ("漢\ufe00a", ["漢\ufe00", "a"]),  # an ideograph with a variation selector, then a word
        ("ไทย", ["ไ", "ท", "ย"]),
        ("ok 👍🏽!", ["ok", " 👍🏽", "!"]),
        ("👩‍👩‍👧x", ["👩‍👩‍👧", "x"]),  # a family: three emoji and two joiners
        ("❤\ufe0flove", ["❤\ufe0f", "love"]),
        ("\u0301a", ["\u0301a"]),  # a mark with nothing before it
        ("a \u0301b", ["a", " \u0301b"]),
        ("bye \x03", ["bye", " ", "\x03"]),  # no space sticks to the end of a text
    ],
)
def test_examples(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(TEXTS)
@example("".join(chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF))
@settings(deadline=None)
def test_joining_the_words_gives_the_text(text: str) -> None:
    tokens = words(text)
    assert "".join(tokens) == text
    assert all(tokens)


@given(TEXTS, st.data())
@settings(deadline=None)
def test_splitting_can_start_again_at_any_word(text: str, data: st.DataObject) -> None:
    tokens = words(text)
    k = data.draw(st.integers(0, len(tokens)))
    assert words("".join(tokens[k:])) == tokens[k:]


@given(TEXTS, st.integers(1, 9))
@example("don't", 4)  # the piece ends with an apostrophe, which needs the word before it and the letter after
@example("e\u0301'\u0301e", 4)
@settings(deadline=None)
def test_long_text_is_split_piece_by_piece_alike(text: str, piece: int) -> None:
    whole = words(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splitting, "PIECE", piece)
        assert words(text) == whole


@given(TEXTS)
@settings(deadline=None)
def test_white_space_stands_alone_but_for_one_leading_space(text: str) -> None:
    for token in words(text):
        assert not any(character.isspace() for character in token[1:])
        assert not token[0].isspace() or token[0] == " " or len(token) == 1


@given(TEXTS)
@settings(deadline=None)
def test_a_mark_stays_with_the_character_before_it(text: str) -> None:
    for before, this in itertools.pairwise(words(text)):
        assert unicodedata.category(this[0])[0] != "M" or before[-1].isspace() or before[-1] == "\x03"


def test_classes_cover_all_of_unicode_in_order() -> None:
    runs = splitting.class_runs()
    assert runs.firsts[0] == 0
    assert (np.diff(runs.firsts) > 0).all()
    assert (np.diff(runs.classes) != 0).all()


@pytest.mark.parametrize("position", [0, 3, 70_000])
def test_half_a_character_is_reported_with_its_position(position: int) -> None:
    with pytest.raises(InputError, match=rf"U\+DC80, at position {position};"):
        words("a " * (position // 2) + "b" * (position % 2) + "\udc80 c")
