"""The loop, driven by an alphabet, so that what it writes is asserted as words."""

import numpy as np
import pytest
import tensorflow as tf
from alphabet import (
    ALLOWED,
    ENDLESS,
    GREEDY,
    WARM,
    WITH_MEMORY,
    V,
    begin,
    compiled,
    ids_of,
    step,
    text_of,
    write,
    written,
)
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from sampling_support import log_distribution

from tfgen import sampling
from tfgen.sampling import chain as chains
from tfgen.vocabulary.vocabulary import END, PADDING, UNKNOWN
from tfgen.writing import loop
from tfgen.writing.strategies import Drawing

every_memory = pytest.mark.parametrize("sampler", [WARM, WITH_MEMORY], ids=["without memory", "with memory"])


def from_step(step, sampler, state, length, min_length=0):
    """Write with another step, in eager mode: a text a row."""
    strategy = Drawing(tf.constant(ALLOWED), sampler, tf.constant(min_length))
    _, record, _ = loop.decode(step, strategy, state, tf.constant(length))
    return [text_of(row) for row in record["ids"]]


# What is written


def test_each_letter_is_followed_by_the_next():
    assert written("a", 5) == ["bcdef"]


def test_the_alphabet_wraps_around():
    assert written(["hello", "xyz"], 4) == ["pqrs", "abcd"]


@pytest.mark.parametrize("length", [1, 2, 30])
def test_the_length_is_the_length(length):
    state, (text,) = write(begin("z"), length)
    assert text == "abcdefghijklmnopqrstuvwxyzabcd"[:length]
    assert state.drawn == length
    assert not state.finished.numpy().any()


def test_a_row_that_ends_gives_padding_while_others_go_on():
    state, texts = write(begin("aaa", left=[2, 100, 0]), 5)
    assert texts == ["bc.__", "bcdef", ".____"]
    assert state.finished.numpy().tolist() == [True, False, True]


def test_all_rows_finished_stop_the_loop():
    state, texts = write(begin("aab", left=[2, 3, 0]), 1000)
    assert texts == ["bc._", "bcd.", ".___"]
    assert state.drawn == 4
    assert state.finished.numpy().all()


def test_a_finished_batch_still_gives_one_column():
    state, texts = write(begin("ab", left=0), 1000)
    assert texts == [".", "."]
    state, texts = write(state, 1000)
    assert texts == ["_", "_"]
    assert write(state, 1)[1] == ["_", "_"]


def test_the_end_of_text_is_no_end_where_it_is_not_allowed():
    forbidden = ALLOWED & (np.arange(V) != END)
    assert written("a", 5, left=2, allowed=forbidden) == ["bcdef"]


def test_the_value_to_go_on_from_is_the_one_after_the_last_letter():
    state, _ = write(begin("a", left=10), 4)
    logits, left = step(tf.constant(ids_of("e")), tf.constant([10 - 4]))
    np.testing.assert_array_equal(state.logits, logits)
    np.testing.assert_array_equal(state.state, left)


def test_writing_leaves_its_argument_as_it_was():
    state = begin("a")
    assert [write(state, 3)[1] for _ in range(2)] == [["bcd"], ["bcd"]]
    assert state.drawn == 0


@every_memory
def test_eager_and_compiled_write_the_same(sampler):
    state = begin(["a", "xyx"], left=[4, 9], seed=3, sampler=sampler)
    assert from_step(step, sampler, state, 12) == write(state, 12, sampler)[1]


# The shortest text


@pytest.mark.parametrize(("least", "text"), [(0, "bc.___"), (2, "bc.___"), (3, "bcd.__"), (5, "bcdef."), (9, "bcdefg")])
def test_no_text_ends_before_its_shortest_length(least, text):
    assert written("aa", 6, left=[2, 100], min_length=least) == [text, "bcdefg"]


def test_the_shortest_length_counts_from_the_first_letter_on():
    state, (first,) = write(begin("a", left=2), 2, min_length=4)
    state, (second,) = write(state, 1, min_length=4)
    state, (third,) = write(state, 9, min_length=4)
    assert (first, second, third) == ("bc", "d", "e.")


@given(st.integers(0, 20), st.integers(0, 2**32))
@examples(20)
def test_no_drawn_text_ends_before_its_shortest_length(least, seed):
    for text in written("mmm", 30, WARM, left=[0, 1, 15], seed=seed, min_length=least):
        assert len(text.rstrip("_").rstrip(".")) >= least


