"""The loop, driven by an alphabet, so that what it writes is asserted as words; then compiled over a real network."""

import numpy as np
import pytest
import tensorflow as tf
from alphabet import ALLOWED, GREEDY, V, begin, ids_of, step, text_of, write
from hypothesis import given, settings
from hypothesis import strategies as st

from tfgen import decoding, networks, sampling
from tfgen.vocabulary import END, PADDING, UNKNOWN

WARM = sampling.default_chain(12.0, top_k=8, top_p=0.95)


# What is written


def test_each_letter_is_followed_by_the_next():
    assert write(begin("a"), 5)[1] == ["bcdef"]


def test_the_alphabet_wraps_around():
    assert write(begin(["hello", "xyz"]), 4)[1] == ["pqrs", "abcd"]


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
    assert write(begin("a", left=2), 5, allowed=forbidden)[1] == ["bcdef"]


def test_the_value_to_go_on_from_is_the_one_after_the_last_letter():
    state, _ = write(begin("a", left=10), 4)
    logits, left = step(tf.constant(ids_of("e")), tf.constant([10 - 4]))
    np.testing.assert_array_equal(state.logits, logits)
    np.testing.assert_array_equal(state.network, left)


def test_writing_leaves_its_argument_as_it_was():
    state = begin("a")
    assert [write(state, 3)[1] for _ in range(2)] == [["bcd"], ["bcd"]]
    assert state.drawn == 0


def test_eager_and_compiled_write_the_same():
    state = begin("ax", left=[4, 9], seed=3)
    _, ids = decoding.decode(step, tf.constant(ALLOWED), WARM, state, tf.constant(12))
    assert [text_of(row) for row in ids] == write(state, 12, WARM)[1]


# What is never written


@pytest.mark.parametrize("letter", "bdz")
@pytest.mark.parametrize("sampler", [GREEDY, WARM, sampling.default_chain(np.inf)], ids=["greedy", "warm", "uniform"])
def test_a_token_that_is_not_allowed_is_never_drawn(letter, sampler):
    allowed = ALLOWED.copy()
    allowed[ids_of(letter)] = False
    texts = write(begin("abcdxyz"), 60, sampler, allowed)[1]
    assert letter not in "".join(texts)
    assert not {"?", "_"} & set("".join(texts).split(".")[0])


def test_the_second_choice_takes_the_place_of_a_forbidden_letter():
    allowed = ALLOWED.copy()
    allowed[ids_of("de")] = False
    assert write(begin("a"), 5, allowed=allowed)[1] == ["bcfgh"]


@pytest.mark.parametrize("wanted", [PADDING, UNKNOWN])
def test_not_even_a_network_that_wants_nothing_else_gets_a_forbidden_token(wanted):
    def stubborn(ids, state):
        logits, state = step(ids, state)
        return logits + 1e6 * tf.one_hot(wanted, V), state

    state = begin("a")
    state = state._replace(logits=state.logits + 1e6 * tf.one_hot(wanted, V))
    _, ids = decoding.decode(stubborn, tf.constant(ALLOWED), GREEDY, state, tf.constant(5))
    assert [text_of(row) for row in ids] == ["bcdef"]


def test_a_network_may_rule_out_letters_of_its_own():
    def without_c(ids, state):
        logits, state = step(ids, state)
        return tf.where(np.arange(V) == ids_of("c"), -np.inf, logits), state

    _, ids = decoding.decode(without_c, tf.constant(ALLOWED), GREEDY, begin("a"), tf.constant(5))
    assert [text_of(row) for row in ids] == ["bdefg"]


# A text is a function of its seed


@settings(max_examples=15)
@given(st.integers(0, 2**63 - 1), st.lists(st.integers(0, 80), min_size=1, max_size=4))
def test_chunks_give_the_text_that_one_call_gives(seed, left):
    length = 70
    start = begin("m" * len(left), left=left, seed=seed)
    _, whole = write(start, length, WARM)
    for chunk in (1, 7, 64):
        state, texts = start, [""] * len(left)
        while state.drawn < length and not state.finished.numpy().all():
            state, more = write(state, min(chunk, length - int(state.drawn)), WARM)
            texts = [text + part for text, part in zip(texts, more, strict=True)]
        assert texts == whole


