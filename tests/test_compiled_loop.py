"""The loop compiled over a real network: what it writes, and how often it compiles."""

import numpy as np
import pytest
import tensorflow as tf
from alphabet import GREEDY, WITH_MEMORY
from sampling_support import apply

from tfgen import networks, sampling
from tfgen.networks import Recurrent
from tfgen.sampling import chain as chains
from tfgen.vocabulary.vocabulary import END
from tfgen.writing.compiled import CompiledLoop

SIZE = 7
PROMPTS = [np.array(prompt, np.int32) for prompt in ([2, 5, 3, 3, 6], [2], [2, 4, 4])]
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
    return CompiledLoop(Recurrent(network), MAY_BE_DRAWN)


def ids_after(decoder, prompts, seed, sampler, length, **more):
    state = decoder.read(prompts, sampling.row_seeds(seed, len(prompts)), sampler)
    return decoder.write(sampler, state, length, **more)[1]["ids"]


def by_hand(network, prompt, uniforms, t, k, p):
    """Write after one prompt as a textbook would, in Python and NumPy, up to the end of text."""
    state = networks.zero_state(network, 1)
    logits, state = networks.prefill(network, prompt[np.newaxis], np.array([len(prompt)], np.int32), state)
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


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_decoder_writes_what_a_loop_by_hand_writes(network, decoder, seed):
    ids = ids_after(decoder, PROMPTS, seed, sampling.default_chain(0.9, 4, 0.95), 40)
    uniforms = sampling.draws(tf.constant(sampling.row_seeds(seed, len(PROMPTS))), 0, 40).numpy()
    for row, prompt in enumerate(PROMPTS):
        assert up_to_the_end(ids[row]) == by_hand(network, prompt, uniforms[:, row], 0.9, 4, 0.95)


def test_greedy_text_of_the_decoder_is_the_argmax_of_the_network(network, decoder):
    ids = ids_after(decoder, PROMPTS, 0, GREEDY, 15)
    stateless = networks.with_batch_size(network, None)
    for prompt, row in zip(PROMPTS, ids, strict=True):
        text = prompt.tolist()
        for _ in up_to_the_end(row):
            whole = stateless(np.array([text]))[0, -1].numpy()
            text.append(int(np.argmax(np.where(MAY_BE_DRAWN, whole, -1))))
        assert text[len(prompt) :] == up_to_the_end(row)


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [sampling.default_chain(0.8), WITH_MEMORY], ids=["without memory", "with memory"])
def test_prompts_of_different_lengths_share_a_batch(decoder, sampler):
    seeds = [4, 5, 6]
    together = ids_after(decoder, PROMPTS, seeds, sampler, 30)
    for prompt, seed, row in zip(PROMPTS, seeds, together, strict=True):
        alone = ids_after(decoder, [prompt], seed, sampler, 30)
        assert up_to_the_end(alone[0]) == up_to_the_end(row)
    assert len({tuple(row) for row in together.tolist()}) == 3


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [sampling.default_chain(0.8), WITH_MEMORY], ids=["without memory", "with memory"])
def test_chunks_of_the_decoder_give_one_text(decoder, sampler):
    whole = ids_after(decoder, PROMPTS, 8, sampler, 20, min_length=18)
    state = decoder.read(PROMPTS, sampling.row_seeds(8, 3), sampler)
    state, first = decoder.write(sampler, state, 13, min_length=18)
    _, second = decoder.write(sampler, state, 7, min_length=18)
    np.testing.assert_array_equal(np.concatenate([first["ids"], second["ids"]], axis=1), whole)
    assert whole.shape == (3, 20)
    assert whole.dtype == np.int32


def test_a_sampler_that_starts_late_knows_the_text(decoder):
    state = decoder.read(PROMPTS, sampling.row_seeds(8, 3), GREEDY)
    state, record = decoder.write(GREEDY, state, 10)
    texts = [np.concatenate([prompt, row]) for prompt, row in zip(PROMPTS, record["ids"], strict=True)]
    fresh = decoder.start(WITH_MEMORY, texts)
    for row, text in enumerate(texts):
        logits = np.linspace(0, 1, SIZE)[np.newaxis]
        late = chains.apply(WITH_MEMORY, tf.constant(np.repeat(logits, 3, axis=0)), fresh)[0]
        np.testing.assert_array_equal(late[row], apply(WITH_MEMORY, logits, text[np.newaxis])[0])


