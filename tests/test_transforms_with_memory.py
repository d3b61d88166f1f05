"""Laws of the transforms that look back, on random histories; brute force in NumPy stands against each."""

import numpy as np
import pytest
import tensorflow as tf
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from memory_support import forget_peak, peak
from sampling_support import GRID, NEVER, apply, distribution, log_distribution, some, support

from tfgen import InputError, Vocabulary
from tfgen.sampling import (
    DRY,
    AdaptiveP,
    FrequencyPenalty,
    Mirostat,
    NoRepeatNgram,
    PresencePenalty,
    RepetitionPenalty,
    TopK,
    draws,
    select,
)
from tfgen.sampling import (
    chain as chains,
)
from tfgen.vocabulary.vocabulary import END, PADDING, UNKNOWN

V = 7  # with padding, unknown and end of text
WINDOW = 6
A, B, C, D = range(3, V)

PENALTIES = st.sampled_from([0.5, 1.0, 1.25, 3.0])
NUMBERS = st.sampled_from([-1.5, 0.0, 0.25, 2.0])
WITH_MEMORY = {
    "RepetitionPenalty": st.builds(RepetitionPenalty, PENALTIES),
    "FrequencyPenalty": st.builds(FrequencyPenalty, NUMBERS),
    "PresencePenalty": st.builds(PresencePenalty, NUMBERS),
    "NoRepeatNgram": st.builds(NoRepeatNgram, st.integers(1, 4), st.sampled_from([WINDOW, 50])),
    "DRY": st.builds(
        DRY,
        st.sampled_from([0.0, 0.5, 2.0]),
        st.sampled_from([1.0, 1.75]),
        st.integers(1, 4),
        window=st.sampled_from([WINDOW, 50]),
        longest=st.integers(1, WINDOW),
        breaker_ids=st.sampled_from([(), (D,), (C, D)]),
    ),
}
every_memory = pytest.mark.parametrize("name", WITH_MEMORY)

# A text begins with an end of text, as every text of a generator does; few letters, so that much repeats.
TEXTS = st.lists(st.sampled_from([A, A, A, B, B, C, D, UNKNOWN]), max_size=25).map(lambda ids: [END, *ids])


def padded(texts):
    """Give histories (B, T), padded on the left."""
    width = max(map(len, texts))
    return np.array([[PADDING] * (width - len(text)) + text for text in texts], np.int32)


def logits_for(rows):
    """Draw logits (B, V) in which a letter is left."""
    drawn = st.lists(st.lists(GRID, min_size=V, max_size=V), min_size=rows, max_size=rows)
    return drawn.map(lambda logits: np.where(np.arange(V) == A, np.maximum(logits, -20.0), logits))


# Brute force


def reference(transform, text, logits):
    """Give the logits (V,) after a text by the papers' definitions, in Python, token by token."""
    return _REFERENCE[type(transform)](transform, [i for i in text if i != PADDING], logits)


def occurrences(text, token):
    return text.count(token) if token > END else 0


def _repetition(transform, text, logits):
    log_p = log_distribution(logits)
    return [x * float(transform.penalty) if occurrences(text, i) else x for i, x in enumerate(log_p)]


def _frequency(transform, text, logits):
    return [x - float(transform.penalty) * occurrences(text, i) for i, x in enumerate(logits)]


def _presence(transform, text, logits):
    return [x - float(transform.penalty) * min(occurrences(text, i), 1) for i, x in enumerate(logits)]


def _no_repeat_ngram(transform, text, logits):
    text = text[-transform.window :]
    said = {tuple(text[i : i + transform.n]) for i in range(len(text) - transform.n + 1)}
    before = tuple(text[len(text) - transform.n + 1 :]) if len(text) >= transform.n - 1 else None
    return [NEVER if i > END and before is not None and (*before, i) in said else x for i, x in enumerate(logits)]


