"""Laws of the transforms without memory; a NumPy float64 reference stands against each."""

import numpy as np
import pytest
import tensorflow as tf
from effort import examples
from hypothesis import assume, currently_in_test_context, given
from hypothesis import strategies as st
from sampling_support import (
    GRID,
    NEVER,
    apply,
    distribution,
    entropy,
    log_distribution,
    logits_of,
    some,
    support,
)

from tfgen import InputError
from tfgen.sampling import (
    XTC,
    DynamicTemperature,
    Epsilon,
    LogitBias,
    Mask,
    MinP,
    Temperature,
    TopK,
    TopNSigma,
    TopP,
    Typical,
    default_chain,
)

TEMPERATURES = st.one_of(st.floats(0.05, 20), st.sampled_from([0.0, 1.0, np.inf, 1e-300, 1e300]))
KS = st.integers(1, 60)
PS = st.floats(0.01, 1)
MIN_PS = st.one_of(st.floats(0.001, 1), st.just(0.0))
BORDERS = st.tuples(*[st.floats(0.05, 20)] * 2)  # a border of 0 is a jump, where rounding of the entropy decides


@st.composite
def biases_of(draw, logits):
    numbers = draw(st.lists(GRID, min_size=logits.shape[1], max_size=logits.shape[1]))
    return (LogitBias(np.where(left(draw, logits), np.maximum(numbers, -10), numbers)),)


@st.composite
def masks_of(draw, logits):
    kept = draw(st.lists(st.booleans(), min_size=logits.shape[1], max_size=logits.shape[1]))
    return (Mask(left(draw, logits) | kept),)


def left(draw, logits):
    """Choose tokens that must stay, so that each row has one left."""
    return np.isin(np.arange(logits.shape[1]), [draw(st.sampled_from(np.flatnonzero(row))) for row in support(logits)])


SAMPLERS = {  # for given logits (B, V)
    "Temperature": lambda logits: st.builds(lambda t: (Temperature(t),), TEMPERATURES),
    "DynamicTemperature": lambda logits: st.builds(
        lambda borders, exponent: (DynamicTemperature(*borders, exponent),), BORDERS, st.floats(0.25, 4)
    ),
    "TopK": lambda logits: st.builds(lambda k: (TopK(k),), KS),
    "TopP": lambda logits: st.builds(lambda p: (TopP(p),), PS),
    "MinP": lambda logits: st.builds(lambda p: (MinP(p),), MIN_PS),
    "Typical": lambda logits: st.builds(lambda p: (Typical(p),), PS),
    "Epsilon": lambda logits: st.builds(lambda p: (Epsilon(p),), MIN_PS),
    "TopNSigma": lambda logits: st.builds(lambda n: (TopNSigma(n),), st.floats(0.05, 10)),
    "XTC": lambda logits: st.builds(lambda *settings: (XTC(*settings),), MIN_PS, MIN_PS),
    "LogitBias": biases_of,
    "Mask": masks_of,
    "default_chain": lambda logits: st.builds(
        default_chain, TEMPERATURES, st.none() | KS, st.none() | PS, st.none() | MIN_PS, st.none() | PS
    ),
}
CUTTING = ["TopK", "TopP", "MinP", "Typical", "Epsilon", "TopNSigma", "Mask"]  # which change no logit that they keep

every_sampler = pytest.mark.parametrize("name", SAMPLERS)


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
    logits = data.draw(logits_of())
    assert_distributes(data.draw(SAMPLERS[name](logits)), logits)


