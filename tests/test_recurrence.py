"""The hand-written recurrence gives what Keras gives: results, states and gradients, for every setting it covers."""

import functools
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from tfgen import layers
from tfgen.support import threads

V = 5
PAIRS = {"lstm": (layers.LSTM, keras.layers.LSTM), "gru": (layers.GRU, keras.layers.GRU)}

SHAPES = st.fixed_dictionaries(
    {"B": st.integers(1, 4), "T": st.integers(1, 7), "U": st.integers(1, 6), "D": st.sampled_from([None, 1, 3])}
)
OPTIONS = st.fixed_dictionaries(
    {
        "use_bias": st.booleans(),
        "go_backwards": st.booleans(),
        "return_sequences": st.booleans(),
        "stateful": st.booleans(),
        "dtype": st.sampled_from(["float32", "float64"]),
    }
)
few = examples(40)  # each example makes two layers


def made(cell, shape, options, seed):
    """Give our layer, Keras' twin, their inputs, and a state to begin from."""
    rng = np.random.default_rng(seed)
    ours, theirs = (kind(shape["U"], return_state=True, **options) for kind in PAIRS[cell])
    dtype = options["dtype"]
    if shape["D"]:
        inputs = theirs_inputs = tf.constant(rng.normal(size=(shape["B"], shape["T"], shape["D"])), dtype)
    else:
        ours = PAIRS[cell][0](shape["U"], return_state=True, one_hot=V, **options)
        inputs = tf.constant(rng.integers(0, V, (shape["B"], shape["T"])), tf.int32)
        theirs_inputs = tf.one_hot(inputs, V, dtype=dtype)
    ours.build(inputs.shape)
    theirs.build(theirs_inputs.shape)
    ours.set_weights([rng.normal(size=w.shape) for w in ours.get_weights()])
    theirs.set_weights(ours.get_weights())
    state = [tf.constant(rng.normal(size=(shape["B"], shape["U"])), dtype) for _ in ours.state_size]
    return ours, theirs, inputs, theirs_inputs, state


def outcome(layer, inputs, state, mask, training, weights_of_loss, compiled=False):
    """Give results and gradients: of the weights, the state before, and the inputs where they are numbers."""
    watched = [*layer.trainable_weights, *state, *([inputs] if inputs.dtype.is_floating else [])]

    def run(inputs):
        with tf.GradientTape() as tape:
            tape.watch(state)
            if inputs.dtype.is_floating:
                watched[-1] = inputs
                tape.watch(inputs)
            results = layer(inputs, initial_state=state, mask=mask, training=training)
            weighted = zip(results, weights_of_loss, strict=True)
            loss = tf.add_n([tf.reduce_sum(result * tf.cast(weight, result.dtype)) for result, weight in weighted])
        return results, tape.gradient(loss, [getattr(w, "value", w) for w in watched])

    results, gradients = (tf.function(run, autograph=False) if compiled else run)(inputs)
    return [r.numpy() for r in results], [tf.convert_to_tensor(g).numpy() for g in gradients]


def assert_close(ours, theirs, tolerance):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * max(np.abs(other).max(), 1e-3))


@pytest.mark.parametrize("cell", PAIRS)
@few
@given(shape=SHAPES, options=OPTIONS, training=st.booleans(), masked=st.booleans(), seed=st.integers(0, 2**16))
def test_results_and_gradients_are_those_of_keras(cell, shape, options, training, masked, seed):
    assert_the_same(cell, shape, options, training, masked, seed)


@pytest.mark.parametrize("cell", PAIRS)
@pytest.mark.parametrize(
    ("loops", "B", "D"),
    [
        *((1, 3, None), (2, 1, None), (2, 2, 3), (2, 5, None)),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in ((1, 3, 3), (2, 1, 3), (2, 2, None), (2, 5, 3))),
    ],
)
def test_in_a_graph_too_whole_or_in_halves(cell, loops, B, D):
    with mock.patch.object(threads, "between", return_value=loops):
        assert_the_same(cell, {"B": B, "T": 6, "U": 4, "D": D}, {"dtype": "float32"}, True, False, 5, compiled=True)


@pytest.mark.parametrize("cell", PAIRS)
def test_a_batch_of_open_size_has_halves_too(cell):
    ours, theirs, inputs, their_inputs, state = made(cell, {"B": 5, "T": 4, "U": 3, "D": None}, {"dtype": "float32"}, 7)

    @tf.function(autograph=False, reduce_retracing=True)
    def gradients(inputs, *state):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(ours(inputs, initial_state=list(state), training=True)[0]))
        return tape.gradient(loss, [weight.value for weight in ours.trainable_weights])

    open_sizes = [tf.TensorSpec([None, 4], tf.int32), *(tf.TensorSpec([None, 3], tf.float32) for _ in state)]
    with mock.patch.object(threads, "between", return_value=2):
        compiled = gradients.get_concrete_function(*open_sizes)
    for rows in (5, 2, 1):
        with tf.GradientTape() as tape:
            results = theirs(their_inputs[:rows], initial_state=[each[:rows] for each in state], training=True)
            loss = tf.reduce_sum(tf.sin(results[0]))
        expected = tape.gradient(loss, [weight.value for weight in theirs.trainable_weights])
        given = compiled(inputs[:rows], *(each[:rows] for each in state))
        assert_close([tf.convert_to_tensor(g).numpy() for g in given], [g.numpy() for g in expected], 1e-5)


