"""Laws of the transforms, of the selector and of the draws; a NumPy float64 reference stands against each."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tfgen import InputError, sampling
from tfgen.sampling import MinP, Temperature, TopK, TopP, default_chain

NEVER = -np.inf
BLOCK = 256  # steps of a row that one call of the generator draws

TEMPERATURES = st.one_of(st.floats(0.05, 20), st.sampled_from([0.0, 1.0, np.inf, 1e-300, 1e300]))
KS = st.integers(1, 60)
PS = st.floats(0.01, 1)
MIN_PS = st.one_of(st.floats(0.001, 1), st.just(0.0))
SAMPLERS = {
    "Temperature": st.builds(lambda t: (Temperature(t),), TEMPERATURES),
    "TopK": st.builds(lambda k: (TopK(k),), KS),
    "TopP": st.builds(lambda p: (TopP(p),), PS),
    "MinP": st.builds(lambda p: (MinP(p),), MIN_PS),
    "default_chain": st.builds(default_chain, TEMPERATURES, st.none() | KS, st.none() | PS, st.none() | MIN_PS),
}

DTYPES = st.sampled_from([np.float16, np.float32, np.float64])
VALUES = st.one_of(
    st.floats(-30, 30, width=16),  # half-precision numbers are exact in each dtype
    st.sampled_from([NEVER, 0.0, 1.0, 1e4, -1e4]),
)
GRID = st.one_of(st.integers(-80, 80).map(lambda n: n / 8), st.just(NEVER))

every_sampler = pytest.mark.parametrize("name", SAMPLERS)
some = settings(max_examples=40)


def logits_of(values=VALUES, dtypes=DTYPES, rows=(1, 3), most=50):
    """Draw logits (B, V), at least one finite in each row."""

    @st.composite
    def draw(draw):
        shape = draw(st.tuples(st.integers(*rows), st.integers(1, most)))
        logits = draw(hnp.arrays(np.float64, shape, elements=values, fill=st.just(0.0) | st.just(NEVER)))
        logits[np.isneginf(logits).all(axis=1), draw(st.integers(0, shape[1] - 1))] = 0
        return logits.astype(draw(dtypes))

    return draw()


def apply(sampler, logits):
    return sampling.apply(sampler, tf.constant(logits)).numpy()


def distribution(logits):
    """Give the softmax in float64."""
    logits = np.asarray(logits, np.float64)
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def support(logits):
    return np.asarray(logits) > NEVER


def entropy(logits):
    p = distribution(logits)
    return -np.sum(p * np.log(np.where(p > 0, p, 1)), axis=-1)


# Each transform gives a distribution over what was allowed


def assert_distributes(sampler, logits):
    out = apply(sampler, logits)
    assert out.shape == logits.shape
    assert out.dtype == logits.dtype
    assert not np.isnan(out).any()
    assert not np.isposinf(out).any()
    assert support(out).any(axis=-1).all(), "at least one token is left in each row"
    assert not (support(out) & ~support(logits)).any(), "what was never stays never"


@every_sampler
@given(data=st.data())
@some
def test_the_result_is_a_distribution_over_what_was_allowed(name, data):
    assert_distributes(data.draw(SAMPLERS[name]), data.draw(logits_of()))


@every_sampler
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@given(seed=st.integers(0, 1000))
@settings(max_examples=2)
def test_fifty_thousand_tokens(name, dtype, seed):
    rng = np.random.default_rng(seed)
    logits = np.where(rng.random((2, 50_000)) < 0.3, NEVER, rng.normal(scale=3, size=(2, 50_000))).astype(dtype)
    sampler = {
        "Temperature": (Temperature(0.7),),
        "TopK": (TopK(1000),),
        "TopP": (TopP(0.9),),
        "MinP": (MinP(0.01),),
        "default_chain": default_chain(0.7, 1000, 0.9, 0.01),
    }[name]
    assert_distributes(sampler, logits)
    if dtype == np.float64:
        np.testing.assert_allclose(distribution(apply(sampler, logits)), reference(sampler, logits), rtol=0, atol=1e-6)


@every_sampler
@given(data=st.data())
@some
def test_one_token_is_certain(name, data):
    logits = data.draw(st.floats(-1e4, 1e4)), NEVER, NEVER
    place = data.draw(st.permutations(range(3)))
    out = apply(data.draw(SAMPLERS[name]), np.array(logits)[place])
    np.testing.assert_array_equal(distribution(out), [1.0 if i == 0 else 0.0 for i in place])


# An independent reference


def reference(sampler, logits):
    """Give the distribution (B, V) by the papers' definitions, over probabilities, in NumPy float64."""
    p = distribution(logits)
    log_p = np.asarray(logits, np.float64) - logits.astype(np.float64).max(axis=-1, keepdims=True)
    for transform in sampler:
        rows = [_REFERENCE[type(transform)](transform, *row) for row in zip(p, log_p, strict=True)]
        p, log_p = (np.stack(part) for part in zip(*rows, strict=True))
    return p


