"""Scores are the network's own probabilities of each token, whatever texts are scored together."""

import math
from types import SimpleNamespace

import alphabet
import numpy as np
import pytest
import tensorflow as tf

from tfgen.errors import InputError
from tfgen.terms.scores import Score
from tfgen.text_generator import TextGenerator
from tfgen.vocabulary.vocabulary import END, Vocabulary
from tfgen.writing.scoring import Scorer

LETTERS = "abcdefgh"
VOCABULARY = Vocabulary.from_texts([LETTERS])


@pytest.fixture(scope="module")
def generator() -> TextGenerator:
    """Untrained, but far from uniform."""
    generator = TextGenerator.build(VOCABULARY, units=6, layers=2, seed=1)
    generator.set_weights([2 * weight for weight in generator.get_weights()])
    return generator


def some_text(length: int, seed: int = 0) -> str:
    return "".join(np.random.default_rng([length, seed]).choice(list(LETTERS), length))


def softmax_of(generator: TextGenerator, text: str) -> np.ndarray:
    """The network's probabilities (T, V) before each token of the text, read directly."""
    ids = generator.vocabulary.encode(text)
    return generator.network(np.array([[END, *ids[:-1]]], np.int32)).numpy()[0].astype(np.float64)


def log_probabilities_by_hand(generator: TextGenerator, text: str) -> np.ndarray:
    ids = generator.vocabulary.encode(text)
    return np.log(softmax_of(generator, text)[np.arange(len(ids)), ids])


def test_scores_of_many_texts_are_the_logarithms_of_the_softmax_for_each(generator: TextGenerator) -> None:
    # Longer than a piece of 256 and just as long, and more than one batch of 64, out of order.
    lengths = [300, 1, 256, 2, 257, 7, *range(3, 80)]
    texts = [some_text(length, seed) for seed, length in enumerate(lengths)]
    assert len(texts) > 64
    scores = generator.score(texts)
    assert [score.text for score in scores] == texts
    for text, score in zip(texts, scores, strict=True):
        assert score.log_probabilities.shape == score.ranks.shape == (len(text),)
        assert score.log_probabilities.dtype == np.float64
    padded = np.zeros((len(texts), 300), np.int32)
    for row, text in zip(padded, texts, strict=True):
        row[: len(text)] = VOCABULARY.encode(text)
    inputs = np.insert(padded[:, :-1], 0, END, axis=1)
    softmax = generator.network(inputs).numpy().astype(np.float64)
    by_hand = np.log(np.take_along_axis(softmax, padded[..., np.newaxis], axis=-1)[..., 0])
    for row, score in zip(by_hand, scores, strict=True):
        np.testing.assert_allclose(score.log_probabilities, row[: len(score.text)], rtol=0, atol=1e-5)


def test_a_network_of_no_numbers_scores_nothing(generator: TextGenerator) -> None:
    twin = generator.with_batch_size(None)
    twin.set_weights([each * np.nan for each in twin.get_weights()])
    with pytest.raises(InputError, match="output is NaN"):
        twin.score("abc")


def test_a_perplexity_may_be_too_large_a_number() -> None:
    score = Score("ab", ("a", "b"), 2, np.array([-1e4, -1e4]), np.array([1, 1], np.int32))
    assert score.perplexity == math.inf


def test_a_text_scores_alone_as_it_does_among_others(generator: TextGenerator) -> None:
    texts = [some_text(length) for length in (5, 300, 20)]
    for text, among_others in zip(texts, generator.score(texts), strict=True):
        alone = generator.score(text)
        np.testing.assert_allclose(alone.log_probabilities, among_others.log_probabilities, rtol=0, atol=1e-6)
        np.testing.assert_array_equal(alone.ranks, among_others.ranks)


def test_a_stateful_network_scores_as_its_stateless_twin_does(generator: TextGenerator) -> None:
    text = some_text(30)
    stateful = generator.with_batch_size(2).score(text)
    np.testing.assert_array_equal(stateful.log_probabilities, generator.score(text).log_probabilities)


def test_nats_bits_and_perplexity_are_one_sum_in_other_words(generator: TextGenerator) -> None:
    score = generator.score("abcabchgf")
    assert score.nats == pytest.approx(-log_probabilities_by_hand(generator, "abcabchgf").sum(), abs=1e-5)
    assert score.nats_per_character == score.nats / 9
    assert score.bits_per_character == pytest.approx(score.nats / 9 / math.log(2))
    assert score.perplexity == pytest.approx(math.exp(score.nats / 9))
    assert score.tokens == tuple("abcabchgf")


