"""The metrics are exact means over real targets, however these fall into batches."""

import json
import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from tfgen.metrics import BitsPerCharacter, NatsPerCharacter, Perplexity
from tfgen.vocabulary.vocabulary import PADDING

KINDS = [NatsPerCharacter, BitsPerCharacter, Perplexity]
V = 6

few = examples(30)  # each example runs TensorFlow


@st.composite
def predictions(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Targets (B, T), some of them padding, and probabilities (B, T, V)."""
    shape = (draw(st.integers(1, 6)), draw(st.integers(1, 5)))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    targets = random.integers(1, V, shape) * (random.random(shape) < draw(st.sampled_from([0.0, 0.5, 1.0])))
    return targets.astype(np.int32), random.dirichlet(np.full(V, 0.5), shape).astype(np.float32)


def nats_by_hand(targets: np.ndarray, probabilities: np.ndarray, weights: np.ndarray | None = None) -> float:
    weights = np.ones(targets.shape) if weights is None else weights
    costs = [
        (-math.log(max(float(probabilities[b, t, targets[b, t]]), 1.1754944e-38)) * weights[b, t], weights[b, t])
        for b, t in np.argwhere(targets != PADDING)
    ]
    total = math.fsum(weight for _, weight in costs)
    return math.fsum(cost for cost, _ in costs) / total if total else 0.0


def measured(metric: Any, *batches: tuple[Any, ...]) -> float:
    for batch in batches:
        metric.update_state(*batch)
    return float(metric.result())


@given(predictions())
@few
def test_nats_are_the_mean_of_minus_ln_p_over_real_targets(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    assert measured(NatsPerCharacter(), drawn) == pytest.approx(nats_by_hand(*drawn), rel=1e-6)


@given(predictions(), st.integers(0, 6))
@few
def test_the_split_into_batches_changes_nothing(drawn: tuple[np.ndarray, np.ndarray], cut: int) -> None:
    targets, probabilities = drawn
    batches = [(targets[rows], probabilities[rows]) for rows in (np.s_[:cut], np.s_[cut:])]
    assert measured(NatsPerCharacter(), *batches) == pytest.approx(measured(NatsPerCharacter(), drawn), rel=1e-6)


@given(predictions(), st.integers(1, 4))
@few
def test_padding_never_counts(drawn: tuple[np.ndarray, np.ndarray], more: int) -> None:
    targets, probabilities = drawn
    padded = np.pad(targets, [(0, 0), (0, more)], constant_values=PADDING)
    worse = np.pad(probabilities, [(0, 0), (0, more), (0, 0)], constant_values=0.0)
    assert measured(NatsPerCharacter(), (padded, worse)) == measured(NatsPerCharacter(), drawn)


@given(predictions())
@few
def test_bits_and_perplexity_are_nats_in_other_words(drawn: tuple[np.ndarray, np.ndarray]) -> None:
    nats = measured(NatsPerCharacter(), drawn)
    assert measured(BitsPerCharacter(), drawn) == pytest.approx(nats / math.log(2), rel=1e-6)
    assert measured(Perplexity(), drawn) == pytest.approx(math.exp(nats), rel=1e-5)


@given(predictions(), st.lists(st.integers(0, 9).map(float), min_size=V, max_size=V))
@few
def test_bits_with_lengths_are_bits_over_all_characters(drawn: Any, lengths: list[float]) -> None:
    targets, probabilities = drawn
    real = targets[targets != PADDING]
    characters = math.fsum(lengths[target] for target in real)
    bits = nats_by_hand(targets, probabilities) * len(real) / math.log(2)
    expected = bits / characters if characters else 0
    metric = BitsPerCharacter(lengths=lengths)
    assert measured(metric, drawn) == pytest.approx(expected, rel=1e-5)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert again.lengths == lengths


def test_guessing_among_four_costs_two_bits() -> None:
    guess = ([[1, 2, 3]], np.full((1, 3, 4), 0.25, np.float32))
    assert measured(NatsPerCharacter(), guess) == pytest.approx(math.log(4))
    assert measured(BitsPerCharacter(), guess) == pytest.approx(2)
    assert measured(Perplexity(), guess) == pytest.approx(4)


@given(predictions(), st.integers(0, 2**32))
@few
def test_sample_weights_weigh_targets(drawn: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    targets, probabilities = drawn
    weights = np.random.default_rng(seed).random(targets.shape)
    by_hand = nats_by_hand(targets, probabilities, weights)
    assert measured(NatsPerCharacter(), (*drawn, weights)) == pytest.approx(by_hand, rel=1e-6)
    assert measured(NatsPerCharacter(), (*drawn, np.zeros(targets.shape))) == 0
    rows = weights[:, :1]
    by_hand = nats_by_hand(targets, probabilities, np.broadcast_to(rows, targets.shape))
    assert measured(NatsPerCharacter(), (*drawn, rows)) == pytest.approx(by_hand, rel=1e-6)


def test_a_probability_of_zero_costs_much_but_not_infinitely() -> None:
    certain = np.array([[[0, 1, 0]]], np.float32)
    assert measured(NatsPerCharacter(), ([[2]], certain)) == pytest.approx(87.3, abs=0.1)
    assert math.isfinite(measured(Perplexity(), ([[2]], certain)))


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float64])
def test_probabilities_of_any_precision_are_summed_in_double(dtype: tf.DType) -> None:
    half = tf.fill([1, 100, 2], tf.constant(0.5, dtype))
    assert measured(NatsPerCharacter(), *[(np.ones((1, 100), np.int64), half)] * 20) == pytest.approx(math.log(2))


@pytest.mark.parametrize(("kind", "nothing_yet"), list(zip(KINDS, [0, 0, 1], strict=True)))
def test_reset_forgets_all_batches(kind: type, nothing_yet: float) -> None:
    metric = kind()
    assert float(metric.result()) == nothing_yet
    assert measured(metric, ([[1]], [[[0.1, 0.9]]])) != nothing_yet
    metric.reset_state()
    assert float(metric.result()) == nothing_yet


@pytest.mark.parametrize(("kind", "name"), list(zip(KINDS, ["nats", "bits", "perplexity"], strict=True)))
def test_a_metric_comes_back_from_json(kind: type, name: str) -> None:
    assert kind().name == name
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(kind(name="mine"))))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is kind
    assert again.name == "mine"
    assert measured(again, ([[1]], [[[0.1, 0.9]]])) == measured(kind(), ([[1]], [[[0.1, 0.9]]]))


def test_a_graph_measures_the_same() -> None:
    metric = NatsPerCharacter()
    targets, probabilities = np.array([[1, 2, 0]], np.int32), np.array([[[0.2, 0.5, 0.3]] * 3], np.float32)
    tf.function(metric.update_state)(tf.constant(targets), tf.constant(probabilities))
    assert float(metric.result()) == pytest.approx(nats_by_hand(targets, probabilities))