def _dry(transform, text, logits):
    text = text[-transform.window :]
    breakers = transform.breaker_ids.numpy().tolist()
    out = list(logits)
    for token in range(A, V):
        # The longest end of the text that has occurred before, followed by the token.
        longest = 0
        for place in (i for i, other in enumerate(text) if other == token):
            length = 0
            while (
                length < min(place, transform.longest)
                and text[place - 1 - length] == text[-1 - length]
                and text[-1 - length] not in breakers
            ):
                length += 1
            longest = max(longest, length)
        if longest >= transform.allowed_length:
            excess = longest - int(transform.allowed_length)
            out[token] -= float(transform.multiplier) * float(transform.base) ** excess
    return out


_REFERENCE = {
    RepetitionPenalty: _repetition,
    FrequencyPenalty: _frequency,
    PresencePenalty: _presence,
    NoRepeatNgram: _no_repeat_ngram,
    DRY: _dry,
}


@every_memory
@given(data=st.data())
@examples(60)
def test_the_result_is_that_of_brute_force(name, data):
    texts = data.draw(st.lists(TEXTS, min_size=1, max_size=3))
    transform, logits = data.draw(WITH_MEMORY[name]), data.draw(logits_for(len(texts)))
    out = apply([transform], logits, padded(texts))
    expected = np.array([reference(transform, text, row) for text, row in zip(texts, logits, strict=True)])
    np.testing.assert_allclose(distribution(out), distribution(expected), rtol=0, atol=1e-9)
    np.testing.assert_array_equal(support(out), support(expected))


@every_memory
@given(data=st.data())
@some
def test_a_token_more_is_a_text_with_one_token_more(name, data):
    texts = data.draw(st.lists(TEXTS, min_size=1, max_size=3))
    more = data.draw(st.lists(st.lists(st.integers(UNKNOWN, V - 1), min_size=len(texts), max_size=len(texts))))
    transform = data.draw(WITH_MEMORY[name])
    state = transform.start(tf.constant(padded(texts)), V)
    for ids in more:
        state = transform.update(state, tf.constant(ids, tf.int32), tf.zeros([len(texts), V]))
    longer = np.concatenate([padded(texts), np.array(more, np.int32).reshape(len(more), len(texts)).T], axis=1)
    tf.nest.map_structure(np.testing.assert_array_equal, state, transform.start(tf.constant(longer), V))


@every_memory
@given(data=st.data(), padding=st.integers(1, 9))
@some
def test_padding_and_other_rows_do_not_matter(name, data, padding):
    texts = data.draw(st.lists(TEXTS, min_size=2, max_size=3))
    transform, logits = data.draw(WITH_MEMORY[name]), data.draw(logits_for(len(texts)))
    together = apply([transform], logits, padded(texts))
    for row, text in enumerate(texts):
        alone = np.array([[PADDING] * padding + text], np.int32)
        out = apply([transform], logits[row : row + 1], alone)[0]
        np.testing.assert_array_equal(support(out), support(together[row]))
        np.testing.assert_allclose(out, together[row], rtol=0, atol=1e-12)


@every_memory
@given(data=st.data(), steps=st.integers(1, 3))
@some
def test_a_finished_row_goes_on_in_peace(name, data, steps):
    texts = data.draw(st.lists(TEXTS, min_size=2, max_size=2))
    transform, logits = data.draw(WITH_MEMORY[name]), data.draw(logits_for(2))
    state = transform.start(tf.constant(padded(texts)), V)
    for _ in range(steps):
        state = transform.update(state, tf.constant([PADDING, B]), tf.constant(logits))
    out = transform.apply(tf.constant(logits), state).numpy()
    assert not np.isnan(out).any()
    assert support(out).any(axis=1).all()
    expected = reference(transform, texts[1] + [B] * steps, logits[1])
    np.testing.assert_allclose(distribution(out[1]), distribution(expected), rtol=0, atol=1e-9)


@every_memory
@given(data=st.data(), shift=st.integers(-100, 100))
@some
def test_a_constant_added_to_the_logits_does_not_matter(name, data, shift):
    history = padded([data.draw(TEXTS)])
    transform, logits = data.draw(WITH_MEMORY[name]), data.draw(logits_for(1))
    plain, shifted = apply([transform], logits, history), apply([transform], logits + shift, history)
    np.testing.assert_array_equal(support(plain), support(shifted))
    np.testing.assert_allclose(distribution(shifted), distribution(plain), rtol=0, atol=1e-12)