@every_sampler
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_fifty_thousand_tokens(name, dtype):
    rng = np.random.default_rng(5)
    logits = np.where(rng.random((2, 50_000)) < 0.3, NEVER, rng.normal(scale=3, size=(2, 50_000))).astype(dtype)
    sampler = {
        "Temperature": (Temperature(0.7),),
        "DynamicTemperature": (DynamicTemperature(0.5, 1.5),),
        "TopK": (TopK(1000),),
        "TopP": (TopP(0.9),),
        "MinP": (MinP(0.01),),
        "Typical": (Typical(0.9),),
        "Epsilon": (Epsilon(0.0003),),
        "TopNSigma": (TopNSigma(1.5),),
        "XTC": (XTC(0.7, 0.0003),),
        "LogitBias": (LogitBias(np.arange(50_000) % 7),),
        "Mask": (Mask(np.arange(50_000) % 7 > 3),),
        "default_chain": default_chain(0.7, 1000, 0.9, 0.01, 0.95),
    }[name]
    assert_distributes(sampler, logits)
    if dtype == np.float64:
        np.testing.assert_allclose(distribution(apply(sampler, logits)), reference(sampler, logits), rtol=0, atol=1e-6)


@every_sampler
@given(data=st.data())
@some
def test_one_token_is_certain(name, data):
    place = data.draw(st.permutations(range(3)))
    for logits in (np.array([[data.draw(st.floats(-1e4, 1e4)), NEVER, NEVER]])[:, place], np.array([[-7.0]])):
        out = apply(data.draw(SAMPLERS[name](logits)), logits)
        np.testing.assert_array_equal(distribution(out), support(logits))


# An independent reference


def reference(sampler, logits):
    """Give the distribution (B, V) by the papers' definitions, over probabilities, in NumPy float64."""
    # The likeliest stays at 0: the smallest differences are still told apart there.
    log_p = logits.astype(np.float64)
    for transform in sampler:
        log_p = log_p - log_p.max(axis=1, keepdims=True)
        log_p = np.stack([_REFERENCE[type(transform)](transform, distribution(row), row) for row in log_p])
    return distribution(log_p)


def clear(of_borders):
    """Take only examples that rounding does not decide."""
    if currently_in_test_context():
        assume(of_borders)


def _keep(log_p, kept):
    return np.where(kept, log_p, NEVER)


def _sum_before(weights, rank):
    """Give for each token the sum of the weights of those of a strictly lower rank."""
    order = np.argsort(rank)
    sums = np.concatenate([[0], np.cumsum(weights[order])])
    return sums[np.searchsorted(rank[order], rank, side="left")]


def _at(t, log_p):
    if t == 0:
        return np.where(np.arange(len(log_p)) == np.argmax(log_p), 0, NEVER)
    if t == np.inf:
        return np.where(log_p > NEVER, 0, NEVER)
    with np.errstate(over="ignore"):
        return (log_p - log_p.max()) / t


def _temperature(transform, p, log_p):
    return _at(float(transform.t), log_p)


def _dynamic_temperature(transform, p, log_p):
    low, high, exponent = float(transform.low), float(transform.high), float(transform.exponent)
    allowed = np.count_nonzero(log_p > NEVER)
    share = min(1, entropy(log_p) / np.log(allowed)) if allowed > 1 else 0
    return _at(low * (1 - share**exponent) + high * share**exponent, log_p)


def _top_k(transform, p, log_p):
    return _keep(log_p, _sum_before(np.ones_like(p), -log_p) < int(transform.k))


def _top_p(transform, p, log_p):
    wanted = float(transform.p)
    if wanted == 1:
        return log_p
    before = _sum_before(p, -log_p)
    clear((np.abs(before - wanted) > 1e-9).all())
    return _keep(log_p, before < wanted)


def _min_p(transform, p, log_p):
    wanted = float(transform.p)
    ratio = np.exp(log_p - log_p.max())
    clear(wanted == 0 or ((np.abs(ratio / wanted - 1) > 1e-9) | (log_p == log_p.max())).all())
    return _keep(log_p, ratio >= wanted)


def _typical(transform, p, log_p):
    wanted = float(transform.p)
    if wanted == 1:
        return log_p
    surprise = -log_distribution(log_p)
    distance = np.abs(surprise - np.sum(p[p > 0] * surprise[p > 0]))
    gaps = np.diff(np.sort(distance[distance < np.inf]))
    clear(((gaps == 0) | (gaps > 1e-9)).all())
    before = _sum_before(p, distance)
    clear((np.abs(before - wanted) > 1e-9).all())
    return _keep(log_p, before < wanted)