def test_draws_go_on_across_the_generators_blocks():
    _, (whole,) = write(begin("a", seed=1), 600, WARM)
    state, (first,) = write(begin("a", seed=1), 250, WARM)
    state, (second,) = write(state, 10, WARM)
    _, (third,) = write(state, 340, WARM)
    assert first + second + third == whole
    assert len({whole[i : i + 20] for i in range(0, 600, 20)}) == 30, "nothing repeats"


def test_a_row_is_the_same_alone_and_among_64():
    together = write(begin("k" * 64, seed=11), 40, WARM)[1]
    assert write(begin("k", seed=11), 40, WARM)[1] == together[:1]
    assert len(set(together)) == 64, "one seed gives each row a text of its own"


def test_a_seed_a_row_gives_each_text_wherever_it_stands():
    together = write(begin("kk", seed=[5, 9]), 40, WARM)[1]
    assert write(begin("kk", seed=[9, 5]), 40, WARM)[1] == together[::-1]
    assert write(begin("k", seed=9), 40, WARM)[1] == together[1:]


def test_another_seed_gives_another_text():
    texts = {write(begin("k", seed=seed), 40, WARM)[1][0] for seed in range(20)}
    assert len(texts) == 20


def test_greedy_text_does_not_depend_on_the_seed():
    assert {write(begin("k", seed=seed), 40)[1][0] for seed in range(5)} == {write(begin("k"), 40)[1][0]}


# Compiled over a real network


SIZE = 7
PROMPTS = [[2, 5, 3, 3, 6], [2], [2, 4, 4]]
MAY_BE_DRAWN = np.array([False, False, True, True, True, True, True])


@pytest.fixture(scope="module")
def network():
    network = networks.build(SIZE, units=5, layers=2, embedding=3, batch_size=2)
    rng = np.random.default_rng(0)
    network.set_weights([rng.normal(scale=0.8, size=weight.shape) for weight in network.get_weights()])
    # So that ends are rare, and what may not be drawn is wanted.
    kernel, bias = network.layers[-1].get_weights()
    network.layers[-1].set_weights([kernel, bias + np.array([3, 3, -2.5, 0, 0, 0, 0])])
    return network


@pytest.fixture(scope="module")
def decoder(network):
    return decoding.Decoder(network, MAY_BE_DRAWN)


def read(decoder, prompts, seed):
    lengths = np.array([len(prompt) for prompt in prompts], np.int32)
    ids = np.zeros((len(prompts), lengths.max()), np.int32)
    for row, prompt in zip(ids, prompts, strict=True):
        row[: len(prompt)] = prompt
    return decoder.read(ids, lengths, sampling.row_seeds(seed, len(prompts)))


def by_hand(network, prompt, uniforms, t, k, p):
    """Write after one prompt as a textbook would, in Python and NumPy, up to the end of text."""
    state = networks.zero_state(network, 1)
    logits, state = networks.prefill(network, np.array([prompt], np.int32), np.array([len(prompt)], np.int32), state)
    text = []
    for uniform in uniforms:
        scaled = np.where(MAY_BE_DRAWN, logits.numpy()[0].astype(np.float64), -np.inf) / t
        probabilities = np.exp(scaled - scaled.max())
        order = np.argsort(-probabilities)[:k]
        mass = np.cumsum(probabilities[order]) / probabilities[order].sum()
        nucleus = order[: 1 + np.searchsorted(mass, p)]
        probabilities[~np.isin(np.arange(SIZE), nucleus)] = 0
        text.append(int(np.searchsorted(np.cumsum(probabilities) / probabilities.sum(), uniform, side="right")))
        if text[-1] == END:
            break
        logits, state = networks.step(network, np.array(text[-1:], np.int32), state)
    return text


def up_to_the_end(row):
    text = row.tolist()
    return text[: text.index(END) + 1] if END in text else text


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_decoder_writes_what_a_loop_by_hand_writes(network, decoder, seed):
    _, ids = decoder.write(sampling.default_chain(0.9, 4, 0.95), read(decoder, PROMPTS, seed), 40)
    uniforms = sampling.draws(tf.constant(sampling.row_seeds(seed, len(PROMPTS))), 0, 40).numpy()
    for row, prompt in enumerate(PROMPTS):
        assert up_to_the_end(ids[row]) == by_hand(network, prompt, uniforms[:, row], 0.9, 4, 0.95)