@every_memory
@given(data=st.data())
@some
def test_the_order_of_the_vocabulary_does_not_matter(name, data):
    text, logits = data.draw(TEXTS), data.draw(logits_for(1))
    transform = data.draw(WITH_MEMORY[name])
    order = np.array([*range(A), *data.draw(st.permutations(range(A, V)))])
    renamed = transform
    if name == "DRY":
        ids = tuple(np.argsort(order)[transform.breaker_ids.numpy()].tolist())
        renamed = DRY(
            transform.multiplier,
            transform.base,
            transform.allowed_length,
            window=int(transform.window),
            longest=int(transform.longest),
            breaker_ids=ids,
        )
    out = apply([renamed], logits[:, order], padded([np.argsort(order)[text].tolist()]))
    np.testing.assert_allclose(
        distribution(out), distribution(apply([transform], logits, padded([text])))[:, order], rtol=0, atol=1e-12
    )


@every_memory
@given(data=st.data())
@some
def test_narrow_types_agree_as_far_as_they_can_tell(name, data):
    history = padded([data.draw(TEXTS)])
    transform, logits = data.draw(WITH_MEMORY[name]), data.draw(logits_for(1))
    wide = apply([transform], logits, history)
    for dtype, atol in ((np.float32, 1e-6), (np.float16, 2e-3)):
        narrow = apply([transform], logits.astype(dtype), history)
        assert narrow.dtype == dtype
        np.testing.assert_allclose(distribution(narrow), distribution(wide), rtol=0, atol=atol)


STRONGEST = {
    "RepetitionPenalty": RepetitionPenalty(1e6),
    "FrequencyPenalty": FrequencyPenalty(1e6),
    "FrequencyPenalty, negative": FrequencyPenalty(-1e6),
    "PresencePenalty": PresencePenalty(1e6),
    "PresencePenalty, negative": PresencePenalty(-1e6),
    "NoRepeatNgram": NoRepeatNgram(1),
    "DRY": DRY(1e6, 1e3, 1),
    "Mirostat": Mirostat(1e-3, 1.0),
}


@pytest.mark.parametrize("name", STRONGEST)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("size", [4, 50_000])
def test_the_strongest_settings_leave_a_distribution(name, dtype, size):
    rng = np.random.default_rng(0)
    logits = np.tile(rng.normal(scale=30, size=(1, size)), (2, 1))
    logits[0, ::2] = NEVER
    history = np.stack([np.resize(np.arange(3, size), 3000), np.full(3000, 3)]).astype(np.int32)
    out = apply([STRONGEST[name]], logits.astype(dtype), history)
    assert out.dtype == dtype
    assert not np.isnan(out).any()
    assert not np.isposinf(out).any()
    assert support(out).any(axis=1).all()
    assert not (support(out) & np.isneginf(logits)).any()


