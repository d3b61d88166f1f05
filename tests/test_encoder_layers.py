"""The layers between an encoder and a decoder: attention, both directions, the summary and the first state."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tfgen import layers
from tfgen.layers.first_state import summary

RNG = np.random.default_rng(0)


def test_attention_is_luongs():
    layer = layers.Attention(3)
    queries, memory = RNG.normal(size=(2, 4, 5)).astype(np.float32), RNG.normal(size=(2, 6, 7)).astype(np.float32)
    mask = np.arange(6) < [[6], [2]]
    output, weights = layer([queries, memory], mask=[None, mask], return_attention_scores=True)
    a, w_c, w_q = (weight.numpy() for weight in layer.weights)
    assert (a.shape, w_c.shape, w_q.shape) == ((7, 5), (7, 3), (5, 3))
    for b in range(2):
        for t in range(4):
            real = memory[b, mask[b]]
            score = np.exp(real @ a @ queries[b, t])
            share = score / score.sum()
            np.testing.assert_allclose(weights[b, t, : len(real)], share, rtol=2e-4)
            np.testing.assert_allclose(weights[b, t, len(real) :], 0)
            expected = np.tanh(share @ real @ w_c + queries[b, t] @ w_q)
            np.testing.assert_allclose(output[b, t], expected, atol=1e-5)
    looked = layer.memory(memory, mask)
    for t in range(4):
        stepped, of_step = layer.attend(queries[:, t], looked)
        np.testing.assert_allclose(stepped, output[:, t], atol=1e-5)
        np.testing.assert_allclose(of_step, weights[:, t], atol=1e-5)


def test_attention_in_a_network_of_keras_reads_the_mask_of_its_memory():
    ids, queries = keras.Input((None,), dtype="int32"), keras.Input((None, 4))
    memory = keras.layers.Embedding(9, 5, mask_zero=True)(ids)
    model = keras.Model([queries, ids], layers.Attention(3)([queries, memory]))
    some = RNG.normal(size=(1, 2, 4)).astype(np.float32)
    padded, plain = (model([some, np.array([row])]) for row in ([3, 4, 0, 0], [3, 4]))
    np.testing.assert_allclose(padded, plain, atol=1e-6)
    assert model.output_shape == (None, None, 3)


def test_nothing_to_look_at_is_no_nan():
    layer = layers.Attention(3)
    output, weights = layer.attend(tf.ones([1, 2]), _built(layer).memory(tf.ones([1, 4, 2]), tf.zeros([1, 4], tf.bool)))
    assert np.isfinite(output.numpy()).all()
    np.testing.assert_allclose(weights, 0.25)


def _built(layer):
    layer.build([(None, None, 2), (None, None, 2)])
    return layer


@pytest.mark.slow
@given(st.lists(st.integers(1, 7), min_size=1, max_size=4), st.sampled_from(["LSTM", "GRU", "SimpleRNN"]))
@settings(max_examples=6)
def test_both_directions_are_those_of_keras(lengths, kind):
    x = RNG.normal(size=(len(lengths), 7, 3)).astype(np.float32)
    mask = np.arange(7) < np.array(lengths)[:, np.newaxis]
    ours = layers.Bidirectional(getattr(layers, kind)(4, return_sequences=True))
    theirs = keras.layers.Bidirectional(getattr(keras.layers, kind)(4, return_sequences=True))
    theirs(x)
    ours(x)
    ours.set_weights(theirs.get_weights())
    for given_mask in (mask, None):
        real = mask if given_mask is not None else np.ones_like(mask)
        one, other = (layer(x, mask=given_mask).numpy()[real] for layer in (ours, theirs))
        np.testing.assert_allclose(one, other, atol=1e-5)


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5).filter(any), min_size=1, max_size=3))
@settings(max_examples=20)
def test_a_summary_is_first_and_last_and_mean_and_maximum_of_what_is_there(masks):
    x = RNG.normal(size=(len(masks), 5, 2)).astype(np.float32)
    given_summary = summary(tf.constant(x), tf.constant(masks))
    for row, mask, found in zip(x, masks, given_summary.numpy(), strict=True):
        real = row[mask]
        np.testing.assert_allclose(found, [real[0], real[-1], real.mean(axis=0), real.max(axis=0)], atol=1e-6)
    assert summary(tf.constant(x[:, 0])).shape == (len(masks), 1, 2)
    assert np.isfinite(summary(tf.constant(x), tf.zeros([len(masks), 5], tf.bool))).all()


def test_a_first_state_says_all_of_a_single_feature():
    layer = layers.FirstState([[3, 3]])
    layer.build((None, 1, 1))
    (h, c), *_ = layer(tf.constant([[[0.5]], [[2.0]]]))
    assert np.abs(h[0] - h[1]).max() > 1e-3
    np.testing.assert_allclose(c[1], 4 * c[0], rtol=1e-5)  # the bias is still zero
