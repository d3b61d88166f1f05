"""The transforms do what those of Hugging Face do, where both exist: the same tokens left, the same probabilities.

Known differences, which the inputs here keep away from:

- Ties: top-p of Hugging Face may cut between tokens that are equally likely; here they stay or go together. So all
  logits differ. (Top-k keeps ties in both.)
- Borders: in float64 both round, each in its own order, so that a token which reaches p to the last digits may be the
  last one kept in one and not in the other. So settings lie away from all sums.
- The repetition penalty of Hugging Face divides positive logits and multiplies negative ones; here it is applied to
  log-probabilities. So Hugging Face is given log-probabilities.
- Ends of text and padding are tokens like others there, and never count here. So histories are of real tokens alone.
"""

import numpy as np
import pytest
from sampling_support import apply, distribution, support

from tfgen.sampling import Epsilon, MinP, NoRepeatNgram, RepetitionPenalty, Temperature, TopK, TopP, Typical

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("transformers.generation.logits_process")

V = 40
ROWS = 300
REAL = 3  # the first id of a real token


def logits_of(seed):
    return np.random.default_rng(seed).normal(scale=2.5, size=(ROWS, V))


def histories(seed, length, letters):
    return np.random.default_rng(seed).integers(REAL, REAL + letters, size=(ROWS, length)).astype(np.int32)


def assert_the_same(transform, processor, logits, history):
    ours = apply([transform], logits, history)
    other = processor(torch.tensor(history, dtype=torch.int64), torch.tensor(logits)).numpy()
    np.testing.assert_array_equal(support(ours), support(other))
    np.testing.assert_allclose(distribution(ours), distribution(other), rtol=0, atol=1e-6)


def away_from(sums, p):
    """Say which rows have no sum of probabilities near p."""
    return np.abs(sums - p).min(axis=1) > 1e-9


@pytest.mark.parametrize("t", [0.1, 0.7, 1.0, 1.8, 20.0])
def test_temperature(t):
    logits = logits_of(1)
    assert_the_same(Temperature(t), theirs.TemperatureLogitsWarper(t), logits, histories(1, 5, 9))


@pytest.mark.parametrize("k", [1, 2, 7, V - 1, V, 10 * V])
def test_top_k(k):
    assert_the_same(TopK(k), theirs.TopKLogitsWarper(k), logits_of(2), histories(2, 5, 9))


def test_top_k_keeps_ties_in_both():
    logits = np.round(logits_of(3))
    assert_the_same(TopK(5), theirs.TopKLogitsWarper(5), logits, histories(3, 5, 9))
    assert (support(apply([TopK(5)], logits)).sum(axis=1) > 5).any()


@pytest.mark.parametrize("p", [0.01, 0.3, 0.77, 0.95, 0.9999])
def test_top_p(p):
    logits = logits_of(4)
    sums = np.cumsum(-np.sort(-distribution(logits), axis=1), axis=1)
    clear = away_from(sums, p)
    assert clear.sum() > ROWS / 2
    assert_the_same(TopP(p), theirs.TopPLogitsWarper(p), logits[clear], histories(4, 5, 9)[clear])


@pytest.mark.parametrize("p", [0.0001, 0.02, 0.3, 0.9])
def test_min_p(p):
    logits = logits_of(5)
    probabilities = distribution(logits)
    clear = away_from(probabilities / probabilities.max(axis=1, keepdims=True), p)
    assert_the_same(MinP(p), theirs.MinPLogitsWarper(p), logits[clear], histories(5, 5, 9)[clear])


@pytest.mark.parametrize("p", [0.01, 0.3, 0.77, 0.95])
def test_typical(p):
    logits = logits_of(6)
    probabilities = distribution(logits)
    surprise = -np.log(probabilities)
    order = np.argsort(np.abs(surprise - np.sum(probabilities * surprise, axis=1, keepdims=True)), axis=1)
    clear = away_from(np.cumsum(np.take_along_axis(probabilities, order, axis=1), axis=1), p)
    assert clear.sum() > ROWS / 2
    assert_the_same(Typical(p), theirs.TypicalLogitsWarper(p), logits[clear], histories(6, 5, 9)[clear])


@pytest.mark.parametrize("epsilon", [0.0001, 0.003, 0.05, 0.9])
def test_epsilon(epsilon):
    logits = logits_of(7)
    clear = away_from(distribution(logits), epsilon)
    assert_the_same(Epsilon(epsilon), theirs.EpsilonLogitsWarper(epsilon), logits[clear], histories(7, 5, 9)[clear])


@pytest.mark.parametrize("penalty", [0.5, 1.0, 1.2, 5.0])
def test_repetition_penalty(penalty):
    logits = np.log(distribution(logits_of(8)))
    processor = theirs.RepetitionPenaltyLogitsProcessor(penalty)
    assert_the_same(RepetitionPenalty(penalty), processor, logits, histories(8, 12, V - REAL))


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize(("length", "letters"), [(1, 3), (4, 2), (30, 2), (60, 5)])
def test_no_repeat_ngram(n, length, letters):
    history = histories(9, length, letters)
    assert_the_same(NoRepeatNgram(n), theirs.NoRepeatNGramLogitsProcessor(n), logits_of(9), history)