def assert_the_same(cell, shape, options, training, masked, seed, compiled=False):
    ours, theirs, inputs, their_inputs, state = made(cell, shape, options, seed)
    rng = np.random.default_rng(seed)
    mask = tf.constant(rng.random((shape["B"], shape["T"])) < 0.7) if masked else None
    of_loss = [rng.normal(size=s) for s in [w.shape for w in ours(inputs, initial_state=state)]]
    assert ours.fast
    mine = outcome(ours, inputs, state, mask, training, of_loss, compiled)
    keras_own = outcome(theirs, their_inputs, state, mask, training, of_loss, compiled)
    exact = options["dtype"] == "float64"
    assert_close(mine[0], keras_own[0], 1e-12 if exact else 2e-6)
    count = len(ours.trainable_weights) + len(state)
    assert_close(mine[1][:count], keras_own[1][:count], 1e-11 if exact else 1e-5)
    if shape["D"]:
        assert_close(mine[1][count:], keras_own[1][count:], 1e-11 if exact else 1e-5)


@pytest.mark.parametrize("cell", PAIRS)
def test_the_gradient_is_the_slope(cell):
    shape, options = {"B": 2, "T": 4, "U": 3, "D": 2}, {"dtype": "float64", "return_sequences": True}
    layer, _, inputs, _, state = made(cell, shape, options, seed=3)

    def loss(*values):
        results = layer(values[0], initial_state=list(values[1:]), training=True)
        return tf.add_n([tf.reduce_sum(tf.sin(r)) for r in results])

    theoretical, numerical = tf.test.compute_gradient(loss, [inputs, *state], delta=1e-5)
    for one, other in zip(theoretical, numerical, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-8)


@pytest.mark.parametrize("cell", PAIRS)
@few
@given(shape=SHAPES, options=OPTIONS, seed=st.integers(0, 2**16))
def test_steps_are_the_sequence(cell, shape, options, seed):
    layer, _, inputs, _, state = made(cell, shape, {**options, "return_sequences": True, "go_backwards": False}, seed)
    outputs, *last = layer(inputs, initial_state=state)
    for t in range(shape["T"]):
        output, state = layer.step(inputs[:, t], state)
        assert_close([output.numpy()], [outputs[:, t].numpy()], 2e-6)
    assert_close([s.numpy() for s in state], [s.numpy() for s in last], 2e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "relu"},
        {"recurrent_activation": "hard_sigmoid"},
        {"dropout": 0.5, "seed": 1},
        {"recurrent_dropout": 0.5, "seed": 1},
        {"unroll": True},
        {"dtype": "mixed_bfloat16"},
        {"dtype": "float16"},
    ],
    ids=lambda options: next(iter(options)),
)
@pytest.mark.parametrize("cell", PAIRS)
def test_what_is_not_covered_is_left_to_keras(cell, options):
    ours, theirs = (kind(3, **options, **more) for kind, more in zip(PAIRS[cell], ({"one_hot": V}, {}), strict=True))
    ids = np.array([[0, 4, 1], [2, 3, 0]], np.int32)
    rows = np.eye(V, dtype=np.float32)[ids]
    for training in (False, True):
        first = ours(ids, training=training)
        theirs(rows)
        theirs.set_weights(ours.get_weights())
    assert not ours.fast
    np.testing.assert_allclose(ours(ids), theirs(rows), rtol=1e-3 if "dtype" in options else 1e-6)
    assert first.shape == (2, 3)


def test_a_gru_that_resets_before_the_product_is_left_to_keras():
    assert not layers.GRU(3, reset_after=False).fast
    assert layers.GRU(3).fast


def test_a_gpu_that_is_hidden_from_tensorflow_is_none(monkeypatch):
    gpu = [tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")]
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: gpu)
    for visible, fast in (([], True), (gpu, False)):
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None, visible=visible: visible)
        assert [layers.LSTM(3).fast, layers.GRU(3).fast] == [fast, fast]
        assert layers.LSTM(3, weight_drop=0.5).fast


def losses_of_training(loops, jit_compile=False):
    keras.utils.set_random_seed(0)
    network = keras.Sequential(
        [
            keras.Input((6,), batch_size=4, dtype="int32"),
            layers.LSTM(5, one_hot=V, return_sequences=True),
            layers.GRU(4, return_sequences=True),
            keras.layers.Dense(V, activation="softmax"),
        ]
    )
    network.compile(keras.optimizers.SGD(1.0), "sparse_categorical_crossentropy", jit_compile=jit_compile)
    ids = np.random.default_rng(0).integers(0, V, (4, 7))
    with mock.patch.object(threads, "between", return_value=loops):
        return network.fit(ids[:, :-1], ids[:, 1:], epochs=9, verbose=0, batch_size=4).history["loss"]


@functools.cache
def losses_of_training_in_one_loop():
    return losses_of_training(loops=1)


@pytest.mark.slow
def test_training_in_halves_learns_the_same():
    losses = losses_of_training(loops=2)
    np.testing.assert_allclose(losses, losses_of_training_in_one_loop(), rtol=1e-5)
    assert losses[-1] < 0.99 * losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("loops", [1, 2])
def test_training_compiled_by_xla_learns_the_same(loops):
    losses = losses_of_training(loops, jit_compile=True)
    np.testing.assert_allclose(losses, losses_of_training_in_one_loop(), rtol=1e-5)