# With memory


@pytest.mark.parametrize(
    ("transform", "prompt", "text"),
    [
        (sampling.NoRepeatNgram(1), "bda", "cefgh"),
        (sampling.NoRepeatNgram(2), "abca", "cdefg"),
        (
            sampling.NoRepeatNgram(2, window=3),
            "abca",
            "bcdef",
        ),  # ab and bc are out of sight when they come again
        (sampling.NoRepeatNgram(3), "abca", "bdefg"),
        (sampling.FrequencyPenalty(6), "bba", "cdefg"),
        (sampling.PresencePenalty(6), "bba", "bcdef"),
        (sampling.RepetitionPenalty(1.5), "bba", "bcdef"),  # what is certain stays so
        (sampling.DRY(15, 1, 2), "abcabcab", "defgh"),
        (sampling.DRY(15, 1, 6), "abcabcab", "cdefg"),
        (sampling.DRY(2, 2, 2), "abcabcab", "defgh"),
        (sampling.DRY(2, 2, 2), "bcab", "cdefg"),  # not dear enough
        (sampling.DRY(15, 1, 2, breaker_ids=ids_of("b").tolist()), "abcabcab", "cdefg"),
    ],
    ids=str,
)
def test_words_with_memory(transform, prompt, text):
    assert written([prompt, "m"], 5, (transform, *GREEDY)) == [text, "nopqr"]


def test_memory_is_of_what_was_written_too():
    once = (sampling.NoRepeatNgram(1), *GREEDY)
    whole = "".join(chr(letter) for letter in range(ord("b"), ord("z") + 1))
    assert written("a", 40, once) == [whole + "."], "every letter once, and only the end is left"
    endless = ALLOWED & (np.arange(V) != END)
    assert written("a", 30, once, allowed=endless) == [whole + "_"], "where everything was said the text ends"


def test_mirostat_moves_with_the_text():
    state, _ = write(begin("a", sampler=WITH_MEMORY), 30, WITH_MEMORY)
    assert state.sampler[-1].numpy() != 4


# What is never written


@pytest.mark.parametrize(
    "sampler",
    [GREEDY, WARM, sampling.default_chain(np.inf), WITH_MEMORY],
    ids=["greedy", "warm", "uniform", "with memory"],
)
def test_a_token_that_is_not_allowed_is_never_drawn(sampler):
    allowed = ALLOWED.copy()
    allowed[ids_of("bdz")] = False
    texts = written("abcdxyz", 60, sampler, allowed=allowed)
    assert not set("bdz") & set("".join(texts))
    assert not {"?", "_"} & set("".join(text.split(".")[0] for text in texts))


def test_the_second_choice_takes_the_place_of_a_forbidden_letter():
    allowed = ALLOWED.copy()
    allowed[ids_of("de")] = False
    assert written("a", 5, allowed=allowed) == ["bcfgh"]


@pytest.mark.parametrize("wanted", [PADDING, UNKNOWN])
def test_not_even_a_network_that_wants_nothing_else_gets_a_forbidden_token(wanted):
    def stubborn(ids, state):
        logits, state = step(ids, state)
        return logits + 1e6 * tf.one_hot(wanted, V), state

    state = begin("a")
    state = state._replace(logits=state.logits + 1e6 * tf.one_hot(wanted, V))
    assert from_step(stubborn, GREEDY, state, 5) == ["bcdef"]


def test_a_network_may_rule_out_letters_of_its_own():
    def without_c(ids, state):
        logits, state = step(ids, state)
        return tf.where(np.arange(V) == ids_of("c"), -np.inf, logits), state

    assert from_step(without_c, GREEDY, begin("a"), 5) == ["bdefg"]


# A text is a function of its seed


@every_memory
@examples(10)
@given(seed=st.integers(0, 2**63 - 1), left=st.lists(st.integers(0, 80), min_size=1, max_size=4))
def test_chunks_give_the_text_that_one_call_gives(sampler, seed, left):
    length = 70
    start = begin(["abm", "m", "ab", "dcba"][: len(left)], left=left, seed=seed, sampler=sampler)
    _, whole = write(start, length, sampler, min_length=9)
    for chunk in (1, 7, 64):
        state, texts = start, [""] * len(left)
        while state.drawn < length and not state.finished.numpy().all():
            state, more = write(state, min(chunk, length - int(state.drawn)), sampler, min_length=9)
            texts = [text + part for text, part in zip(texts, more, strict=True)]
        assert texts == whole