def _epsilon(transform, p, log_p):
    wanted = float(transform.epsilon)
    clear(wanted == 0 or (np.abs(p / wanted - 1) > 1e-9).all())
    return _keep(log_p, (p >= wanted) | (p == p.max()))


def _top_n_sigma(transform, p, log_p):
    possible = log_p[log_p > NEVER]
    border = possible.max() - float(transform.n) * possible.std()
    clear((np.abs(possible - border) > 1e-9).all() or possible.std() == 0)
    return _keep(log_p, log_p >= border)


def _xtc(transform, p, log_p):
    """A coin decides whether the top choices are left out: the mean of both sides."""
    probability, threshold = float(transform.probability), float(transform.threshold)
    clear((np.abs(p - threshold) > 1e-9 * threshold).all())
    top = (p >= threshold) & (p > 0)
    left = ~top | (log_p == log_p[top].min()) if top.any() else ~top
    without = np.where(left, p, 0) / p[left].sum()
    with np.errstate(divide="ignore"):
        return np.log((1 - probability) * p + probability * without)


def _logit_bias(transform, p, log_p):
    return log_p + transform.biases.numpy()


def _mask(transform, p, log_p):
    return _keep(log_p, transform.kept.numpy())


_REFERENCE = {
    Temperature: _temperature,
    DynamicTemperature: _dynamic_temperature,
    TopK: _top_k,
    TopP: _top_p,
    MinP: _min_p,
    Typical: _typical,
    Epsilon: _epsilon,
    TopNSigma: _top_n_sigma,
    XTC: _xtc,
    LogitBias: _logit_bias,
    Mask: _mask,
}


@every_sampler
@given(data=st.data())
@some
def test_float64_agrees_with_the_reference(name, data):
    logits = data.draw(logits_of(dtypes=st.just(np.float64)))
    sampler = data.draw(SAMPLERS[name](logits))
    np.testing.assert_allclose(distribution(apply(sampler, logits)), reference(sampler, logits), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "default_chain"])
@pytest.mark.parametrize(("dtype", "atol"), [(np.float32, 1e-6), (np.float16, 2e-3)], ids=["float32", "float16"])
@given(data=st.data())
@examples(20)
def test_narrow_types_agree_with_the_reference_as_far_as_they_can_tell(name, dtype, atol, data):
    logits = data.draw(logits_of(dtypes=st.just(dtype)))
    sampler = data.draw(SAMPLERS[name](logits))
    atol = 1e-6 if name in CUTTING else atol
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
        # The entropy is 1.445 nats; surprises are a 0.92, b and c 1.61, d 1.90, e 3.00.
        (Typical(0.39), "bc"),
        (Typical(0.41), "bcd"),
        (Typical(0.56), "abcd"),
        (Typical(0.96), "abcde"),
        (Epsilon(0.9), "a"),
        (Epsilon(0.21), "a"),
        (Epsilon(0.19), "abc"),
        (Epsilon(0.06), "abcd"),
        (Epsilon(0), "abcde"),
        # The deviation of the logits is 0.69; they lie 0, 0.69, 0.69, 0.98 and 2.08 below the largest.
        (TopNSigma(0.9), "a"),
        (TopNSigma(1.1), "abc"),
        (TopNSigma(2), "abcd"),
        (TopNSigma(4), "abcde"),
        (Mask(np.array(list("eabdc")) > "b"), "cde"),
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


@pytest.mark.parametrize(("low", "high", "exponent", "t"), [(0.5, 2, 1, 1.25), (2, 0.5, 1, 1.25), (0.5, 2, 3, 0.6875)])
def test_a_dynamic_temperature_half_way(low, high, exponent, t):
    # Two of four allowed tokens share all probability: the entropy is half of what it could be.
    logits = np.array([0.0, 0.0, -1e3, -1e3, NEVER])
    np.testing.assert_allclose(
        DynamicTemperature(low, high, exponent)(logits), [0, 0, -1e3 / t, -1e3 / t, NEVER], rtol=1e-12
    )