def test_the_probability_of_a_text_is_the_product_of_its_parts(generator: TextGenerator) -> None:
    whole = generator.score("hgfedcba").log_probabilities
    np.testing.assert_allclose(generator.score("hgfe").log_probabilities, whole[:4], rtol=0, atol=1e-6)


def test_ranks_count_the_tokens_that_are_likelier(generator: TextGenerator) -> None:
    text = some_text(40)
    ids, probabilities = VOCABULARY.encode(text), softmax_of(generator, text)
    by_hand = [1 + int((row > row[i]).sum()) for i, row in zip(ids, probabilities, strict=True)]
    assert len(set(by_hand)) > 3
    assert generator.score(text).ranks.tolist() == by_hand


def test_equally_likely_tokens_share_the_better_rank() -> None:
    generator = TextGenerator.build(Vocabulary.from_texts(["abcd"]), units=2)
    kernel, bias = generator.network.layers[-1].weights
    kernel.assign(np.zeros(kernel.shape))
    bias.assign([-9, -9, -9, 1, 3, 1, 2])
    assert generator.score("abcdba").ranks.tolist() == [3, 1, 3, 2, 1, 3]


def test_an_untrained_network_of_equal_chances_has_the_perplexity_v() -> None:
    generator = TextGenerator.build(VOCABULARY, units=2)
    for weight in generator.network.layers[-1].weights:
        weight.assign(np.zeros(weight.shape))
    score = generator.score("abcdefgh")
    assert score.perplexity == pytest.approx(len(VOCABULARY))
    assert score.ranks.tolist() == [1] * 8


def test_words_are_scored_by_the_word_and_compared_by_the_character() -> None:
    text = "to be or not to be"
    words = Vocabulary.from_corpus(SimpleNamespace(documents=[text], ends=False), split="word")
    generator = TextGenerator.build(words, units=3, embedding=4, seed=1)
    score = generator.score(text)
    assert score.tokens == ("to", " be", " or", " not", " to", " be")
    assert score.log_probabilities.shape == (6,)
    assert score.nats_per_character == pytest.approx(score.nats / 18)
    assert score.perplexity == pytest.approx(math.exp(score.nats / 6))
    np.testing.assert_allclose(score.log_probabilities, log_probabilities_by_hand(generator, text), rtol=0, atol=1e-5)


def test_one_text_gives_one_score_and_several_a_list(generator: TextGenerator) -> None:
    assert generator.score("abc").text == "abc"
    assert [score.text for score in generator.score(("abc", "h"))] == ["abc", "h"]
    assert generator.score([]) == []


def test_an_empty_text_is_an_error(generator: TextGenerator) -> None:
    for text in ("", ["abc", ""]):
        with pytest.raises(InputError, match="nothing to score in ''"):
            generator.score(text)


def test_unknown_characters_are_named_skipped_or_scored(generator: TextGenerator) -> None:
    with pytest.raises(InputError, match=r"'é' \(U\+00E9\) at 2"):
        generator.score("abéc")
    skipped = generator.score("abéc", unknown="skip")
    assert skipped.tokens == ("a", "b", "c")
    np.testing.assert_array_equal(skipped.log_probabilities, generator.score("abc").log_probabilities)
    marked = generator.score("abéc", unknown="unknown")
    assert marked.tokens == ("a", "b", "\ufffd", "c")
    with pytest.raises(InputError, match="nothing to score"):
        generator.score("éé", unknown="skip")


@pytest.mark.parametrize("text", [None, 5, b"abc", ["abc", 1]])
def test_a_text_must_be_a_str(generator: TextGenerator, text: object) -> None:
    with pytest.raises(InputError, match="text must be a str"):
        generator.score(text)  # type: ignore[call-overload]


@pytest.mark.slow
def test_many_models_that_are_read_once_each_are_not_called_retraced(caplog: pytest.LogCaptureFixture) -> None:
    for each in range(6):
        Scorer(alphabet.Alphabet())([alphabet.ids_of("abc"[: 1 + each % 3])])
    assert "retracing" not in caplog.text
    again = tf.function(lambda number: number + 1)  # what is really traced again and again is still said
    for number in range(6):
        again(number)
    assert "retracing" in caplog.text