def test_draws_go_on_across_the_generators_blocks():
    whole = written("a", 600, WARM, seed=1)[0]
    state, (first,) = write(begin("a", seed=1, sampler=WARM), 250, WARM)
    state, (second,) = write(state, 10, WARM)
    _, (third,) = write(state, 340, WARM)
    assert first + second + third == whole
    assert len({whole[i : i + 20] for i in range(0, 600, 20)}) == 30, "nothing repeats"


@every_memory
def test_a_row_is_the_same_alone_and_among_64(sampler):
    together = written("k" * 64, 40, sampler, seed=11)
    assert written("k", 40, sampler, seed=11) == together[:1]
    assert len(set(together)) == 64, "one seed gives each row a text of its own"


@every_memory
def test_a_seed_a_row_gives_each_text_wherever_it_stands(sampler):
    together = written(["k", "abk"], 40, sampler, seed=[5, 9])
    assert written(["abk", "k"], 40, sampler, seed=[9, 5]) == together[::-1]
    assert written(["abk"], 40, sampler, seed=9) == together[1:]


def test_another_seed_gives_another_text():
    texts = {written("k", 40, WARM, seed=seed)[0] for seed in range(20)}
    assert len(texts) == 20


def test_greedy_text_does_not_depend_on_the_seed():
    assert {written("k", 40, seed=seed)[0] for seed in range(5)} == {written("k", 40)[0]}


# The numbers behind each token


def recorded(sampler, texts, length, alternatives, left=ENDLESS, min_length=0):
    return compiled(ALLOWED.tobytes()).write(sampler, begin(texts, left, 4, sampler), length, min_length, alternatives)[
        1
    ]


@every_memory
@pytest.mark.parametrize("min_length", [0, 20])
def test_log_probabilities_are_those_of_the_model_and_of_the_sampler(sampler, min_length):
    texts, left = ["ab", "mno"], 6
    record = recorded(sampler, texts, 12, 4, left, min_length)
    length = record["ids"].shape[1]  # less than 12 where both have come to an end
    assert all(record[name].shape == (2, length) for name in ("ids", "log_p", "sampler_log_p"))
    assert {record[name].shape for name in ("alternatives", "alternatives_log_p")} == {(2, length, 4)}
    for row, text in enumerate(texts):
        states = begin([text], left, 4, sampler).sampler
        ids, place = [*ids_of(text)], left
        for t, token in enumerate(record["ids"][row]):
            logits = step(tf.constant(ids[-1:]), tf.constant([place]))[0].numpy().astype(np.float64)
            logits[:, ~ALLOWED] = -np.inf
            logits[:, END] = logits[:, END] if t >= min_length else -np.inf
            log_p = log_distribution(logits)[0]
            shaped, given_ = chains.apply(sampler, tf.constant(logits), states)
            states = chains.update(sampler, states, tf.constant([token]), given_)
            assert record["log_p"][row, t] == pytest.approx(log_p[token], abs=1e-9)
            expected = log_distribution(shaped.numpy())[0, token]
            assert record["sampler_log_p"][row, t] == pytest.approx(expected, abs=1e-9)
            likeliest = np.argsort(-log_p, kind="stable")[:4]
            np.testing.assert_array_equal(record["alternatives"][row, t], likeliest)
            np.testing.assert_allclose(record["alternatives_log_p"][row, t], log_p[likeliest], rtol=0, atol=1e-9)
            ids, place = [*ids, token], place - 1
            if token == END:
                break


def test_alternatives_are_words_too():
    record = recorded(GREEDY, "a", 2, 3)
    assert [text_of(ids) for ids in record["alternatives"][0]] == ["bcd", "cde"]
    np.testing.assert_allclose(record["alternatives_log_p"][0], [[0, -10, -20]] * 2, rtol=0, atol=1e-4)


def test_scores_change_no_text():
    np.testing.assert_array_equal(recorded(WARM, "ab", 20, 2)["ids"], recorded(WARM, "ab", 20, 0)["ids"])
    assert recorded(WARM, "ab", 20, 0).keys() == {"ids"}


@pytest.mark.slow
def test_there_are_no_more_alternatives_than_tokens():
    record = recorded(GREEDY, "a", 2, 10 * V)
    assert record["alternatives"].shape == (1, 2, V)
    assert record["alternatives_log_p"][0, 0, -1] == -np.inf