def _keep(p, log_p, kept):
    p = np.where(kept, p, 0)
    return p / p.sum(), np.where(kept, log_p, NEVER)


def _sum_over_likelier(weights, log_p):
    """Give for each token the sum of the weights of those that are strictly likelier."""
    order = np.argsort(-log_p)
    sums = np.concatenate([[0], np.cumsum(weights[order])])
    return sums[np.searchsorted(-log_p[order], -log_p, side="left")]


def _temperature(transform, p, log_p):
    t = float(transform.t)
    if t == 0:
        log_p = np.where(np.arange(len(log_p)) == np.argmax(log_p), 0, NEVER)
    elif t == np.inf:
        log_p = np.where(log_p > NEVER, 0, NEVER)
    else:
        with np.errstate(over="ignore"):
            log_p = (log_p - log_p.max()) / t
    return distribution(log_p), log_p


def _top_k(transform, p, log_p):
    return _keep(p, log_p, _sum_over_likelier(np.ones_like(p), log_p) < int(transform.k))


def _top_p(transform, p, log_p):
    wanted = float(transform.p)
    if wanted == 1:
        return p, log_p
    before = _sum_over_likelier(p, log_p)
    assume((np.abs(before - wanted) > 1e-9).all())  # where rounding would decide
    return _keep(p, log_p, before < wanted)


def _min_p(transform, p, log_p):
    wanted = float(transform.p)
    ratio = p / p.max()
    assume(wanted in (0, 1) or (np.abs(ratio / wanted - 1) > 1e-9).all())
    return _keep(p, log_p, ratio >= wanted)


_REFERENCE = {Temperature: _temperature, TopK: _top_k, TopP: _top_p, MinP: _min_p}


@every_sampler
@given(data=st.data())
@some
def test_float64_agrees_with_the_reference(name, data):
    sampler, logits = data.draw(SAMPLERS[name]), data.draw(logits_of(dtypes=st.just(np.float64)))
    np.testing.assert_allclose(distribution(apply(sampler, logits)), reference(sampler, logits), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["Temperature", "TopK", "TopP", "MinP"])
@pytest.mark.parametrize(("dtype", "atol"), [(np.float32, 1e-6), (np.float16, 2e-3)], ids=["float32", "float16"])
@given(data=st.data())
@some
def test_narrow_types_agree_with_the_reference_as_far_as_they_can_tell(name, dtype, atol, data):
    sampler, logits = data.draw(SAMPLERS[name]), data.draw(logits_of(dtypes=st.just(dtype)))
    atol = atol if name == "Temperature" else 1e-6  # the others change no logit that they keep
    np.testing.assert_allclose(distribution(apply(sampler, logits)), reference(sampler, logits), rtol=0, atol=atol)