def test_the_decoder_never_draws_what_it_may_not(decoder):
    ids = ids_after(decoder, PROMPTS[1:2] * 50, 0, sampling.default_chain(5.0), 50)
    drawn = {token for row in ids for token in up_to_the_end(row)}
    assert drawn == {2, 3, 4, 5, 6}


def test_the_state_that_training_carries_is_left_alone(network, decoder):
    network(np.array([[3, 4], [5, 6]], np.int32))
    carried = [variable.numpy() for variable in networks.training_state(network)]
    assert carried
    assert all(np.any(value) for value in carried)
    ids_after(decoder, PROMPTS, 0, GREEDY, 5)
    for variable, value in zip(networks.training_state(network), carried, strict=True):
        np.testing.assert_array_equal(variable, value)


# Compiled once a sampler


def sampler_of(t, number, p, length):
    """Give one of each transform, with other values for other arguments."""
    return (
        sampling.LogitBias(np.full(SIZE, number)),
        sampling.Mask(np.arange(SIZE) != length % 2 + 5),
        *sampling.default_chain(t, length, p, p / 2, p, number + 0.5),
        sampling.FrequencyPenalty(number),
        sampling.PresencePenalty(number),
        sampling.DRY(number, 1 + number, length, breaker_ids=[length % 3 + 3]),
        sampling.DynamicTemperature(t, t + 1, number + 0.5),
        sampling.Epsilon(p / 9),
        sampling.Mirostat(number + 0.5, p),
    )


def loops(decoder):
    """Count what has been compiled, but for the two ways to read prompts."""
    kinds = [kind for (kind, *_), *_ in decoder._functions.kept()]
    assert kinds.count("read") <= 2
    return len(kinds) - kinds.count("read")


@pytest.mark.slow
def test_nothing_that_users_vary_compiles_again(network):
    decoder = CompiledLoop(Recurrent(network), MAY_BE_DRAWN)
    some, one = PROMPTS, PROMPTS[1:2]
    many = [np.array([2, 3, 4, 5, 6, 5, 4], np.int32)] * 9
    for prompts, seed, length, values in [
        (some, 1, 10, (1.0, 0.5, 0.9, 3)),
        (some, 2, 1, (0.0, 0.0, 1.0, 10**6)),
        (one, 1, 10, (np.float32(0.3), 2, 0.5, 1)),
        (many, [2**40] * 9, 30, (np.inf, 1, 0.01, 2)),
    ]:
        sampler = sampler_of(*values)
        state = decoder.read(prompts, sampling.row_seeds(seed, len(prompts)), sampler)
        state, _ = decoder.write(sampler, state, length, min_length=length // 2)
        decoder.write(sampler, state, length + 1)
    assert loops(decoder) == 1

    ids_after(decoder, PROMPTS, 1, GREEDY, 10)
    assert loops(decoder) == 2, "another structure of the chain is another loop, compiled once"
    ids_after(decoder, PROMPTS, 1, sampling.default_chain(0.5), 10)
    assert loops(decoder) == 2
    ids_after(decoder, PROMPTS, 1, GREEDY, 10, alternatives=2)
    ids_after(decoder, one, 1, GREEDY, 11, alternatives=2)
    assert loops(decoder) == 3, "what is recorded belongs to the structure"


@pytest.mark.slow
def test_searching_compiles_once_a_width(network):
    decoder = CompiledLoop(Recurrent(network), MAY_BE_DRAWN)

    def search(prompts, width, length, min_length, penalty, *sampler):
        state = decoder.read(prompts, sampling.row_seeds(0, len(prompts) * width), sampler, copies=width)
        decoder.search(sampler, state, length, min_length, width, penalty)
        return loops(decoder)

    assert search(PROMPTS, 2, 5, 0, 0.0) == 1
    assert search(PROMPTS[:1], 2, 7, 3, 1.0) == 1
    assert search(PROMPTS[:1], 3, 7, 3, 1.0) == 2
    assert search(PROMPTS[:1], 3, 7, 3, 1.0, sampling.NoRepeatNgram(2)) == 3
    assert search(PROMPTS[1:], 3, 2, 0, 0.5, sampling.NoRepeatNgram(2)) == 3