@pytest.mark.parametrize(
    "transform",
    [RepetitionPenalty(1.5), FrequencyPenalty(3), PresencePenalty(3), NoRepeatNgram(1), NoRepeatNgram(2), DRY(2, 2, 1)],
    ids=lambda transform: type(transform).__name__,
)
@pytest.mark.parametrize("nothing", [PADDING, UNKNOWN, END])
def test_padding_and_ends_of_text_never_count(transform, nothing):
    logits = np.array([[1.0, 2.0, 3.0, 0.5, 1.5, 0.0, 2.5]])
    out = apply([transform], logits, np.full([1, 9], nothing, np.int32))
    np.testing.assert_allclose(distribution(out), distribution(logits), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(support(out), support(logits))


# Settings that do nothing


@pytest.mark.parametrize(
    "transform",
    [
        RepetitionPenalty(1),
        FrequencyPenalty(0),
        PresencePenalty(0),
        NoRepeatNgram(26),
        DRY(0),
        DRY(allowed_length=99, longest=48),
        Mirostat(64.0),
    ],
    ids=lambda transform: type(transform).__name__,
)
@given(text=TEXTS, logits=logits_for(1))
@some
def test_settings_that_do_nothing(transform, text, logits):
    out = apply([transform], logits, padded([text]))
    np.testing.assert_allclose(distribution(out), distribution(logits), rtol=0, atol=1e-12)
    np.testing.assert_array_equal(support(out), support(logits))


# By example


def history_of(letters):
    return np.array([[END, *(A + "abcd".index(letter) for letter in letters)]], np.int32)


def kept(transform, letters):
    """Give the letters, of a to d, that may follow a text."""
    out = apply([transform], np.where(np.arange(V) < A, NEVER, 0.0)[np.newaxis], history_of(letters))
    return "".join(letter for letter, there in zip("abcd", support(out)[0, A:], strict=True) if there)


@pytest.mark.parametrize(
    ("n", "window", "text", "left"),
    [
        (1, 1024, "ab", "cd"),
        (1, 1, "ab", "acd"),
        (2, 1024, "abca", "acd"),
        (2, 1024, "a", "abcd"),
        (2, 1024, "aa", "bcd"),
        (2, 3, "abca", "abcd"),
        (2, 4, "abca", "acd"),
        (3, 1024, "abcab", "abd"),
        (3, 1024, "aaa", "bcd"),
        (3, 1024, "ab", "abcd"),
        (2, 1024, "abcadabacaadaa", ""),  # after a everything has been
    ],
)
def test_ngrams_that_may_not_come_again(n, window, text, left):
    assert kept(NoRepeatNgram(n, window), text) == left


def penalties(transform, letters):
    out = apply([transform], np.zeros([1, V]), history_of(letters))[0]
    return (out[END] - out[A:]).tolist()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abcabc", [2 * 3**1, 0, 0, 0]),
        ("abcab", [0, 0, 2, 0]),
        ("abca", [0, 0, 0, 0]),
        ("abcdabcabc", [2 * 3, 0, 0, 2 * 3]),  # as long after the first abc as after the second
        ("aaaa", [2 * 3, 0, 0, 0]),
        ("abcdabcd", [2 * 3**2, 0, 0, 0]),
        ("dabcdab", [0, 0, 2 * 3, 0]),
    ],
)
def test_how_much_a_repeat_costs(text, expected):
    assert penalties(DRY(2, 3, 2), text) == expected


def test_no_repeat_is_followed_across_a_breaker():
    whole, broken = DRY(2, 3, 1), DRY(2, 3, 1, breaker_ids=(D,))
    assert penalties(whole, "adbcadb") == [0, 0, 2 * 3**2, 0]
    assert penalties(broken, "adbcadb") == [0, 0, 2, 0]
    assert penalties(broken, "abdabd") == [0, 0, 0, 0], "after a breaker nothing is a repeat"


def test_breakers_are_looked_up_in_the_vocabulary():
    vocabulary = Vocabulary.from_texts(["ab\n"])
    bound = DRY(2, 3, 4, ["\n", "x"], 64, 5).bind(vocabulary)
    assert bound.breaker_ids.numpy().tolist() == [vocabulary.tokens.index("\n")]
    assert (bound.multiplier, bound.base, bound.allowed_length, bound.window, bound.longest) == (2, 3, 4, 64, 5)
    assert bound.breakers == (), "in ids from there on: two samplers of other breakers are of one structure"
    assert DRY(breakers=("a",), breaker_ids=(7,)).bind(vocabulary).breaker_ids.numpy().tolist() == [
        vocabulary.tokens.index("a"),
        7,
    ]
    assert DRY(breakers="").bind(vocabulary).breaker_ids.shape == [0]


def test_the_largest_windows_are_looked_through_at_once():
    text = [END, *[A, B] * 40_000]
    for transform in (DRY(2, 1, 1, window=2**16, longest=2**10), NoRepeatNgram(2**10, 2**16)):
        before = forget_peak()
        out = apply([transform], np.zeros((1, V)), padded([text]))
        assert peak() - before < 64 << 20, "places by lengths would be 256 MB of numbers"
        assert np.argmin(out[0]) == A