@pytest.mark.parametrize(
    ("transform", "kept"),
    [
        (TopK(1), "a"),
        (TopK(2), "abc"),  # b and c are as likely
        (TopK(4), "abcd"),
        (TopK(99), "abcde"),
        (TopP(0.39), "a"),
        (TopP(0.41), "abc"),  # b crosses, c is as likely
        (TopP(0.81), "abcd"),
        (TopP(0.99), "abcde"),
        (MinP(1), "a"),
        (MinP(0.51), "a"),
        (MinP(0.49), "abc"),
        (MinP(0.38), "abc"),
        (MinP(0.37), "abcd"),
        (MinP(0), "abcde"),
    ],
    ids=str,
)
def test_what_is_kept_of_a_known_distribution(transform, kept):
    logits = np.log([0.05, 0.4, 0.2, 0.15, 0.2])  # e a b d c
    order = np.array(list("eabdc"))
    out = transform(logits).numpy()
    assert "".join(sorted(order[support(out)])) == kept
    np.testing.assert_array_equal(out[support(out)], logits[support(out)])


def test_the_token_that_reaches_p_is_the_last_one_kept():
    halves = -np.log([2.0, 4.0, 8.0, 16.0, 16.0])
    assert [support(TopP(p)(halves)).sum() for p in (0.5, np.nextafter(0.5, 1), 0.75, 0.875)] == [1, 2, 2, 3]


# Settings that change nothing


@given(logits_of(), st.integers(0, 2**70 - 1))
@some
def test_k_of_the_vocabulary_or_more_changes_nothing(logits, more):
    np.testing.assert_array_equal(TopK(min(logits.shape[1] + more, 2**63 - 1))(logits), logits)


@given(logits_of())
@some
def test_p_of_1_and_min_p_of_0_change_nothing(logits):
    np.testing.assert_array_equal(TopP(1.0)(logits), logits)
    np.testing.assert_array_equal(MinP(0.0)(logits), logits)


@given(logits_of())
@some
def test_temperature_1_only_moves_each_row_by_a_constant(logits):
    logits = logits.astype(np.float64)
    out = Temperature(1.0)(logits).numpy()
    moved = np.subtract(logits, out, out=np.full_like(out, np.nan), where=support(logits))
    np.testing.assert_array_equal(np.nanmax(moved, axis=1), np.nanmin(moved, axis=1))
    np.testing.assert_allclose(distribution(apply(default_chain(), logits)), distribution(logits), rtol=0, atol=1e-12)


# Monotone settings


@given(logits_of(), st.tuples(KS, KS))
@some
def test_a_larger_k_keeps_more(logits, ks):
    fewer, more = (support(TopK(k)(logits)) for k in sorted(ks))
    assert (fewer <= more).all()
    assert (fewer.sum(axis=1) >= np.minimum(min(ks), support(logits).sum(axis=1))).all()


@given(logits_of(), st.tuples(PS, PS))
@some
def test_a_larger_p_keeps_more(logits, ps):
    fewer, more = (support(TopP(p)(logits)) for p in sorted(ps))
    assert (fewer <= more).all()
    assert (np.sum(distribution(logits) * fewer, axis=1) >= min(ps) - 1e-12).all()


@given(logits_of(), st.tuples(MIN_PS, MIN_PS))
@some
def test_a_larger_min_p_keeps_fewer(logits, ps):
    more, fewer = (support(MinP(p)(logits)) for p in sorted(ps))
    assert (fewer <= more).all()


@given(logits_of(dtypes=st.just(np.float64)), st.tuples(TEMPERATURES, TEMPERATURES))
@some
def test_entropy_rises_with_the_temperature(logits, temperatures):
    colder, warmer = (entropy(Temperature(t)(logits)) for t in sorted(temperatures))
    assert (colder <= warmer + 1e-9).all()