# Settings that change nothing


@given(logits_of(), st.integers(0, 2**70 - 1))
@some
def test_k_of_the_vocabulary_or_more_changes_nothing(logits, more):
    np.testing.assert_array_equal(TopK(min(logits.shape[1] + more, 2**63 - 1))(logits), logits)


@pytest.mark.parametrize("transform", [TopP(1.0), MinP(0.0), Typical(1.0), Epsilon(0.0)], ids=str)
@given(logits=logits_of())
@some
def test_settings_that_change_nothing(transform, logits):
    np.testing.assert_array_equal(transform(logits), logits)


@given(logits_of())
@some
def test_a_mask_that_keeps_all_changes_nothing(logits):
    np.testing.assert_array_equal(Mask(np.ones(logits.shape[1], bool))(logits), logits)


def assert_moved_by_a_constant(out, logits):
    moved = np.subtract(logits, out, out=np.full_like(out, np.nan), where=support(logits))
    np.testing.assert_array_equal(np.nanmax(moved, axis=1), np.nanmin(moved, axis=1))


@given(logits_of())
@some
def test_settings_that_only_move_each_row_by_a_constant(logits):
    logits = logits.astype(np.float64)
    assert_moved_by_a_constant(Temperature(1.0)(logits).numpy(), logits)
    assert_moved_by_a_constant(LogitBias(np.full(logits.shape[1], 3))(logits).numpy(), logits)
    for chain in (default_chain(), (DynamicTemperature(1, 1),)):
        np.testing.assert_allclose(distribution(apply(chain, logits)), distribution(logits), rtol=0, atol=1e-12)


# Monotone settings


@given(logits_of(), st.tuples(KS, KS))
@some
def test_a_larger_k_keeps_more(logits, ks):
    fewer, more = (support(TopK(k)(logits)) for k in sorted(ks))
    assert (fewer <= more).all()
    assert (fewer.sum(axis=1) >= np.minimum(min(ks), support(logits).sum(axis=1))).all()


@pytest.mark.parametrize("kind", [TopP, Typical])
@given(logits=logits_of(), ps=st.tuples(PS, PS))
@some
def test_a_larger_p_keeps_more(kind, logits, ps):
    fewer, more = (support(kind(p)(logits)) for p in sorted(ps))
    assert (fewer <= more).all()
    assert (np.sum(distribution(logits) * fewer, axis=1) >= min(ps) - 1e-12).all()


@pytest.mark.parametrize("kind", [MinP, Epsilon])
@given(logits=logits_of(), ps=st.tuples(MIN_PS, MIN_PS))
@some
def test_a_larger_threshold_keeps_fewer(kind, logits, ps):
    more, fewer = (support(kind(p)(logits)) for p in sorted(ps))
    assert (fewer <= more).all()


@given(logits_of(dtypes=st.just(np.float64)), st.tuples(TEMPERATURES, TEMPERATURES))
@some
def test_entropy_rises_with_the_temperature(logits, temperatures):
    colder, warmer = (entropy(Temperature(t)(logits)) for t in sorted(temperatures))
    assert (colder <= warmer + 1e-9).all()


@given(logits_of(dtypes=st.just(np.float64)), BORDERS, BORDERS)
@some
def test_entropy_rises_with_the_borders_of_a_dynamic_temperature(logits, lows, highs):
    borders = zip(sorted(lows), sorted(highs), strict=True)
    colder, warmer = (entropy(DynamicTemperature(*each)(logits)) for each in borders)
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
    greedy = np.arange(logits.shape[1]) == np.argmax(logits, axis=1)[:, np.newaxis]
    for transform in (Temperature(0.0), DynamicTemperature(0, 0)):
        np.testing.assert_array_equal(support(transform(logits)), greedy)


