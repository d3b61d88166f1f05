"""Beam search: words from the alphabet, and against brute force over all texts of random networks."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from alphabet import ALLOWED, ids_of, search, written
from effort import examples
from hypothesis import assume, given
from hypothesis import strategies as st
from sampling_support import log_distribution

from tfgen import networks, sampling
from tfgen.networks import Recurrent
from tfgen.sampling import chain as chains
from tfgen.vocabulary.vocabulary import END, PADDING
from tfgen.writing import loop
from tfgen.writing.compiled import CompiledLoop

# Words


def test_the_likeliest_words_the_best_first():
    ((first, second, third),), scores = search(["a"], 3, 3)
    assert first == "bcd"
    assert {second, third} <= {"bce", "bde", "cde"}  # each skips one letter, at the cost of 10
    np.testing.assert_allclose(scores, [[0, -10, -10]], rtol=0, atol=1e-3)


@pytest.mark.parametrize("width", [1, 2, 5])
def test_the_best_of_a_network_that_is_sure_is_what_it_is_sure_of(width):
    texts, _ = search(["hello", "xyz"], 5, width)
    assert [beams[0] for beams in texts] == ["pqrst", "abcde"]


def test_a_text_that_ends_is_padded():
    texts, scores = search(["a", "k"], 6, 2, left=[2, 100])
    assert texts[0][0] == "bc.___"
    assert texts[1][0] == "lmnopq"
    assert (scores[:, 0] > scores[:, 1]).all()


def test_it_stops_when_all_beams_have_ended():
    texts, _ = search(["a"], 1000, 3, left=2)
    assert texts[0][0] == "bc."
    assert {len(text) for text in texts[0]} == {3}


@pytest.mark.parametrize(("least", "text"), [(0, "bc."), (2, "bc."), (3, "bcd."), (5, "bcdef")])
def test_no_text_ends_before_its_shortest_length(least, text):
    texts, _ = search(["a"], 5, 3, left=2, min_length=least)
    assert texts[0][0].rstrip("_") == text
    assert all(len(beam.rstrip("_").rstrip(".")) >= least for beam in texts[0])


def test_what_is_not_allowed_is_in_no_beam():
    allowed = ALLOWED.copy()
    allowed[ids_of("ce")] = False
    texts, _ = search(["a"], 4, 5, allowed=allowed)
    assert texts[0][0] == "bdfg"
    assert not set("ce_?") & set("".join(texts[0]))


def test_each_beam_has_a_memory_of_its_own():
    # After ab, b would cost 250 and c 10; each beam may say only what itself has not said.
    chain = (sampling.NoRepeatNgram(1),)
    texts, scores = search(["ba", "cba"], 4, 6, sampler=chain)
    assert texts[0][0] == "cdef"
    assert texts[1][0] == "defg"
    assert all(len(set(beam) - set("ba")) == 4 for beam in texts[0])
    assert all(len(set(beam) - set("cba")) == 4 for beam in texts[1])
    assert np.isfinite(scores).all()


def test_the_search_is_over_the_distribution_that_the_chain_gives():
    texts, scores = search(["a"], 2, 4, sampler=(sampling.Temperature(10.0), sampling.TopK(2)))
    assert texts == [["bc", *sorted(["bd", "cd"]), "ce"]]
    best, other = np.log(1 / (1 + np.exp(-1))), np.log(1 / (1 + np.exp(1)))
    np.testing.assert_allclose(scores, [[2 * best, best + other, best + other, 2 * other]], rtol=0, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_where_there_are_fewer_texts_than_beams_the_rest_has_no_probability(temperature):
    texts, scores = search(["a"], 3, 4, sampler=(sampling.Temperature(temperature), sampling.TopK(1)))
    assert texts[0][0] == "bcd"
    np.testing.assert_array_equal(scores, [[0, -np.inf, -np.inf, -np.inf]])


# A random network of few letters, whose next token depends on the last one and on the place, so that no texts tie


LETTERS = 3
SIZE = END + 1 + LETTERS
TOKENS = range(END, SIZE)
LONGEST = 8


def step(ids, state):
    """Look up logits (B, V) in tables (B, T, V, V), which are the state together with the place, int32 (B,)."""
    tables, place = state
    now = tf.gather(tables, tf.minimum(place, LONGEST - 1), batch_dims=1, axis=1)
    return tf.gather(now, ids, batch_dims=1, axis=1), (tables, place + 1)


class Tables:
    """What a search needs of a model."""

    def step(self, ids, state, context):
        return step(ids, state)


DECODERS = {
    ends: CompiledLoop(Tables(), np.isin(np.arange(SIZE), range(END if ends else END + 1, SIZE)))
    for ends in (True, False)
    for ends in (True, False)
}


def tables_of(seed, prompts=1, spread=2.0):
    return np.random.default_rng(seed).normal(scale=spread, size=(prompts, LONGEST, SIZE, SIZE))


def at_each_place(table):
    return np.tile(table, (1, LONGEST, 1, 1))


def begin(tables, chain=()):
    """Give the value to write from after the first letter: a row for each table."""
    first = tf.fill([len(tables)], END + 1)
    states = chains.start(chain, first[:, tf.newaxis], SIZE)
    seeds = tf.constant(sampling.row_seeds(0, len(tables)))
    return loop.begin(*step(first, (tf.constant(tables), tf.zeros_like(first))), states, seeds)


def beams_of(tables, length, width, *, ends=True, min_length=0, length_penalty=0.0, chain=()):
    """Search from the first letter: ids (P, K, N) and scores (P, K)."""
    state = begin(np.repeat(tables, width, axis=0), chain)
    return DECODERS[ends].search(chain, state, length, min_length, width, length_penalty)


def probability(table, text, ends, min_length):
    """Give the log-probability of a text, without padding."""
    total, last = 0.0, END + 1
    for t, token in enumerate(text):
        logits = np.where(np.arange(SIZE) >= END, table[t, last], -np.inf)
        if not ends or t < min_length:
            logits[END] = -np.inf
        total += log_distribution(logits)[token]
        last = token
    return total


def all_texts(length, ends):
    """Give every text that can be written: up to its end, or as long as it may be."""
    for text in itertools.product(TOKENS if ends else TOKENS[1:], repeat=length):
        if END in text:
            cut = text[: text.index(END) + 1]
            if set(text[len(cut) :]) <= {END}:  # once for each beginning
                yield cut
        else:
            yield text


def by_brute_force(table, length, ends, min_length, length_penalty):
    """Give all texts with their scores, the best first."""
    texts = {text: probability(table, text, ends, min_length) for text in all_texts(length, ends)}
    scores = {text: total / len(text) ** length_penalty for text, total in texts.items() if total > -np.inf}
    return sorted(scores.items(), key=lambda pair: -pair[1])


def without_padding(ids):
    text = tuple(i for i in ids.tolist() if i != PADDING)
    assert (ids[len(text) :] == PADDING).all(), "padding comes only after the end"
    return text


everything = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32),
        "length": st.integers(1, 3),
        "ends": st.booleans(),
        "min_length": st.integers(0, 3),
        "length_penalty": st.sampled_from([0.0, 0.5, 1.0]),
        "spread": st.sampled_from([0.3, 2.0, 10.0]),
    }
)


@given(everything)
@examples(60)
def test_enough_beams_find_the_likeliest_texts_of_all(setting):
    table = tables_of(setting.pop("seed"), spread=setting.pop("spread"))
    expected = by_brute_force(table[0], **setting)
    width = 64
    ids, scores = beams_of(table, setting.pop("length"), width, **setting)
    found = [without_padding(beam) for beam, score in zip(ids[0], scores[0], strict=True) if score > -np.inf]
    assert len(found) == len(expected) <= width, "every text that is possible is found, once"
    np.testing.assert_allclose(scores[0, : len(expected)], [score for _, score in expected], rtol=0, atol=1e-9)
    of = dict(expected)
    np.testing.assert_allclose([of[text] for text in found], scores[0, : len(found)], rtol=0, atol=1e-9)
    assert set(found) == of.keys()


@given(everything, st.integers(2, 6))
@examples(40)
def test_few_beams_are_distinct_sorted_and_as_likely_as_they_say(setting, width):
    table = tables_of(setting.pop("seed"), spread=setting.pop("spread"))
    setting["length"] = 6
    ids, scores = beams_of(table, setting.pop("length"), width, **setting)
    assert ids.shape == (1, width, ids.shape[2])
    texts = [without_padding(beam) for beam in ids[0]]
    assert len(set(texts)) == width
    assert (np.diff(scores[0]) <= 0).all()
    penalty = setting.pop("length_penalty")
    for text, score in zip(texts, scores[0], strict=True):
        expected = probability(table[0], text, **setting) / len(text) ** penalty
        assert score == pytest.approx(expected, abs=1e-9)
        assert END not in text[:-1]
        assert text[-1] == END or len(text) == 6
        assert len(text) - (text[-1] == END) >= setting["min_length"]


@pytest.mark.slow
@given(st.integers(0, 2**32), st.integers(1, 5), st.sampled_from([0.0, 1.0]), st.booleans())
@examples(25)
def test_several_prompts_at_once_are_those_prompts_alone(seed, width, length_penalty, ends):
    tables = tables_of(seed, prompts=3)
    together, scores = beams_of(tables, 5, width, length_penalty=length_penalty, ends=ends)
    for prompt in range(3):
        alone, its_scores = beams_of(tables[prompt : prompt + 1], 5, width, length_penalty=length_penalty, ends=ends)
        np.testing.assert_array_equal(alone[0], together[prompt, :, : alone.shape[2]])
        assert not together[prompt, :, alone.shape[2] :].any()
        np.testing.assert_allclose(its_scores[0], scores[prompt], rtol=0, atol=1e-12)


@given(st.integers(0, 2**32), st.sampled_from([0.0, 1.0]), st.integers(0, 8), st.booleans())
@examples(25)
def test_one_beam_is_greedy(seed, length_penalty, min_length, ends):
    tables = tables_of(seed, prompts=2)
    ids, _ = beams_of(tables, 8, 1, length_penalty=length_penalty, min_length=min_length, ends=ends)
    greedy = (sampling.Temperature(0.0),)
    _, record = DECODERS[ends].write(greedy, begin(tables, greedy), 8, min_length)
    np.testing.assert_array_equal(ids[:, 0], record["ids"])


def test_one_beam_is_greedy_in_words():
    prompts = ["a", "hello", "xyz"]
    texts, _ = search(prompts, 30, 1, left=[4, 50, 0])
    assert [beams[0] for beams in texts] == written(prompts, 30, left=[4, 50, 0])


def test_a_wider_search_may_find_what_a_narrow_one_misses():
    # a leads on to b for sure, or (a little less likely) to c and then surely d; b leads anywhere.
    table = np.zeros((SIZE, SIZE))
    a, b, c = range(END + 1, SIZE)
    table[a, [b, c]] = 3.1, 3.0
    table[c, b] = 20.0
    table = at_each_place(table)
    assert [without_padding(beams_of(table, 2, width, ends=False)[0][0, 0]) for width in (1, 2)] == [(b, a), (c, b)]


def test_the_length_penalty_decides_between_short_and_long():
    # To end costs 1.1 nats at once; to go on costs 0.4 nats a token.
    table = np.full((SIZE, SIZE), -50.0)
    table[END + 1 :, END] = np.log(1 / 3)
    table[END + 1 :, END + 1] = np.log(2 / 3)
    table = at_each_place(table)
    short, long = (END,), (END + 1,) * 6
    for penalty, best in ((0.0, short), (1.0, long)):
        ids, scores = beams_of(table, 6, 3, length_penalty=penalty)
        assert without_padding(ids[0, 0]) == best
        expected = probability(table[0], best, True, 0) / len(best) ** penalty
        assert scores[0, 0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow
@given(st.integers(0, 2**32))
@examples(15)
def test_a_memory_goes_with_its_beam(seed):
    table = tables_of(seed, spread=1.0)
    chain = (sampling.RepetitionPenalty(1.7), sampling.NoRepeatNgram(2, window=9))
    ids, scores = beams_of(table, 4, 5, chain=chain, ends=False)
    assume(np.isfinite(scores).all())
    for beam, score in zip(ids[0], scores[0], strict=True):
        text, total = [END + 1], 0.0
        for t, token in enumerate(beam.tolist()):
            logits = np.where(np.arange(SIZE) > END, table[0, t, text[-1]], -np.inf)[np.newaxis]
            states = chains.start(chain, tf.constant([text]), SIZE)
            total += log_distribution(chains.apply(chain, tf.constant(logits), states)[0].numpy())[0, token]
            text.append(token)
        assert score == pytest.approx(total, abs=1e-9)


# Over a real network


@pytest.mark.slow
def test_beams_of_a_network_are_as_likely_as_they_say():
    size, width, length = 9, 4, 7
    network = networks.build(size, units=6, cell="gru", seed=3)
    rng = np.random.default_rng(3)
    network.set_weights([rng.normal(scale=1.5, size=weight.shape) for weight in network.get_weights()])
    allowed = np.arange(size) >= END
    decoder = CompiledLoop(Recurrent(network), allowed)
    prompts = [np.array(prompt, np.int32) for prompt in ([2, 4], [2], [2, 5, 6, 7])]
    state = decoder.read(prompts, sampling.row_seeds(0, len(prompts) * width), (), copies=width)
    ids, scores = decoder.search((), state, length, 2, width, 1.0)
    for prompt, beams, its_scores in zip(prompts, ids, scores, strict=True):
        for beam, score in zip(beams, its_scores, strict=True):
            text = without_padding(beam)
            p = network(np.array([[*prompt, *text]])).numpy()[0].astype(np.float64)
            total = 0.0
            for t, token in enumerate(text):
                possible = allowed & ((np.arange(size) != END) | (t >= 2))
                place = len(prompt) + t - 1
                total += np.log(p[place, token] / p[place, possible].sum())
            assert score == pytest.approx(total / len(text), abs=1e-4)