def test_entropy_rises_strictly_where_tokens_differ():
    logits = np.random.default_rng(0).normal(size=30)
    entropies = [float(entropy(Temperature(t)(logits))) for t in (0, 0.1, 0.3, 0.8, 1.0, 1.3, 1.8, 10, np.inf)]
    assert entropies == sorted(set(entropies))
    assert entropies[0] == 0
    assert entropies[-1] == pytest.approx(np.log(30))


# The ends of the temperature


@given(logits_of())
@some
def test_temperature_0_leaves_the_likeliest_the_first_of_equals(logits):
    out = Temperature(0.0)(logits).numpy()
    np.testing.assert_array_equal(support(out), np.arange(logits.shape[1]) == np.argmax(logits, axis=1)[:, np.newaxis])


@given(logits_of())
@some
def test_an_infinite_temperature_is_uniform_over_what_is_allowed(logits):
    out = Temperature(np.inf)(logits).numpy()
    np.testing.assert_array_equal(out, np.where(support(logits), 0, NEVER))


@pytest.mark.parametrize("t", [1e-9, 1e-300, 5e-324])
@given(logits=logits_of())
@some
def test_a_tiny_temperature_is_greedy(t, logits):
    out = Temperature(t)(logits).numpy()
    assert not np.isnan(out).any()
    likeliest = logits == logits.max(axis=1, keepdims=True)
    assert (distribution(out)[~likeliest] < 1e-20).all()
    np.testing.assert_array_equal(out.max(axis=1), 0)


# Symmetries


@every_sampler
@given(data=st.data())
@some
def test_the_order_of_the_vocabulary_does_not_matter(name, data):
    sampler, logits = data.draw(SAMPLERS[name]), data.draw(logits_of())
    greedy = any(isinstance(transform, Temperature) and transform.t == 0 for transform in sampler)
    assume(not greedy)  # which takes the first of equals
    order = data.draw(st.permutations(range(logits.shape[1])))
    np.testing.assert_array_equal(apply(sampler, logits[:, order]), apply(sampler, logits)[:, order])


@every_sampler
@given(data=st.data(), shift=st.integers(-100, 100))
@some
def test_a_constant_added_to_the_logits_does_not_matter(name, data, shift):
    sampler, logits = data.draw(SAMPLERS[name]), data.draw(logits_of(values=GRID))
    plain, shifted = apply(sampler, logits), apply(sampler, logits + logits.dtype.type(shift))
    np.testing.assert_array_equal(support(plain), support(shifted))
    np.testing.assert_allclose(distribution(shifted), distribution(plain), rtol=0, atol=1e-12)


@every_sampler
@given(data=st.data())
@some
def test_a_row_does_not_depend_on_its_batch(name, data):
    sampler, logits = data.draw(SAMPLERS[name]), data.draw(logits_of(rows=(2, 5)))
    together = apply(sampler, logits)
    for row in range(len(logits)):
        np.testing.assert_array_equal(apply(sampler, logits[row : row + 1])[0], together[row])


@every_sampler
@given(data=st.data())
@some
def test_any_leading_axes_will_do(name, data):
    sampler, logits = data.draw(SAMPLERS[name]), data.draw(logits_of(rows=(2, 2)))
    together = apply(sampler, logits)
    np.testing.assert_array_equal(apply(sampler, logits[0]), together[0])
    np.testing.assert_array_equal(apply(sampler, logits[:, np.newaxis]), together[:, np.newaxis])


# Settings that cannot be


REFUSED = {
    Temperature: ("temperature", [-1, -0.1, -np.inf, np.nan, True, "warm", None, [0.5], 1j]),
    TopK: ("top_k", [0, -1, 2.5, 3.0, np.nan, np.inf, True, "3", None, [3]]),
    TopP: ("top_p", [0, 0.0, -0.5, 1.5, 2, np.nan, np.inf, True, "most", None, [0.5]]),
    MinP: ("min_p", [-1, -0.01, 1.5, np.nan, np.inf, True, "0.1", None, [0.5]]),
}


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [(kind, name, value) for kind, (name, values) in REFUSED.items() for value in values],
    ids=lambda part: part.__name__ if isinstance(part, type) else repr(part),
)
def test_a_setting_that_cannot_be_is_named_with_its_value(kind, name, value):
    with pytest.raises(InputError) as refusal:
        kind(value)
    assert str(refusal.value).startswith(f"{name} must be ")
    assert str(refusal.value).endswith(f"received {value!r}.")