@given(logits_of())
@some
def test_an_infinite_temperature_is_uniform_over_what_is_allowed(logits):
    for transform in (Temperature(np.inf), DynamicTemperature(np.inf, np.inf)):
        np.testing.assert_array_equal(transform(logits), np.where(support(logits), 0, NEVER))


def test_a_dynamic_temperature_may_rise_from_0_or_to_infinity():
    sure, unsure = np.array([5.0, NEVER, NEVER]), np.array([0.0, 1.0, NEVER])
    for high in (1, np.inf):
        np.testing.assert_array_equal(support(DynamicTemperature(0, high)([sure, unsure])), support([sure, unsure]))
    np.testing.assert_array_equal(DynamicTemperature(0.5, np.inf)([sure, unsure]), [[0, NEVER, NEVER], [0, 0, NEVER]])


@pytest.mark.parametrize("t", [1e-9, 1e-300, 5e-324])
@given(logits=logits_of())
@some
def test_a_tiny_temperature_is_greedy(t, logits):
    out = Temperature(t)(logits).numpy()
    assert not np.isnan(out).any()
    likeliest = logits == logits.max(axis=1, keepdims=True)
    assert (distribution(out)[~likeliest] < 1e-20).all()
    np.testing.assert_array_equal(out.max(axis=1), 0)


def xtc_with_a_coin(p, probability, threshold, rng):
    """Draw as llama.cpp does: by a coin, all that reach the threshold but the last of them are left out."""
    order = np.argsort(-p, kind="stable")
    reach = int((p >= threshold).sum())
    if reach >= 2 and rng.random() < probability:
        order = order[reach - 1 :]
    return rng.choice(order, p=p[order] / p[order].sum())


@pytest.mark.parametrize(("probability", "threshold"), [(0.5, 0.1), (1.0, 0.06), (0.3, 0.29)])
def test_xtc_draws_what_is_drawn_with_a_coin(probability, threshold):
    p, times, rng = np.array([0.05, 0.4, 0.15, 0.1, 0.3]), 20_000, np.random.default_rng(5)
    drawn = np.bincount([xtc_with_a_coin(p, probability, threshold, rng) for _ in range(times)], minlength=5)
    expected = times * distribution(XTC(probability, threshold)(np.log(p)).numpy())
    can = expected > 0
    assert not drawn[~can].any()
    # Chi-square with 4 degrees of freedom exceeds 34 in one case of a million.
    assert ((drawn[can] - expected[can]) ** 2 / expected[can]).sum() < 34


# Symmetries


def permuted(transform, order):
    if isinstance(transform, LogitBias):
        return LogitBias(transform.biases.numpy()[order])
    return Mask(transform.kept.numpy()[order]) if isinstance(transform, Mask) else transform


def takes_the_first(transform):
    """Say whether it is greedy, and so takes the first of equals."""
    return isinstance(transform, Temperature) and transform.t == 0


@every_sampler
@given(data=st.data())
@some
def test_the_order_of_the_vocabulary_does_not_matter(name, data):
    logits = data.draw(logits_of())
    sampler = data.draw(SAMPLERS[name](logits))
    assume(not any(map(takes_the_first, sampler)))
    order = data.draw(st.permutations(range(logits.shape[1])))
    plain = apply(sampler, logits)[:, order]
    other = apply([permuted(transform, order) for transform in sampler], logits[:, order])
    if any(isinstance(transform, DynamicTemperature | Typical | TopNSigma | XTC) for transform in sampler):
        reference(sampler, logits)  # which assumes that no rounding of sums decides
        np.testing.assert_allclose(distribution(other), distribution(plain), rtol=0, atol=1e-3)
        np.testing.assert_array_equal(support(other), support(plain))
    else:
        np.testing.assert_array_equal(other, plain)


