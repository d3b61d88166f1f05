"""Transforms in a row: the default chain, samplers of one's own, their order, and that new settings compile nothing."""

import numpy as np
import pytest
import tensorflow as tf
from sampling_support import apply, support

from tfgen import InputError, Vocabulary
from tfgen.sampling import Forbid, MinP, Temperature, TopK, TopP, default_chain
from tfgen.sampling import chain as chains

LETTERS = Vocabulary.from_texts(["abcABC 12é"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1),
        ("temperature", None),
        ("top_k", -1),
        ("top_k", 2.5),
        ("top_k", 0.0),
        ("top_k", False),
        ("top_k", []),
        ("top_p", 0),
        ("top_p", False),
        ("min_p", 2),
        ("typical_p", 0),
        ("repetition_penalty", 0),
    ],
    ids=repr,
)
def test_the_default_chain_refuses_what_its_transforms_refuse(name, value):
    with pytest.raises(InputError) as refusal:
        default_chain(**{name: value})
    assert str(refusal.value).startswith(f"{name} must be ")
    assert str(refusal.value).endswith(f"received {value!r}.")


def names(chain):
    return [type(transform).__name__ for transform in chain]


@pytest.mark.parametrize("settings", [{}, {"top_k": 0}, {"top_k": np.int64(0)}, {"top_k": None}], ids=repr)
def test_the_default_chain_has_only_what_was_asked_for(settings):
    assert names(default_chain(**settings)) == ["Temperature"]


def test_the_default_chain_has_its_transforms_in_the_documented_order():
    assert names(default_chain(top_p=0.5, min_p=0)) == ["Temperature", "TopP", "MinP"]
    chain = default_chain(0.5, 3, 0.9, 0.1, 0.8, 1.5)
    assert names(chain) == ["RepetitionPenalty", "Temperature", "TopK", "Typical", "TopP", "MinP"]
    penalty, temperature, top_k, typical, top_p, min_p = chain
    assert (float(penalty.penalty), float(temperature.t), int(top_k.k)) == (1.5, 0.5, 3)
    assert (float(typical.p), float(top_p.p), float(min_p.p)) == (0.8, 0.9, 0.1)


@pytest.mark.parametrize(
    ("settings_", "probabilities", "kept", "kept_if_swapped"),
    [
        ({"temperature": 2.0, "top_p": 0.5}, [0.6, 0.3, 0.1], [0, 1], [0]),
        ({"temperature": 2.0, "min_p": 0.6}, [0.6, 0.3, 0.1], [0, 1], [0]),
        ({"top_k": 2, "top_p": 0.5}, [0.4, 0.3, 0.2, 0.1], [0], [0, 1]),
        ({"top_p": 0.5, "min_p": 0.6}, [0.4, 0.3, 0.2, 0.1], [0, 1], [0]),
        ({"top_k": 3, "typical_p": 0.4}, [0.4, 0.3, 0.2, 0.1], [0, 1], [1, 2]),
        ({"typical_p": 0.3, "top_p": 0.5}, [0.4, 0.3, 0.2, 0.1], [1], [0]),
    ],
    ids=lambda part: " then ".join(part) if isinstance(part, dict) else "",
)
def test_the_order_documented_is_the_order_applied(settings_, probabilities, kept, kept_if_swapped):
    logits = np.log([probabilities])
    chain = default_chain(**settings_)[-2:]
    assert np.flatnonzero(support(apply(chain, logits))).tolist() == kept
    assert np.flatnonzero(support(apply(chain[::-1], logits))).tolist() == kept_if_swapped


def test_a_sampler_is_taken_as_it_is_and_bound_to_the_vocabulary():
    chain = chains.chain_of([TopP(0.5), Forbid("a"), Temperature(2.0)], {}, LETTERS)
    assert names(chain) == ["Mask", "TopP", "Temperature"], "what is forbidden is so before all else"
    assert names(chains.chain_of(None, {"top_k": 2}, LETTERS)) == ["Temperature", "TopK"]
    assert chains.chain_of([], {}, LETTERS) == ()


@pytest.mark.parametrize("wrong", [[Temperature], [0.8], ["TopK"], [None], [(TopK(1),)]], ids=repr)
def test_what_is_no_transform_is_refused(wrong):
    with pytest.raises(InputError, match="a sampler is a sequence of transforms"):
        chains.chain_of(wrong, {}, LETTERS)


@pytest.mark.parametrize("wrong", [TopK(1), 0.8, "greedy"], ids=repr)
def test_what_is_no_sampler_is_refused(wrong):
    with pytest.raises(InputError, match="a sampler is a sequence of transforms"):
        chains.chain_of(wrong, {}, LETTERS)


def test_a_sampler_and_settings_together_are_refused():
    with pytest.raises(InputError, match="not both; received top_k"):
        chains.chain_of([TopK(1)], {"top_k": 1}, LETTERS)
    with pytest.raises(TypeError, match="no setting topk"):
        chains.chain_of(None, {"topk": 1}, LETTERS)


def test_new_settings_do_not_compile_again():
    compiled = tf.function(chains.apply)
    logits = tf.random.stateless_normal([2, 9], seed=[0, 0])
    for values in [
        (1.0, 3, 0.9, 0.1, 0.5),
        (0.0, 9, 1.0, 0.0, 1.0),
        (np.inf, 1, 0.5, 1.0, 0.9),
        (np.float32(0.3), 10**6, 0.1, 0.5, 0.2),
    ]:
        chain = default_chain(*values)
        np.testing.assert_array_equal(compiled(chain, logits, ((),) * 5)[0], apply(chain, logits))
    assert compiled.experimental_get_tracing_count() == 1
    compiled(default_chain(1.0, 3), logits, ((), ()))
    assert compiled.experimental_get_tracing_count() == 2, "another structure is another function"


def test_a_graph_may_make_its_transforms_from_tensors():
    @tf.function
    def sample(t, k, p, logits):
        return chains.apply((Temperature(t), TopK(k), TopP(p), MinP(p)), logits, ((),) * 4)[0]

    logits = np.random.default_rng(0).normal(size=(2, 9)).astype(np.float32)
    inside = sample(tf.constant(0.5), tf.constant(3), tf.constant(0.25), logits)
    np.testing.assert_array_equal(inside, apply((Temperature(0.5), TopK(3), TopP(0.25), MinP(0.25)), logits))
    assert support(inside).sum() < support(logits).sum()