@pytest.mark.parametrize(
    ("kind", "attribute", "value"),
    [(Temperature, "t", 0.5), (TopK, "k", 3), (TopP, "p", 0.5), (MinP, "p", 0.5)],
    ids=lambda part: getattr(part, "__name__", None),
)
def test_a_setting_may_be_a_number_of_any_library(kind, attribute, value):
    number = np.asarray(value, np.float32 if isinstance(value, float) else np.int64)
    for given_ in (value, number, number[()], tf.constant(value), tf.Variable(value)):
        assert getattr(kind(given_), attribute) == value


@pytest.mark.parametrize(
    ("name", "value"), [("temperature", -1), ("top_k", -1), ("top_k", 2.5), ("top_p", 0), ("min_p", 2)], ids=repr
)
def test_the_default_chain_refuses_what_its_transforms_refuse(name, value):
    with pytest.raises(InputError, match=f"^{name} must be .*; received {value}"):
        default_chain(**{name: value})


# The default chain


def test_the_default_chain_has_only_what_was_asked_for_in_the_documented_order():
    assert [type(transform) for transform in default_chain()] == [Temperature]
    assert [type(transform) for transform in default_chain(1.0, 0)] == [Temperature]
    assert [type(transform) for transform in default_chain(top_p=0.5, min_p=0)] == [Temperature, TopP, MinP]
    temperature, top_k, top_p, min_p = default_chain(0.5, 3, 0.9, 0.1)
    assert (type(temperature), type(top_k), type(top_p), type(min_p)) == (Temperature, TopK, TopP, MinP)
    assert (float(temperature.t), int(top_k.k), float(top_p.p), float(min_p.p)) == (0.5, 3, 0.9, 0.1)


@pytest.mark.parametrize(
    ("settings_", "probabilities", "kept", "kept_if_swapped"),
    [
        ({"temperature": 2.0, "top_p": 0.5}, [0.6, 0.3, 0.1], 2, 1),
        ({"temperature": 2.0, "min_p": 0.6}, [0.6, 0.3, 0.1], 2, 1),
        ({"top_k": 2, "top_p": 0.5}, [0.4, 0.3, 0.2, 0.1], 1, 2),
        ({"top_p": 0.5, "min_p": 0.6}, [0.4, 0.3, 0.2, 0.1], 2, 1),
    ],
    ids=lambda part: " then ".join(part) if isinstance(part, dict) else "",
)
def test_the_order_documented_is_the_order_applied(settings_, probabilities, kept, kept_if_swapped):
    logits = np.log([probabilities])
    chain = default_chain(**settings_)[-2:]
    assert support(apply(chain, logits)).sum() == kept
    assert support(apply(chain[::-1], logits)).sum() == kept_if_swapped


def test_new_settings_do_not_compile_again():
    compiled = tf.function(sampling.apply)
    logits = tf.random.stateless_normal([2, 9], seed=[0, 0])
    for values in [(1.0, 3, 0.9, 0.1), (0.0, 9, 1.0, 0.0), (np.inf, 1, 0.5, 1.0), (np.float32(0.3), 10**6, 0.1, 0.5)]:
        chain = default_chain(*values)
        np.testing.assert_array_equal(compiled(chain, logits), apply(chain, logits))
    assert compiled.experimental_get_tracing_count() == 1
    compiled(default_chain(1.0, 3), logits)
    assert compiled.experimental_get_tracing_count() == 2, "another structure is another function"


