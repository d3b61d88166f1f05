"""Our recurrent layers are the Keras ones, with a one-hot encoding of integer input in front."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgen import layers

B, T, V, U = 2, 4, 5, 3
PAIRS = [(layers.LSTM, keras.layers.LSTM), (layers.GRU, keras.layers.GRU), (layers.SimpleRNN, keras.layers.SimpleRNN)]
GATED = PAIRS[:2]
OPTIONS = [
    {},
    {"return_sequences": True},
    {"return_sequences": True, "return_state": True},
    {"return_sequences": True, "go_backwards": True},
    {"unroll": True},
]
IDS = np.array([[0, 4, 1, 1], [2, 3, 0, 2]], np.int32)

every_cell = pytest.mark.parametrize(("ours", "theirs"), PAIRS, ids=[ours.__name__ for ours, _ in PAIRS])
every_gated_cell = pytest.mark.parametrize(("ours", "theirs"), GATED, ids=[ours.__name__ for ours, _ in GATED])


def one_hot(ids):
    return np.eye(V, dtype=np.float32)[ids]


def random_weights(layer, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=weight.shape) for weight in layer.get_weights()]


def twins(ours, theirs, **options):
    """Give our layer over ids and the Keras layer over one-hot rows, built, with the same random weights."""
    ours, theirs = ours(U, one_hot=V, **options), theirs(U, **options)
    ours.build((B, T))
    theirs.build((B, T, V))
    ours.set_weights(random_weights(ours))
    theirs.set_weights(ours.get_weights())
    return ours, theirs


def assert_same(ours, theirs):
    ours, theirs = tf.nest.flatten(ours), tf.nest.flatten(theirs)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        # Sums in another order: the distance counts against the largest number, as small ones are sums of large ones.
        np.testing.assert_allclose(one, other, rtol=0, atol=2e-6 * np.abs(other).max())


# An id is a one-hot row


@pytest.mark.parametrize("stateful", [False, True], ids=["stateless", "stateful"])
@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "+".join(options) or "plain")
@every_cell
def test_ids_give_exactly_what_keras_gives_for_one_hot_rows(ours, theirs, options, stateful):
    ours, theirs = twins(ours, theirs, stateful=stateful, **options)
    first = ours(IDS)
    assert_same(first, theirs(one_hot(IDS)))
    second = ours(IDS[:, ::-1])
    assert_same(second, theirs(one_hot(IDS[:, ::-1])))
    carried = tf.nest.flatten(ours(IDS))[0]
    assert np.array_equal(carried, tf.nest.flatten(first)[0]) != stateful, "only a stateful layer remembers"


@every_cell
def test_a_mask_and_an_initial_state_reach_the_recurrence(ours, theirs):
    ours, theirs = twins(ours, theirs, return_sequences=True, return_state=True)
    mask = np.array([[True, True, False, False], [True] * 4])
    state = [tf.fill([B, U], 0.5) for _ in ours.state_size]
    masked = ours(IDS, mask=mask, initial_state=state)
    assert_same(masked, theirs(one_hot(IDS), mask=mask, initial_state=state))
    assert not np.array_equal(masked[1], ours(IDS, initial_state=state)[1])
    assert not np.array_equal(masked[0], ours(IDS, mask=mask)[0])


@every_cell
def test_gradients_are_those_of_keras(ours, theirs):
    ours, theirs = twins(ours, theirs)
    gradients = []
    for layer, inputs in ((ours, IDS), (theirs, one_hot(IDS))):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(inputs) ** 2)
        gradients.append(tape.gradient(loss, layer.trainable_weights))
    assert_same(*gradients)


@every_cell
def test_weights_move_from_and_to_the_keras_layer(ours, theirs):
    ours, theirs = twins(ours, theirs)
    assert [w.shape for w in ours.weights] == [w.shape for w in theirs.weights]
    assert [w.name for w in ours.weights] == [w.name for w in theirs.weights]
    theirs.set_weights(random_weights(theirs, seed=1))
    assert not np.array_equal(ours(IDS), theirs(one_hot(IDS)))
    ours.set_weights(theirs.get_weights())
    assert_same(ours(IDS), theirs(one_hot(IDS)))


@every_cell
def test_sequences_without_one_hot_give_what_keras_gives(ours, theirs):
    ours, theirs = ours(U, return_sequences=True), theirs(U, return_sequences=True)
    sequences = np.random.default_rng(0).normal(size=(B, T, 7)).astype(np.float32)
    theirs(sequences)
    ours.build(sequences.shape)
    ours.set_weights(theirs.get_weights())
    assert_same(ours(sequences), theirs(sequences))
    assert ours.one_hot is None


@every_cell
def test_input_of_the_wrong_rank_is_refused(ours, theirs):
    with pytest.raises(ValueError, match="expected ndim=2, found ndim=3"):
        ours(U, one_hot=V)(one_hot(IDS))


@pytest.mark.parametrize("size", [0, -1])
@every_cell
def test_a_vocabulary_of_no_ids_is_refused(ours, theirs, size):
    with pytest.raises(ValueError, match=f"one_hot .* at least 1; received {size}"):
        ours(U, one_hot=size)


# Shapes, configuration, files


@pytest.mark.parametrize("options", OPTIONS[:3], ids=lambda options: "+".join(options) or "plain")
@every_cell
def test_the_shape_computed_is_the_shape_that_comes_out(ours, theirs, options):
    ours, theirs = twins(ours, theirs, **options)
    computed = ours.compute_output_shape((B, T))
    assert computed == theirs.compute_output_shape((B, T, V))
    shapes = [tuple(output.shape) for output in tf.nest.flatten(ours(IDS))]
    assert shapes == (list(computed) if "return_state" in options else [computed])
    symbolic = ours(keras.Input((None,), dtype="int32"))
    assert tf.nest.flatten(symbolic)[0].shape == ((None, None, U) if options else (None, U))


@pytest.mark.parametrize("one_hot_size", [V, None])
@every_cell
def test_a_configuration_makes_the_same_layer(ours, theirs, one_hot_size):
    layer = ours(U, one_hot=one_hot_size, return_sequences=True, stateful=True, name="reader")
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (again.one_hot, again.units, again.stateful, again.name) == (one_hot_size, U, True, "reader")
    extra = layer.get_config().keys() - theirs(U).get_config().keys()
    assert extra - {"use_cudnn", "weight_drop"} == {"one_hot"}


def network_of(layer, **options):
    return keras.Sequential([keras.Input((None,), dtype="int32"), layer(U, one_hot=V, **options)])


@every_cell
def test_a_file_gives_the_layer_back_in_safe_mode(ours, theirs, tmp_path):
    network = network_of(ours, return_sequences=True)
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    assert type(loaded.layers[0]) is ours
    assert loaded.layers[0].one_hot == V
    assert_same(loaded(IDS), network(IDS))


@pytest.mark.parametrize("use_cudnn", [False, True])
@every_gated_cell
def test_a_file_keeps_use_cudnn(ours, theirs, use_cudnn, tmp_path):
    network_of(ours, use_cudnn=use_cudnn).save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras", safe_mode=True)
    assert loaded.layers[0].use_cudnn is use_cudnn


@every_gated_cell
def test_trap_keras_drops_use_cudnn_from_the_configuration(ours, theirs):
    assert "use_cudnn" not in theirs(U, use_cudnn=False).get_config(), (
        f"Keras repaired {theirs.__name__}.get_config: drop ours in tfgen/layers/keras_layers.py"
    )


@every_cell
def test_a_clone_is_the_same_layer_with_weights_of_its_own(ours, theirs):
    network = network_of(ours)
    clone = keras.models.clone_model(network)
    assert type(clone.layers[0]) is ours
    assert clone.layers[0].one_hot == V
    assert not np.array_equal(clone.get_weights()[0], network.get_weights()[0])
    clone.set_weights(network.get_weights())
    assert_same(clone(IDS), network(IDS))


# Dropped weights


@every_gated_cell
def test_dropped_weights_are_dropped_in_training_alone(ours, theirs):
    dropping, whole = ours(U, one_hot=V, weight_drop=0.5, seed=3), ours(U, one_hot=V)
    for layer in (dropping, whole):
        layer.build((B, T))
        layer.set_weights(random_weights(layer))
    assert_same(dropping(IDS), whole(IDS))
    first, second = (dropping(IDS, training=True) for _ in range(2))
    assert not np.array_equal(first, second), "each batch drops others"
    again = ours.from_config(dropping.get_config())
    again.build((B, T))
    again.set_weights(dropping.get_weights())
    assert_same(again(IDS, training=True), first)
    # After one token from the zero state nothing has come through the recurrent kernel.
    assert_same(dropping(IDS[:, :1], training=True), whole(IDS[:, :1]))


def test_the_gradient_is_that_of_the_weights_that_were_left():
    layer = layers.LSTM(U, one_hot=V, weight_drop=0.5, seed=1)
    layer.build((B, T))
    layer.set_weights([np.ones(w.shape) * 0.1 for w in layer.get_weights()])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(IDS, training=True))
    gradient = tape.gradient(loss, layer.trainable_weights)[1].numpy()
    dropped = np.mean(gradient == 0)
    assert 0.2 < dropped < 0.8


@every_gated_cell
def test_dropped_weights_need_the_recurrence_of_tfgen(ours, theirs):
    for options in ({"activation": "relu"}, {"dropout": 0.1}, {"unroll": True}, {"dtype": "float16"}):
        with pytest.raises(ValueError, match="needs a layer that runs tfgen's recurrence"):
            ours(U, weight_drop=0.1, **options)
    with pytest.raises(ValueError, match="at least 0 and below 1; received 1"):
        ours(U, weight_drop=1)
    layer = ours(U, one_hot=V, weight_drop=0.1)
    with pytest.raises(ValueError, match="without a mask"):
        layer(IDS, mask=IDS > 0, training=True)