def test_greedy_text_of_the_decoder_is_the_argmax_of_the_network(network, decoder):
    _, ids = decoder.write(GREEDY, read(decoder, PROMPTS, 0), 15)
    stateless = networks.with_batch_size(network, None)
    for prompt, row in zip(PROMPTS, ids, strict=True):
        text = list(prompt)
        for _ in up_to_the_end(row):
            whole = stateless(np.array([text]))[0, -1].numpy()
            text.append(int(np.argmax(np.where(MAY_BE_DRAWN, whole, -1))))
        assert text[len(prompt) :] == up_to_the_end(row)


def test_prompts_of_different_lengths_share_a_batch(decoder):
    sampler, seeds = sampling.default_chain(0.8), [4, 5, 6]
    _, together = decoder.write(sampler, read(decoder, PROMPTS, seeds), 30)
    for prompt, seed, row in zip(PROMPTS, seeds, together, strict=True):
        _, alone = decoder.write(sampler, read(decoder, [prompt], seed), 30)
        assert up_to_the_end(alone[0]) == up_to_the_end(row)
    assert len({tuple(row) for row in together.tolist()}) == 3


def test_chunks_of_the_decoder_give_one_text(decoder):
    sampler = sampling.default_chain(0.8)
    _, whole = decoder.write(sampler, read(decoder, PROMPTS, 8), 20)
    state, first = decoder.write(sampler, read(decoder, PROMPTS, 8), 13)
    _, second = decoder.write(sampler, state, 7)
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), whole)
    assert whole.shape == (3, 20)
    assert whole.dtype == np.int32


def test_the_decoder_never_draws_what_it_may_not(decoder):
    _, ids = decoder.write(sampling.default_chain(5.0), read(decoder, [[2]] * 50, 0), 50)
    drawn = {token for row in ids for token in up_to_the_end(row)}
    assert drawn == {2, 3, 4, 5, 6}


def test_the_state_that_training_carries_is_left_alone(network, decoder):
    network(np.array([[3, 4], [5, 6]], np.int32))
    carried = [variable.numpy() for variable in networks.training_state(network)]
    assert carried
    assert all(np.any(value) for value in carried)
    decoder.write(GREEDY, read(decoder, PROMPTS, 0), 5)
    for variable, value in zip(networks.training_state(network), carried, strict=True):
        np.testing.assert_array_equal(variable, value)


def traces(decoder):
    """Give how often each of the decoder's functions was traced, so far as it was called."""
    functions = [*vars(decoder).values(), *decoder._loops.values()]
    counts = [f.experimental_get_tracing_count() for f in functions if hasattr(f, "experimental_get_tracing_count")]
    return [count for count in counts if count]


def test_nothing_that_users_vary_compiles_again(network):
    decoder = decoding.Decoder(network, MAY_BE_DRAWN)
    changes = [
        (PROMPTS, 1, 10, (1.0, 3, 0.9, 0.1)),
        (PROMPTS, 2, 1, (0.0, 10**6, 1.0, 0.0)),  # temperature, k, p, seed, length
        ([[2]], 1, 10, (np.float32(0.3), 2, 0.5, 1)),  # one row, a prompt of one token
        ([[2, 3, 4, 5, 6, 5, 4]] * 9, [2**40] * 9, 300, (np.inf, 1, 0.01, 0.5)),
    ]
    for prompts, seed, length, values in changes:
        state, _ = decoder.write(sampling.default_chain(*values), read(decoder, prompts, seed), length)
        decoder.write(list(sampling.default_chain(*values)), state, length + 1)
    readers = [1, 1]  # prompts of one length, prompts of several
    assert traces(decoder) == [*readers, 1]

    decoder.write(GREEDY, read(decoder, PROMPTS, 1), 10)
    assert traces(decoder) == [*readers, 1, 1], "another structure of the chain is another loop, compiled once"
    decoder.write(sampling.default_chain(0.5), read(decoder, PROMPTS, 1), 10)
    assert traces(decoder) == [*readers, 1, 1]