def test_a_graph_may_make_its_transforms_from_tensors():
    @tf.function
    def sample(t, k, p, logits):
        return sampling.apply((Temperature(t), TopK(k), TopP(p), MinP(p)), logits)

    logits = np.random.default_rng(0).normal(size=(2, 9)).astype(np.float32)
    inside = sample(tf.constant(0.5), tf.constant(3), tf.constant(0.25), logits)
    np.testing.assert_array_equal(inside, apply((Temperature(0.5), TopK(3), TopP(0.25), MinP(0.25)), logits))
    assert support(inside).sum() < support(logits).sum()


# Selecting


BELOW_ONE = 1 - 2**-53  # the largest number below 1


def select(logits, uniforms):
    return sampling.select(tf.constant(logits), tf.constant(uniforms, tf.float64)).numpy()


@pytest.mark.parametrize("size", [1, 2, 8, 64, 1024])
def test_each_token_has_exactly_its_interval(size):
    borders = np.arange(size) / size  # sums of powers of two are exact
    logits = np.zeros((size, size))
    np.testing.assert_array_equal(select(logits, borders), np.arange(size))
    np.testing.assert_array_equal(select(logits, np.nextafter(borders + 1 / size, 0)), np.arange(size))


@given(logits_of(rows=(1, 1)), st.lists(st.floats(0, BELOW_ONE), min_size=1, max_size=20))
@some
def test_select_inverts_the_cumulative_distribution(logits, uniforms):
    cumulative = np.cumsum(distribution(logits[0]))
    uniforms = np.array(uniforms)
    expected = np.searchsorted(cumulative, uniforms * cumulative[-1], side="right")
    clear = np.abs(uniforms[:, np.newaxis] - cumulative).min(axis=1) > 1e-12
    chosen = select(np.repeat(logits, len(uniforms), axis=0), uniforms)
    np.testing.assert_array_equal(chosen[clear], expected[clear])
    assert chosen.dtype == np.int32