def test_a_penalty_counts_once_or_each_time():
    text = "aab"
    assert penalties(FrequencyPenalty(0.5), text) == [1, 0.5, 0, 0]
    assert penalties(PresencePenalty(0.5), text) == [0.5, 0.5, 0, 0]
    assert penalties(FrequencyPenalty(-1), text) == [-2, -1, 0, 0]
    np.testing.assert_allclose(penalties(RepetitionPenalty(2), text), [np.log(V), np.log(V), 0, 0])


# The order of a chain


@pytest.mark.parametrize(
    ("first", "second", "left", "left_if_swapped"),
    [
        (NoRepeatNgram(1), TopK(1), [C], []),  # only a is left to forbid; in a sampler, what forbids comes first
        (RepetitionPenalty(9.0), TopK(2), [C, D], [A, B]),
        (FrequencyPenalty(9.0), TopK(1), [C], [A]),
    ],
    ids=lambda part: type(part).__name__,
)
def test_the_order_of_a_chain_is_the_order_applied(first, second, left, left_if_swapped):
    logits = np.array([[NEVER, NEVER, NEVER, 4.0, 3.0, 2.0, 1.0]])
    history = np.array([[END, A, B]], np.int32)
    assert np.flatnonzero(support(apply([first, second], logits, history))).tolist() == left
    assert np.flatnonzero(support(apply([second, first], logits, history))).tolist() == left_if_swapped


def test_each_transform_of_a_chain_is_told_what_it_was_given():
    chain = (TopK(2), Mirostat(1.0, 0.5), TopK(1))
    logits = tf.constant(np.log([[0.5, 0.25, 0.125, 0.125]]))
    states = chains.start(chain, tf.zeros([1, 1], tf.int32), 4)
    _, given_ = chains.apply(chain, logits, states)
    assert [support(each).sum() for each in given_] == [4, 2, 2]
    _, mu, _ = chains.update(chain, states, tf.constant([1]), given_)
    np.testing.assert_allclose(mu, [2 - 0.5 * (np.log2(3) - 1)])  # of the two that were left, a third


# Mirostat


def mirostat_by_hand(logits, mu, target, rate, uniform):
    """Cut, draw and move mu by the paper's second version: the token, the surprise (bits) and the new mu."""
    p = distribution(logits)
    surprise = -np.log2(p)
    cut = np.where(surprise <= max(mu, surprise.min()), p, 0)
    token = int(np.searchsorted(np.cumsum(cut) / cut.sum(), uniform, side="right"))
    return token, surprise[token], mu - rate * (surprise[token] - target)


def run_of(transform, logits, uniforms):
    """Draw again and again from one distribution, as the loop does: tokens, and the state after each."""

    @tf.function(autograph=False)
    def run(uniforms):
        def step(carried, uniform):
            _, state = carried
            ids = select(transform.apply(logits, state), uniform)
            return ids, transform.update(state, ids, logits)

        start = transform.start(tf.zeros([1, 1], tf.int32), V)
        return tf.scan(step, uniforms, (tf.zeros([1], tf.int32), start))

    ids, states = run(tf.constant(uniforms)[:, tf.newaxis])
    return ids.numpy()[:, 0], states.numpy()[:, 0]


@pytest.mark.parametrize(("target", "rate"), [(1.0, 0.1), (2.5, 0.3), (0.2, 1.0)])
def test_mirostat_is_the_controller_of_the_paper(target, rate):
    rng = np.random.default_rng(3)
    logits, uniforms = rng.normal(scale=1.5, size=(1, 20)), rng.random(200)
    ids, mus = run_of(Mirostat(target, rate), tf.constant(logits), uniforms)
    mu = 2 * target
    for uniform, drawn, moved in zip(uniforms, ids, mus, strict=True):
        token, _, mu = mirostat_by_hand(logits[0], mu, target, rate, uniform)
        assert token == drawn
        np.testing.assert_allclose(moved, mu, rtol=0, atol=1e-9)


