"""Tokens chosen and helped by what they say: masks and biases, by characters, categories, patterns and tokens."""

import numpy as np
import pytest
from sampling_support import NEVER, support

from tfgen import InputError, Vocabulary
from tfgen.sampling import Allow, Forbid, LogitBias, Mask

LETTERS = Vocabulary.from_texts(["abcABC 12é"])
WORDS = Vocabulary.from_texts(["the cat and a hat, 7 cats"], split="word")


def kept(transform, vocabulary):
    """Give the tokens that a transform leaves, without the reserved ones."""
    out = transform.bind(vocabulary)(np.zeros(len(vocabulary)))
    return {token for token, there in zip(vocabulary.tokens[3:], support(out)[3:], strict=True) if there}


@pytest.mark.parametrize(
    ("transform", "left"),
    [
        (Allow("abz"), "ab"),
        (Allow(category="Lu"), "ABC"),
        (Allow(category="Lu Nd"), "ABC12"),
        (Allow(category="L"), "abcABCé"),
        (Allow(pattern="[a-b]|é"), "abé"),
        (Forbid("abz"), "cABC 12é"),
        (Forbid(category="L"), " 12"),
        (Forbid(category="Zs N"), "abcABCé"),
        (Forbid(pattern=r"\w"), " "),
    ],
    ids=lambda part: repr(getattr(part, "spec", part)),
)
def test_characters_are_chosen_by_text(transform, left):
    assert kept(transform, LETTERS) == set(left)


@pytest.mark.parametrize(
    ("transform", "left"),
    [
        (Allow(" acht"), {" cat", " a", " hat"}),
        (Allow(category="L"), {"the"}),  # the others begin with their space
        (Allow(category="L Zs"), {"the", " cat", " and", " a", " hat", " cats"}),
        (Allow(pattern=" .at"), {" cat", " hat"}),
        (Forbid("h7"), {" cat", " and", " a", " cats", ","}),  # any forbidden character forbids a word
        (Forbid(category="N P"), {"the", " cat", " and", " a", " hat", " cats"}),
        (Forbid(pattern=" ?cat.*"), {"the", " and", " a", " hat", ",", " 7"}),
    ],
    ids=lambda part: repr(part.spec) if hasattr(part, "spec") else repr(sorted(part)),
)
def test_words_are_chosen_by_their_characters(transform, left):
    assert kept(transform, WORDS) == left


def test_an_end_of_text_may_always_come():
    for transform in (Allow("a"), Forbid("a")):
        assert support(transform.bind(LETTERS)(np.zeros(len(LETTERS))))[2]


@pytest.mark.parametrize(
    "transform", [Allow("z"), Allow(category="Lt"), Forbid(pattern="."), Forbid(category="L N Z")], ids=str
)
def test_a_choice_that_leaves_nothing_is_refused(transform):
    with pytest.raises(InputError, match=f"the {transform.spec[0]} .*nothing is (allowed|left)"):
        transform.bind(LETTERS)


@pytest.mark.parametrize(
    "settings",
    [{}, {"characters": ""}, {"characters": "a", "category": "L"}, {"category": " "}, {"category": 3}, {"pattern": ""}],
    ids=repr,
)
@pytest.mark.parametrize("kind", [Allow, Forbid])
def test_one_way_of_saying_which_is_wanted(kind, settings):
    with pytest.raises(InputError, match=r"give one of characters, category(,| and) pattern"):
        kind(**settings)


@pytest.mark.parametrize("kind", [Allow, Forbid])
def test_a_wrong_regular_expression_is_refused_at_once(kind):
    with pytest.raises(InputError, match=r"the pattern '\[a' is no regular expression: unterminated"):
        kind(pattern="[a")


def test_a_bias_by_token_is_a_bias_by_id():
    bound = LogitBias({"b": 2, "A": NEVER}).bind(LETTERS)
    expected = np.where([token == "b" for token in LETTERS.tokens], 2, 0.0)
    expected[LETTERS.tokens.index("A")] = NEVER
    np.testing.assert_array_equal(bound.biases, expected)
    assert bound.bind(LETTERS) is bound
    np.testing.assert_array_equal(LogitBias({}).bind(LETTERS).biases, np.zeros(len(LETTERS)))


@pytest.mark.parametrize("token", ["z", "ab", "", "[UNK]"])
def test_a_bias_of_an_unknown_token_is_refused(token):
    with pytest.raises(InputError, match="the vocabulary has no token") as refusal:
        LogitBias({token: 1.0}).bind(LETTERS)
    assert repr(token) in str(refusal.value)


@pytest.mark.parametrize("transform", [LogitBias([0.0, 1.0]), Mask([True, False])], ids=["LogitBias", "Mask"])
def test_what_is_said_by_id_must_fit_the_vocabulary(transform):
    with pytest.raises(InputError, match=f"there are 2 .*, but the vocabulary has {len(LETTERS)} tokens"):
        transform.bind(LETTERS)


@pytest.mark.parametrize(
    "biases",
    [np.inf, [np.inf], 1e7, [1e7], [True], [[1], [1, 2]], [[1.0]], "ab", None, {"a": "b"}, {"a": None}, {3: 1}],
)
def test_a_bias_that_cannot_be_is_refused(biases):
    with pytest.raises(InputError, match=r"^biases .*received "):
        LogitBias(biases)


@pytest.mark.parametrize("mask", [True, None, "ab", [1, 0], [[True]], [[True], [True, False]]], ids=repr)
def test_a_mask_that_cannot_be_is_refused(mask):
    with pytest.raises(InputError, match=r"^a mask must be .*received "):
        Mask(mask)