@given(logits_of(), st.one_of(st.floats(0, BELOW_ONE), st.sampled_from([0.0, 5e-324, BELOW_ONE])))
@settings(max_examples=200)
def test_a_token_of_probability_zero_is_never_chosen(logits, uniform):
    chosen = select(logits, np.full(len(logits), uniform))
    assert (distribution(logits)[np.arange(len(logits)), chosen] > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_ends_of_a_large_vocabulary_are_safe(seed):
    rng = np.random.default_rng(seed)
    logits = np.where(rng.random(50_000) < 0.5, NEVER, rng.normal(scale=5, size=50_000))
    logits[:100] = logits[-100:] = NEVER
    uniforms = np.concatenate([[0, 5e-324, BELOW_ONE], rng.random(20)])
    chosen = select(np.tile(logits, (len(uniforms), 1)), uniforms)
    assert support(logits)[chosen].all()
    allowed = np.flatnonzero(support(logits))
    assert (chosen[0], chosen[2]) == (allowed[0], allowed[-1])


# Chi-square: 200,000 draws, a false alarm less often than once in a million


TIMES = 200_000
FALSE_ALARM = 1e-6
DISTRIBUTIONS = {  # an odd number of tokens that can be drawn
    "uniform": np.zeros(7),
    "zipf": -np.log(np.arange(1, 28)),
    "steep": -0.7 * np.arange(9),
    "nearly certain": np.log([0.001, 0.99, 0.009]),
    "holes": np.array([NEVER, 0.0, NEVER, NEVER, 1.0, 2.0, NEVER, 1.0, -2.0, NEVER]),
    "top-k of a sharpened one": apply(default_chain(0.7, 5), np.sin(np.arange(20.0))[np.newaxis])[0],
}
every_distribution = pytest.mark.parametrize("name", DISTRIBUTIONS)


def chance_of(counts, probabilities):
    """Give the chance that counts stray from probabilities so far or further: Pearson's test.

    For 2m degrees of freedom the tail of chi-square is that of a Poisson variable, sum_{i<m} exp(-h) h^i / i! with h
    half the statistic (Abramowitz and Stegun 1964, 26.4.21).
    """
    assert not counts[probabilities == 0].any()
    counts, probabilities = counts[probabilities > 0], probabilities[probabilities > 0]
    expected = counts.sum() * probabilities
    assert expected.min() >= 5
    degrees = len(counts) - 1
    assert degrees % 2 == 0
    half = np.sum((counts - expected) ** 2 / expected) / 2
    return math.fsum(math.exp(-half + i * math.log(half) - math.lgamma(i + 1)) for i in range(degrees // 2))


@pytest.mark.parametrize(("half", "degrees"), [(16.812 / 2, 6), (20.090 / 2, 8), (50.892 / 2, 30)])
def test_the_tail_of_chi_square_is_that_of_the_tables(half, degrees):
    # Upper 1 % points of chi-square, Abramowitz and Stegun 1964, table 26.8.
    counts = np.full(degrees + 1, 1000.0)
    shift = math.sqrt(1000 * half)  # which makes the statistic, 2 shift^2 / 1000, twice half
    counts[0] += shift
    counts[1] -= shift
    assert chance_of(counts, np.full(degrees + 1, 1 / (degrees + 1))) == pytest.approx(0.01, rel=2e-3)


def in_one_row():
    return draws([[2026, 0]], 0, TIMES)[:, 0]


def in_many_rows():
    return draws(sampling.row_seeds(2026, TIMES // 200), 0, 200).ravel()


def chance_of_selecting(selector, logits, uniforms):
    ids = np.concatenate([selector(np.tile(logits, (len(part), 1)), part) for part in np.array_split(uniforms, 10)])
    assert len(ids) == TIMES
    return chance_of(np.bincount(ids, minlength=len(logits)), distribution(logits))


@every_distribution
@pytest.mark.parametrize("uniforms", [in_one_row, in_many_rows])
def test_tokens_come_as_often_as_they_are_likely(name, uniforms):
    assert chance_of_selecting(select, DISTRIBUTIONS[name], uniforms()) > FALSE_ALARM


def too_sure(logits, uniforms):
    return select(logits * 1.1, uniforms)


def reluctant_to_take_the_last(logits, uniforms):
    return select(logits, uniforms * 0.98)


@pytest.mark.parametrize(
    ("biased", "name"),
    [(too_sure, name) for name in DISTRIBUTIONS if name != "uniform"]  # which has nothing to be too sure of
    + [(reluctant_to_take_the_last, name) for name in DISTRIBUTIONS],
)
def test_a_biased_selector_would_be_caught(biased, name):
    assert chance_of_selecting(biased, DISTRIBUTIONS[name], in_one_row()) < FALSE_ALARM


# Draws


SEEDS = st.integers(-(2**63), 2**63 - 1)
STEPS = st.one_of(st.integers(0, 3 * BLOCK), st.sampled_from([0, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK]))
COUNTS = st.one_of(st.integers(1, 3 * BLOCK), st.sampled_from([1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK]))

_compiled_draws = tf.function(
    sampling.draws,
    input_signature=[tf.TensorSpec([None, 2], tf.int64), tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.int32)],
)


def draws(seeds, first, count):
    return _compiled_draws(np.asarray(seeds, np.int64), first, count).numpy()


@given(SEEDS, st.integers(1, 5), STEPS, COUNTS)
def test_any_slice_equals_that_of_one_long_call(seed, rows, first, count):
    seeds = sampling.row_seeds(seed, rows)
    part = draws(seeds, first, count)
    assert part.shape == (count, rows)
    assert part.dtype == np.float64
    assert part.min() >= 0
    assert part.max() < 1
    np.testing.assert_array_equal(part, draws(seeds, 0, first + count)[first:])


@given(SEEDS, STEPS, COUNTS, st.integers(2, 64))
@some
def test_a_row_draws_the_same_alone_and_among_others(seed, first, count, rows):
    together = draws(sampling.row_seeds(seed, rows), first, count)
    np.testing.assert_array_equal(draws(sampling.row_seeds(seed, 1), first, count)[:, 0], together[:, 0])
    last = sampling.row_seeds(seed, rows)[-1:]
    np.testing.assert_array_equal(draws(last, first, count)[:, 0], together[:, -1])


def test_eager_and_compiled_draws_are_the_same():
    seeds = sampling.row_seeds(5, 2)
    np.testing.assert_array_equal(sampling.draws(tf.constant(seeds), 250, 10), draws(seeds, 250, 10))


def test_draws_stay_what_they_were():
    # Pinned, since a saved session and a text named by its seed must come out the same in the next version.
    pinned = [[0.8222400548108557, 0.7644407422713146], [0.78621757429212, 0.33217456425720226]]
    np.testing.assert_array_equal(draws([[1, 0], [1, 1]], 255, 2), pinned)


def test_no_number_comes_twice():
    seeds = np.concatenate([sampling.row_seeds(seed, 20) for seed in (-1, 0, 1, 2**32, 2**62)])
    numbers = draws(seeds, 0, 3 * BLOCK)
    assert len(np.unique(numbers)) == numbers.size


@pytest.mark.parametrize(
    "pairs",
    [
        lambda numbers: (numbers[:-1], numbers[1:]),
        lambda numbers: (numbers[:, :-1], numbers[:, 1:]),
        lambda numbers: (numbers[:-BLOCK], numbers[BLOCK:]),
    ],
    ids=["next steps", "next rows", "next blocks"],
)
def test_neighbours_are_uniform_and_independent(pairs):
    one, other = pairs(draws(sampling.row_seeds(0, 400), 0, 4 * BLOCK))
    squares = np.bincount((np.floor(one * 15) * 15 + np.floor(other * 15)).astype(int).ravel(), minlength=225)
    assert chance_of(squares, np.full(225, 1 / 225)) > FALSE_ALARM


# Seeds of rows


def test_one_seed_serves_all_rows():
    np.testing.assert_array_equal(sampling.row_seeds(7, 3), [[7, 0], [7, 1], [7, 2]])
    assert sampling.row_seeds(np.int32(7), 3).dtype == np.int64


def test_a_seed_a_row_makes_each_text_repeatable_alone():
    np.testing.assert_array_equal(sampling.row_seeds([7, 7, -1], 3), [[7, 0], [7, 0], [-1, 0]])
    np.testing.assert_array_equal(sampling.row_seeds([9], 1), sampling.row_seeds(9, 1))


@pytest.mark.parametrize("seed", [2**63 - 1, -(2**63), 0, np.uint64(5)])
def test_every_integer_of_64_bits_is_a_seed(seed):
    np.testing.assert_array_equal(sampling.row_seeds(seed, 1), [[int(seed), 0]])


@pytest.mark.parametrize(
    "seed",
    [1.0, 1.5, np.nan, 2**63, -(2**63) - 1, 2**64, True, None, "1", [1.0, 2.0], [1, 2**63], [[1], [2]]],
    ids=repr,
)
def test_what_is_no_integer_of_64_bits_is_refused(seed):
    with pytest.raises(InputError) as refusal:
        sampling.row_seeds(seed, 2)
    assert str(refusal.value) == f"a seed must be an integer that fits 64 bits; received {seed!r}."


@pytest.mark.parametrize("seeds", [[1], [1, 2], [1, 2, 3, 4]])
def test_a_wrong_number_of_seeds_is_refused(seeds):
    with pytest.raises(InputError, match=f"one for each of 3 rows; received {len(seeds)} seeds"):
        sampling.row_seeds(seeds, 3)