@pytest.mark.parametrize("target", [3.0, 4.5, 6.0])
def test_the_mean_surprise_comes_to_the_target(target):
    # Zipf over 500 tokens: a surprise of 2.8 bits at least, of 6.4 in the mean.
    logits = -np.log(np.arange(1, 501.0))[np.newaxis]
    rate, times = 0.1, 2000
    uniforms = draws(np.array([[1, 0]]), 0, times).numpy()[:, 0]
    ids, mus = run_of(Mirostat(target, rate), tf.constant(logits), uniforms)
    off = (-np.log2(distribution(logits[0]))[ids]).mean() - target
    assert abs(off) < 0.05
    np.testing.assert_allclose(off, (2 * target - mus[-1]) / (rate * times), rtol=0, atol=1e-9)


def test_the_likeliest_token_is_never_cut():
    logits = np.log([[0.2, 0.5, 0.3]])
    out = Mirostat(0.1).apply(tf.constant(logits), tf.constant([-5.0], tf.float64))
    assert support(out).tolist() == [[False, True, False]]


def test_mu_of_a_finished_row_stays():
    logits = tf.constant([[NEVER, 0.0, 1.0]] * 2, tf.float64)
    mu = Mirostat(1.0, 0.5).update(tf.constant([3.0, 3.0], tf.float64), tf.constant([PADDING, 1]), logits).numpy()
    assert mu[0] == 3
    assert mu[1] < 3


@given(logits_for(1), st.integers(-100, 100), st.floats(0.1, 5))
@some
def test_mirostat_takes_no_notice_of_a_constant(logits, shift, mu):
    surprise = -log_distribution(logits) / np.log(2)
    clear = np.abs(surprise - mu).min() > 1e-9
    state = tf.constant([mu], tf.float64)
    plain, shifted = (Mirostat().apply(tf.constant(x), state).numpy() for x in (logits, logits + shift))
    if clear:
        np.testing.assert_array_equal(support(plain), surprise <= max(mu, surprise.min()))
        np.testing.assert_array_equal(support(plain), support(shifted))


# Adaptive-p


def adaptive_by_hand(p, total, weight, target, decay, uniform):
    """Draw as llama.cpp does, with its two sums: the token, and the sums after it."""
    aim = min(max(2 * target - total / weight, 0), 1) if weight else target
    distance = np.abs(p - aim) / 0.3
    q = np.where(p > 0, distribution(5 - 10 * distance**2 / (1 + distance)), 0)
    token = int(np.searchsorted(np.cumsum(q) / q.sum(), uniform, side="right"))
    return token, p[token] + decay * total, 1 + decay * weight


@pytest.mark.parametrize(("target", "decay"), [(0.5, 0.9), (0.1, 0.99), (0.0, 0.0), (1.0, 0.5)])
def test_adaptive_p_is_that_of_llama_cpp(target, decay):
    rng = np.random.default_rng(4)
    logits, uniforms = rng.normal(scale=1.5, size=(1, 20)), rng.random(200)
    logits[0, 7] = NEVER
    ids, means = run_of(AdaptiveP(target, decay), tf.constant(logits), uniforms)
    total, weight = target / (1 - decay), 1 / (1 - decay)
    for uniform, drawn, mean in zip(uniforms, ids, means, strict=True):
        token, total, weight = adaptive_by_hand(distribution(logits[0]), total, weight, target, decay, uniform)
        assert token == drawn
        np.testing.assert_allclose(mean, total / weight, rtol=0, atol=1e-9)


@pytest.mark.parametrize("target", [0.1, 0.25, 0.45])
def test_the_mean_probability_comes_to_the_target(target):
    p = np.array([0.5, 0.3, 0.1, 0.06, 0.04])
    uniforms = draws(np.array([[1, 0]]), 0, 2000).numpy()[:, 0]
    ids, _ = run_of(AdaptiveP(target), tf.constant(np.log(p))[tf.newaxis], uniforms)
    assert abs(p[ids].mean() - target) < 0.03


