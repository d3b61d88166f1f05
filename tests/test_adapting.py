"""Models that learn while they read: scored before they learn, by the formula, and the model stays as it is."""

import itertools

import keras
import numpy as np
import pytest
from cli_support import here_fixture  # noqa: F401 - a fixture
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from models import VOCABULARY, V, model_of

from tfgen import InputError, TextGenerator, networks
from tfgen.networks import adapting
from tfgen.ngrams import adaptive, counting, kneser_ney
from tfgen.vocabulary import END, PADDING

POSSIBLE = np.arange(8) >= END
texts = st.lists(st.lists(st.integers(END + 1, 6), min_size=1, max_size=12), min_size=1, max_size=6)


def some_ids(number, seed=0):
    return np.random.default_rng(seed).integers(END + 1, V, size=number)


def log_p(model, ids, rate=adapting.RATE):
    text = np.concatenate([[END], ids])
    reading = adapting.learner_of(model, rate).begin(text[:1])
    return np.concatenate([reading.read(piece) for piece in adapting.pieces(text)])


@pytest.mark.parametrize("name", [pytest.param("lstm", marks=pytest.mark.slow), "counts", "mixture"])
def test_nothing_of_a_score_depends_on_what_comes_after_its_segment(name):
    ids = some_ids(3 * adapting.SEGMENT + 7)
    first = log_p(model_of(name), ids)
    for cut in (1, adapting.SEGMENT, 2 * adapting.SEGMENT):
        other = np.concatenate([ids[:cut], ids[cut:][::-1]])
        np.testing.assert_array_equal(log_p(model_of(name), other)[: cut + 1], first[: cut + 1])
    reversed_first = np.concatenate([ids[:20][::-1], ids[20:]])
    changed = np.exp(first) - np.exp(log_p(model_of(name), reversed_first))
    assert np.abs(changed[30:]).max() > 1e-4  # and something depends on what came before


def test_a_rate_of_nothing_is_the_static_model():
    ids = some_ids(50)
    static = model_of("lstm").network(np.concatenate([[END], ids])[np.newaxis, :-1]).numpy()[0]
    np.testing.assert_allclose(np.exp(log_p(model_of("lstm"), ids, rate=0.0)), static, atol=1e-6)


def test_the_update_is_that_of_the_formula():
    model = model_of("lstm")
    text = np.concatenate([[END], some_ids(2 * adapting.SEGMENT + 9)])
    features = model.read(text[np.newaxis, :-1], None, model.start((), 1))[0].numpy()[0].astype(np.float64)
    kernel, bias = (np.array(weight, np.float64) for weight in model.network.layers[-1].get_weights())
    trained, squares, seen, expected = np.vstack([kernel, bias]), 0.0, 0, []
    theta = trained
    for begin in range(0, len(features), adapting.SEGMENT):
        h = features[begin : begin + adapting.SEGMENT]
        h = np.hstack([h, np.ones((len(h), 1))])
        logits = h @ theta
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        expected.append(np.log(p))
        gradient = h.T @ (p - np.eye(V)[text[1:][begin : begin + adapting.SEGMENT]]) / len(h)
        squares, seen = squares + (h**2).T @ (p * (1 - p)), seen + len(h)
        r = np.sqrt(squares / seen / 20)
        theta = theta - 5e-3 * np.clip(gradient / (r + 0.2 * r.mean()), -8, 8)
        theta = theta + np.minimum(1, 1e-3 * r / r.mean()) * (trained - theta)
    np.testing.assert_allclose(log_p(model, text[1:]), np.concatenate(expected), atol=1e-4)


