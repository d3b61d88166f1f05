"""Mixtures: the weighted sum of what the members give, weights by likelihood, files, and what is refused."""

import keras
import numpy as np
import pytest
from cli_support import TINY, here_fixture  # noqa: F401 - a fixture
from hypothesis import given
from hypothesis import strategies as st

from tfgen import InputError, TextGenerator, Vocabulary, networks
from tfgen.networks import mixture

VOCABULARY = Vocabulary.from_texts(["abcde"])


def members():
    counts = TextGenerator(VOCABULARY, networks.ngram(VOCABULARY.encode("abcdeabcdecba" * 9), VOCABULARY, order=3))
    return [TextGenerator.build(VOCABULARY, units=5, batch_size=2, seed=1), counts]


@pytest.mark.slow
def test_probabilities_are_the_weighted_sum():
    both = members()
    mixed = TextGenerator.mix(both, weights=[0.7, 0.3])
    one, other = (np.exp(each.score("abcabde").log_probabilities) for each in both)
    expected = np.log(0.7 * one + 0.3 * other)
    np.testing.assert_allclose(mixed.score("abcabde").log_probabilities, expected, atol=1e-5)
    ids = VOCABULARY.encode("abcab")[np.newaxis]
    np.testing.assert_allclose(mixed(ids).numpy().sum(axis=-1), 1, atol=1e-5)


def test_without_a_text_networks_weigh_more_than_counts():
    network, counts = members()
    assert TextGenerator.mix([network, counts]).provenance["shares"] == [0.6, 0.4]
    assert TextGenerator.mix([counts, network]).provenance["shares"] == [0.4, 0.6]
    assert TextGenerator.mix([network, network]).provenance["shares"] == [0.5, 0.5]


@given(st.lists(st.tuples(*2 * [st.floats(-9, -0.01)]), min_size=1, max_size=30), st.floats(0, 1))
def test_no_other_weight_makes_the_text_likelier(log_p, other):
    p = np.exp(np.array(log_p)).T
    shares = mixture.fitted(np.log(p))
    assert shares.sum() == pytest.approx(1)
    assert np.log(shares @ p).mean() >= np.log(np.array([other, 1 - other]) @ p + 1e-300).mean() - 1e-3


@given(st.lists(st.tuples(*2 * [st.floats(-9, -0.01)]), min_size=1, max_size=30))
def test_crossed_scores_of_a_half_are_those_of_weights_that_the_other_half_alone_decides(log_p):
    p = np.exp(np.array(log_p)).T
    half, crossed = p.shape[1] // 2, mixture.crossed(np.log(p))
    assert crossed.shape == p.shape[1:]
    for own, other, given_scores in (
        (p[:, :half], p[:, half:], crossed[:half]),
        (p[:, half:], p[:, :half], crossed[half:]),
    ):
        np.testing.assert_allclose(np.exp(given_scores), mixture.fitted(np.log(other)) @ own, rtol=1e-9)
        assert own.size == 0 or given_scores.mean() <= np.log(mixture.fitted(np.log(own)) @ own).mean() + 1e-3


def test_a_mixture_is_fitted_saved_and_loaded(tmp_path):
    both = members()
    mixed = TextGenerator.mix(both, on="abcdeabcdecba")
    assert mixed.score("abcdeabcdecba").nats <= min(each.score("abcdeabcdecba").nats for each in both) + 1e-3
    mixed.save(tmp_path / "mixed.keras")
    loaded = keras.saving.load_model(tmp_path / "mixed.keras")
    assert loaded.generate("ab", seed=2) == mixed.generate("ab", seed=2)
    assert loaded.provenance == mixed.provenance


def test_what_cannot_be_mixed_is_refused(tmp_path):
    network, counts = members()
    other = TextGenerator.build(Vocabulary.from_texts(["abcdf"]), units=3)
    mixed = TextGenerator.mix([network, counts])
    for call, message in (
        (lambda: TextGenerator.mix([network]), "at least two generators"),
        (lambda: TextGenerator.mix([network, other]), "one vocabulary"),
        (
            lambda: TextGenerator.mix([network, mixed]),
            "a mixture has no mixtures in it; received one as a member",
        ),
        (lambda: TextGenerator.mix([network, counts], weights=[1, 1]), "must sum to 1"),
        (lambda: TextGenerator.mix([network, counts], weights=[0.5, 0.5], on="a"), "received both"),
        (lambda: mixed.fit(np.ones((2, 3)), np.ones((2, 3))), "a mixture is not trained by fit"),
        (lambda: mixed.with_batch_size(3), "give None"),
        (lambda: mixed.export(tmp_path / "onnx", "onnx"), "ONNX holds the step of a network"),
    ):
        with pytest.raises(InputError, match=message):
            call()


@pytest.mark.slow
def test_the_command_mixes_files(here):
    for name, each in zip("ab", members(), strict=True):
        each.save(here.folder / f"{name}.keras")
    (here.folder / "on.txt").write_text("abcdeabcdecba" * 3)
    out = here.done("mix", "a.keras", "b.keras", "-o", "both.keras", "--on", "on.txt")
    assert len(out.splitlines()) == 9
    assert "nats a character of on.txt: both.keras" in out
    assert "each half of the text with weights fitted on the other half" in out
    assert "{" not in here.done("inspect", "both.keras")
    assert "The model is both.keras" in out
    assert here.done("generate", "both.keras", "ab", "--length", 5, "--seed", 1).startswith("ab")
    assert "NGrams(order 3" in here.done("inspect", "both.keras")
    here.refused("mix", "a.keras", "-o", "c.keras")
    here.refused("mix", "a.keras", "missing.keras", "-o", "c.keras")


@pytest.mark.slow
def test_a_network_is_trained_and_mixed_with_counts_of_its_training_part(here):
    (here.folder / "fox.txt").write_text("the quick brown fox jumps over the lazy dog.\n" * 40)
    out = here.done("train", "fox.txt", *TINY, "--no-sample", "--ngrams", 4)
    assert "mixed with n-grams of up to 4 tokens: " in out
    assert "NGrams(order 4" in here.done("inspect", "fox.keras")
    here.refused("train", "fox.txt", *TINY, "--ngrams", 4, "--validation", 0, "-o", "b.keras")