@every_sampler
@given(data=st.data(), shift=st.integers(-100, 100))
@some
def test_a_constant_added_to_the_logits_does_not_matter(name, data, shift):
    logits = data.draw(logits_of(values=GRID))
    sampler = data.draw(SAMPLERS[name](logits))
    plain, shifted = apply(sampler, logits), apply(sampler, logits + logits.dtype.type(shift))
    np.testing.assert_array_equal(support(plain), support(shifted))
    np.testing.assert_allclose(distribution(shifted), distribution(plain), rtol=0, atol=1e-12)


@every_sampler
@given(data=st.data())
@some
def test_a_row_does_not_depend_on_its_batch(name, data):
    logits = data.draw(logits_of(rows=(2, 5)))
    sampler = data.draw(SAMPLERS[name](logits))
    together = apply(sampler, logits)
    for row in range(len(logits)):
        alone = apply(sampler, logits[row : row + 1])[0]
        np.testing.assert_array_equal(support(alone), support(together[row]))
        # TensorFlow sums an entropy in an order that depends on the batch.
        np.testing.assert_allclose(alone, together[row], rtol=1e-3 if name == "DynamicTemperature" else 0)


@every_sampler
@given(data=st.data())
@examples(15)
def test_any_leading_axes_will_do(name, data):
    logits = data.draw(logits_of(rows=(2, 2)))
    sampler = data.draw(SAMPLERS[name](logits))
    together = apply(sampler, logits)
    np.testing.assert_array_equal(apply(sampler, logits[0]), together[0])
    np.testing.assert_array_equal(apply(sampler, logits[:, np.newaxis]), together[:, np.newaxis])


# Settings that cannot be


NO_NUMBERS = [np.nan, True, np.True_, "3", b"3", None, [], [0.5], [[1], [1, 2]], {}, 1j]
REFUSED = [
    # One for each row may be given too.
    ("temperature", Temperature, [-1, -0.1, -np.inf, *(each for each in NO_NUMBERS if not isinstance(each, list))]),
    ("low", lambda low: DynamicTemperature(low, 1), [-1, -0.1, *NO_NUMBERS]),
    ("high", lambda high: DynamicTemperature(1, high), [-1, -0.1, *NO_NUMBERS]),
    ("exponent", lambda exponent: DynamicTemperature(1, 2, exponent), [-1, 0, *NO_NUMBERS]),
    ("top_k", TopK, [0, -1, 2.5, 3.0, 2**63, 2**64, np.inf, *NO_NUMBERS]),
    ("top_p", TopP, [0, 0.0, -0.5, 1.5, 2, np.inf, *NO_NUMBERS]),
    ("min_p", MinP, [-1, -0.01, 1.5, np.inf, *NO_NUMBERS]),
    ("typical_p", Typical, [0, 0.0, -0.5, 1.5, 2, np.inf, *NO_NUMBERS]),
    ("epsilon", Epsilon, [-1, -0.01, 1.5, np.inf, *NO_NUMBERS]),
    ("top_n_sigma", TopNSigma, [-1, 0, 1e7, np.inf, *NO_NUMBERS]),
    ("xtc_probability", XTC, [-1, -0.01, 1.5, np.inf, *NO_NUMBERS]),
    ("xtc_threshold", lambda threshold: XTC(0.5, threshold), [-1, -0.01, 1.5, np.inf, *NO_NUMBERS]),
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


@pytest.mark.parametrize(
    ("kind", "attribute", "value"),
    [
        (Temperature, "t", 0.5),
        (TopK, "k", 3),
        (TopP, "p", 0.5),
        (MinP, "p", 0.5),
        (Typical, "p", 0.5),
        (TopNSigma, "n", 0.5),
        (XTC, "probability", 0.5),
        (Epsilon, "epsilon", 0.5),
    ],
    ids=lambda part: getattr(part, "__name__", None),
)
def test_a_setting_may_be_a_number_of_any_library(kind, attribute, value):
    number = np.asarray(value, np.float32 if isinstance(value, float) else np.int64)
    for given_ in (value, number, number[()], tf.constant(value), tf.Variable(value)):
        assert getattr(kind(given_), attribute) == value