@pytest.mark.parametrize("mean", [0.1, 0.5])
def test_adaptive_p_draws_in_the_shares_of_its_formula(mean):
    p, times = np.array([0.5, 0.3, 0.1, 0.1]), 4000
    logits = AdaptiveP(0.3).apply(tf.constant(np.log(p))[tf.newaxis], tf.constant([mean], tf.float64))
    ids = select(tf.repeat(logits, times, axis=0), draws(np.array([[2, 0]]), 0, times)[:, 0]).numpy()
    distance = np.abs(p - (0.6 - mean)) / 0.3
    expected = times * distribution(5 - 10 * distance**2 / (1 + distance))
    # Chi-square with 3 degrees of freedom exceeds 31 in one case of a million.
    assert ((np.bincount(ids, minlength=4) - expected) ** 2 / expected).sum() < 31


def test_the_mean_of_a_finished_row_stays():
    logits = tf.constant([[NEVER, 0.0, 0.0]] * 2, tf.float64)
    means = AdaptiveP(0.4, 0.5).update(tf.constant([0.3, 0.3], tf.float64), tf.constant([PADDING, 1]), logits)
    np.testing.assert_allclose(means, [0.3, 0.4])


# Settings that cannot be


NO_NUMBERS = [np.nan, True, "3", None, [], [0.5], [[1], [1, 2]], 1j]
REFUSED = [
    ("repetition_penalty", RepetitionPenalty, [0, -1, np.inf, *NO_NUMBERS]),
    ("frequency_penalty", FrequencyPenalty, [np.inf, -np.inf, 1e7, *NO_NUMBERS]),
    ("presence_penalty", PresencePenalty, [np.inf, -np.inf, 1e7, *NO_NUMBERS]),
    ("n", NoRepeatNgram, [0, -1, 1025, 2.0, *NO_NUMBERS]),
    ("n", lambda n: NoRepeatNgram(n, 2**16), [1025, 2**16]),
    ("n", lambda n: NoRepeatNgram(n, 5), [6]),
    ("window", lambda window: NoRepeatNgram(1, window), [0, 2**16 + 1, 9.0, *NO_NUMBERS]),
    ("multiplier", DRY, [-1, np.inf, *NO_NUMBERS]),
    ("base", lambda base: DRY(base=base), [0.5, np.inf, *NO_NUMBERS]),
    ("allowed_length", lambda length: DRY(allowed_length=length), [0, 1.5, 2**31, *NO_NUMBERS]),
    ("window", lambda window: DRY(window=window), [0, 2**16 + 1, 9.0, *NO_NUMBERS]),
    ("longest", lambda longest: DRY(longest=longest), [0, 1025, 9.0, *NO_NUMBERS]),
    ("longest", lambda longest: DRY(window=2**16, longest=longest), [1025, 2**16]),
    ("breakers", lambda breakers: DRY(breakers=breakers), [None, 3, [1], ["a", None], b"a"]),
    ("target", Mirostat, [0, -1, 65, np.inf, *NO_NUMBERS]),
    ("rate", lambda rate: Mirostat(1, rate), [0, -1, 1.5, *NO_NUMBERS]),
    ("target", AdaptiveP, [-1, 1.5, np.inf, *NO_NUMBERS]),
    ("decay", lambda decay: AdaptiveP(0.5, decay), [-1, 1.0, *NO_NUMBERS]),
]


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [(name, kind, value) for name, kind, values in REFUSED for value in values],
    ids=lambda part: "" if callable(part) else repr(part),
)
def test_a_setting_that_cannot_be_is_named_with_its_value(name, kind, value):
    with pytest.raises(InputError) as refusal:
        kind(value)
    assert str(refusal.value).startswith(f"{name} must be ")
    assert str(refusal.value).endswith(f"received {value!r}.")


def test_lengths_may_be_numbers_of_numpy():
    transform = NoRepeatNgram(np.int64(3), np.int32(9))
    assert (transform.n, transform.window) == (3, 9)
    assert repr(transform) == repr(NoRepeatNgram(3, 9)), "which names the sampler of a session"