@examples(40)
@given(texts, texts, st.booleans(), st.integers(2, 5))
def test_counts_that_go_on_are_those_of_both_texts(first, more, ends, order):
    end = [END] * ends
    one, other = ([*itertools.chain(*([*text, *end] for text in each))] for each in (first, more))
    one = np.array([*end, *one])
    counts = adaptive.AdaptiveCounts(kneser_ney.smoothed(counting.count([one], order, 8), POSSIBLE))
    p = counts.read(one, other)
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)
    both = kneser_ney.smoothed(counting.count([np.concatenate([one, other])], order, 8), POSSIBLE)
    tables = counts.tables()
    for name in ("oldest", "children", "entries", "following", "totals"):
        assert getattr(tables, name).tolist() == getattr(both, name).tolist(), name
    again = adaptive.AdaptiveCounts(tables).read(one, other)
    np.testing.assert_allclose(again, counts.read(one, other), atol=1e-5)
    context = [*reversed(one)][: order - 1]
    context = context[: context.index(END) + 1] if END in context else context
    context += [PADDING] * (order - 1 - len(context))
    expected = tables.probabilities([np.arange(8), *(np.full(8, token) for token in context)])
    np.testing.assert_allclose(again[0], expected, atol=1e-6)


def generator_of(name):
    return TextGenerator(VOCABULARY, model_of(name).network)


@pytest.mark.parametrize("name", ["lstm", pytest.param("mixture", marks=pytest.mark.slow)])
def test_a_score_that_adapts_leaves_the_model_as_it_is(name):
    generator = generator_of(name)
    before = generator.writer.model.fingerprint()
    text = "abcde" * 30
    static, adapted = generator.score(text), generator.score(text, adapt=True)
    assert adapted.nats < static.nats
    assert generator.writer.model.fingerprint() == before
    np.testing.assert_array_equal(generator.score(text).log_probabilities, static.log_probabilities)
    again = generator.score(["ab", text], adapt=True)[1]  # each text begins with the model as it is
    np.testing.assert_array_equal(again.log_probabilities, adapted.log_probabilities)


@pytest.mark.slow
def test_a_session_reads_on():
    generator = generator_of("lstm")
    whole, parts = generator.start("abcdeab", seed=1), generator.start("abcd", seed=1)
    parts.read("eab")
    assert parts.text == "abcdeab"
    assert parts.generate(20) == whole.generate(20)


@pytest.mark.slow
def test_a_session_learns_and_the_model_does_not(tmp_path):
    generator = generator_of("mixture")
    before = generator.writer.model.fingerprint()
    session = generator.start("a", seed=1)
    twin = session.fork()
    for _ in range(2):
        session.read("bcdea" * 40, adapt=True)
    twin.read("bcdea" * 80)
    likely = [each.generate(15, temperature=0) for each in (session, twin)]
    assert likely[0] == "bcdea" * 3
    assert likely[1] != likely[0]
    assert generator.writer.model.fingerprint() == before
    with pytest.raises(InputError, match="has learned while reading is not saved"):
        session.save(tmp_path / "session")


def test_what_cannot_learn_is_refused():
    for name in ("from a picture", "attending"):
        with pytest.raises(InputError, match="learn while they read, and this model is none of them; omit --adapt"):
            adapting.learner_of(model_of(name))
    session = generator_of("lstm").start("a")
    for call, message in (
        (lambda: generator_of("lstm").score("a", adapt=1), "adapt must be True or False"),
        (lambda: session.read(""), "nothing to read"),
        (lambda: session.read(1), "text must be a str"),
        (lambda: session.read("\x03") or session.read("a"), "come to its end"),
    ):
        with pytest.raises(InputError, match=message):
            call()


def test_the_command_names_the_protocol(here):
    counts = networks.ngram(VOCABULARY.encode("abcdecab" * 9), VOCABULARY, order=3)
    TextGenerator(VOCABULARY, counts).save(here.folder / "counts.keras")
    assert "each part scored before it was learned from" in here.done("score", "counts.keras", "ab" * 20, "--adapt")
    assert '"protocol": "static"' in here.done("score", "counts.keras", "ab", "--json")
    here.refused("score", "counts.keras", "ab", "--adapt", "--engine", "numpy")
    assert keras.saving.load_model(here.folder / "counts.keras").network.layers[-1].order == 3
