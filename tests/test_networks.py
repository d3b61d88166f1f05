"""`prefill` and `step` are the network itself, run with its state as a value; `check` says what they can run."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from tfgen import InputError, layers, networks

V, U, EMBEDDED = 6, 4, 3
KINDS = {
    "tfgen": {"lstm": layers.LSTM, "gru": layers.GRU, "rnn": layers.SimpleRNN},
    "keras": {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU, "rnn": keras.layers.SimpleRNN},
}

few = examples(12)  # each example makes a network
every_cell = pytest.mark.parametrize("cell", networks.CELLS)


def shake(network, seed=0):
    """Give a network random weights, biases too, that make its predictions differ widely."""
    rng = np.random.default_rng(seed)
    network.set_weights([rng.normal(scale=0.7, size=weight.shape) for weight in network.get_weights()])
    return network


def stack_of(
    cell="lstm", depth=1, *, family="tfgen", one_hot=True, rate=0.0, between=False, activation="softmax", batch=None
):
    """Give a Sequential as a user may write it; Keras' own layers always read an embedding."""
    one_hot = one_hot and family == "tfgen"
    stack = [keras.Input((None,), batch_size=batch, dtype="int32")]
    if not one_hot:
        stack.append(keras.layers.Embedding(V, EMBEDDED))
    for index in range(depth):
        first = {"one_hot": V} if one_hot and index == 0 else {}
        options = {"return_sequences": True, "stateful": batch is not None, "dropout": rate, "recurrent_dropout": rate}
        stack.append(KINDS[family][cell](U, **options, **first))
        if rate:
            stack.append((keras.layers.Dropout if between else keras.layers.SpatialDropout1D)(rate))
        if between:
            stack += [keras.layers.LayerNormalization(), keras.layers.Dense(U + 1, activation="relu")]
    stack.append(keras.layers.Dense(V, activation=activation, use_bias=not between))
    return shake(keras.Sequential(stack))


STACKS = st.fixed_dictionaries(
    {
        "cell": st.sampled_from(list(networks.CELLS)),
        "depth": st.integers(1, 3),
        "family": st.sampled_from(list(KINDS)),
        "one_hot": st.booleans(),
        "rate": st.sampled_from([0.0, 0.4]),
        "between": st.booleans(),
        "batch": st.sampled_from([None, 1, 3]),
    }
)


def random_ids(rows, length, seed=0):
    return np.random.default_rng(seed).integers(V, size=(rows, length), dtype=np.int32)


def outputs_of(network, ids):
    """Run the whole network over whole texts from the zero state, as Keras does."""
    for layer in networks.recurrent_layers(network):
        layer.reset_state()
    return network(ids).numpy()


def as_outputs(logits):
    return tf.nn.softmax(logits).numpy()


def prefill(network, ids, lengths=None, state=None):
    lengths = None if lengths is None else np.asarray(lengths, np.int32)
    return networks.prefill(network, ids, lengths, state or networks.zero_state(network, len(ids)))


def step_through(network, ids):
    state, logits = networks.zero_state(network, len(ids)), []
    for column in ids.T:
        row, state = networks.step(network, column, state)
        logits.append(row)
    return tf.stack(logits, axis=1), state


def assert_close(one, other, atol=1e-5):
    one, other = tf.nest.flatten(one), tf.nest.flatten(other)
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


def assert_runs_like_keras(network, ids, lengths, atol=1e-5):
    """Compare prefill (each row to its own length), step and features with the network itself."""
    rows = np.arange(len(ids))
    outputs = outputs_of(network, ids)

    logits, state = prefill(network, ids, lengths)
    assert_close(as_outputs(logits), outputs[rows, np.asarray(lengths) - 1], atol)

    stepped, stepped_state = step_through(network, ids)
    assert_close(as_outputs(stepped), outputs, atol)

    read, read_state = networks.features(network, ids, networks.zero_state(network, len(ids)))
    assert_close(as_outputs(networks.logits_of(network, read)), outputs, atol)
    assert_close(read_state, stepped_state, atol)

    for row, length in enumerate(lengths):
        _, alone = prefill(network, ids[row : row + 1, :length])
        assert_close([tensor[row : row + 1] for tensor in tf.nest.flatten(state)], alone, atol)


# Prefill and step are the network


@given(STACKS, st.integers(0, 2**32 - 1), st.data())
@few
def test_prefill_and_step_equal_the_network(options, seed, data):
    rows, length = options["batch"] or 2, data.draw(st.integers(1, 6))
    lengths = data.draw(st.lists(st.integers(1, length), min_size=rows, max_size=rows))
    assert_runs_like_keras(stack_of(**options), random_ids(rows, length, seed), lengths)


@pytest.mark.parametrize(
    "layers_", [2, pytest.param(1, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
@every_cell
def test_a_built_network_steps_like_the_whole(cell, layers_):
    network = shake(networks.build(V, cell=cell, units=U, layers=layers_, dropout=0.3, batch_size=3))
    assert_runs_like_keras(network, random_ids(3, 5), [5, 1, 3])


def test_a_network_without_recurrence_runs_without_a_state():
    bigrams = stack_of(depth=0, one_hot=False)
    assert networks.zero_state(bigrams, 2) == []
    assert_runs_like_keras(bigrams, random_ids(2, 4), [4, 2])


@pytest.fixture
def dtype_policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("dtype_policy", ["float64"], indirect=True)
@every_cell
def test_a_float64_network_agrees_to_the_last_digits(cell, dtype_policy):
    network = stack_of(cell, 2, between=True)
    assert_runs_like_keras(network, random_ids(2, 4), [2, 4], atol=1e-13)
    assert prefill(network, random_ids(2, 4))[0].dtype == tf.float64


@pytest.mark.parametrize("dtype_policy", ["float32", "mixed_float16", "mixed_bfloat16"], indirect=True)
@every_cell
def test_logits_are_float32_and_the_state_keeps_its_type(cell, dtype_policy):
    network = stack_of(cell)
    ids = random_ids(2, 3)
    zero = networks.zero_state(network, 2)
    read, after_prefill = prefill(network, ids)
    stepped, after_step = networks.step(network, ids[:, 0], after_prefill)
    assert read.dtype == stepped.dtype == tf.float32
    types = [tensor.dtype for tensor in tf.nest.flatten(zero)]
    assert set(types) == {tf.as_dtype(keras.config.dtype_policy().compute_dtype)}
    assert [tensor.dtype for tensor in tf.nest.flatten(after_prefill)] == types
    assert [tensor.dtype for tensor in tf.nest.flatten(after_step)] == types
    assert_close(as_outputs(read), tf.cast(outputs_of(network, ids)[:, -1], tf.float32), atol=0.02)


def test_logits_keep_what_the_softmax_rounds_to_zero():
    network = stack_of(activation="softmax")
    head = network.layers[-1]
    head.set_weights([np.zeros((U, V)), np.array([0, -200, 300, 0, 0, -1000])])
    logits, _ = prefill(network, random_ids(1, 2))
    np.testing.assert_array_equal(logits, [[0, -200, 300, 0, 0, -1000]])
    assert outputs_of(network, random_ids(1, 2))[0, -1].tolist() == [0, 0, 1, 0, 0, 0]


# The state is a value


@given(STACKS, st.integers(1, 5), st.integers(1, 5))
@few
def test_reading_in_two_parts_is_reading_at_once(options, first, second):
    network = stack_of(**options)
    ids = random_ids(3, first + second)
    _, between = prefill(network, ids[:, :first])
    assert_close(prefill(network, ids[:, first:], state=between), prefill(network, ids))


@every_cell
def test_steps_go_on_where_prefill_stopped_at_each_rows_own_end(cell):
    network = stack_of(cell, 2)
    ids, lengths = random_ids(3, 5), np.array([2, 4, 1])
    _, state = prefill(network, ids, lengths)
    logits, _ = networks.step(network, ids[np.arange(3), lengths], state)
    assert_close(as_outputs(logits), outputs_of(network, ids)[np.arange(3), lengths])


@every_cell
def test_what_lies_in_the_padding_does_not_matter(cell):
    network = stack_of(cell, 2)
    ids, others, lengths = random_ids(3, 5), random_ids(3, 5, seed=1), [5, 1, 3]
    for row, length in enumerate(lengths):
        others[row, :length] = ids[row, :length]
    assert not np.array_equal(ids, others)
    assert_close(prefill(network, others, lengths), prefill(network, ids, lengths), atol=0)


@every_cell
def test_no_lengths_means_that_all_is_text(cell):
    network, ids = stack_of(cell, 2), random_ids(3, 5)
    assert_close(prefill(network, ids), prefill(network, ids, [5, 5, 5]))
    assert_close(prefill(network, ids[:, :1]), networks.step(network, ids[:, 0], networks.zero_state(network, 3)))


@every_cell
def test_texts_begin_in_the_zero_state(cell):
    network = networks.build(V, cell=cell, units=U, layers=2)
    state = networks.zero_state(network, 3)
    assert [len(of_layer) for of_layer in state] == [2 if cell == "lstm" else 1] * 2
    for tensor in tf.nest.flatten(state):
        np.testing.assert_array_equal(tensor, np.zeros((3, U)))


@every_cell
def test_neither_touches_the_state_carried_in_training(cell):
    network = stack_of(cell, 2, batch=2)
    network(random_ids(2, 3))
    carried = [variable.numpy() for variable in networks.training_state(network)]
    assert len(carried) == (4 if cell == "lstm" else 2)
    assert all(np.any(value) for value in carried)
    _, state = prefill(network, random_ids(2, 4, seed=1))
    networks.step(network, random_ids(2, 1)[:, 0], state)
    prefill(network, random_ids(5, 4, seed=1))
    assert_close([variable.numpy() for variable in networks.training_state(network)], carried, atol=0)


def test_training_state_is_what_a_batch_leaves_behind():
    network = stack_of(depth=2, batch=2)
    ids = random_ids(2, 3)
    outputs_of(network, ids)
    assert_close(networks.training_state(network), tf.nest.flatten(prefill(network, ids)[1]))
    assert list(networks.training_state(stack_of(depth=2))) == []


# What can be stepped


RNN = {"return_sequences": True, "one_hot": V}
UNSUPPORTED = {
    "Bidirectional": (lambda: keras.layers.Bidirectional(keras.layers.LSTM(U, return_sequences=True)), "Bidirectional"),
    "Conv1D": (lambda: keras.layers.Conv1D(U, 3, padding="causal"), "Conv1D"),
    "RNN": (lambda: keras.layers.RNN(keras.layers.LSTMCell(U), return_sequences=True), "RNN"),
    "BatchNormalization": (lambda: keras.layers.BatchNormalization(), "BatchNormalization"),
    "return_sequences": (lambda: keras.layers.LSTM(U), "return_sequences=True"),
    "go_backwards": (lambda: keras.layers.GRU(U, return_sequences=True, go_backwards=True), "go_backwards=True"),
    "unroll": (lambda: keras.layers.SimpleRNN(U, return_sequences=True, unroll=True), "unroll=True"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_a_layer_that_cannot_be_stepped_is_named(name):
    make, reason = UNSUPPORTED[name]
    layer = make()
    stack = [keras.Input((7,), dtype="int32"), keras.layers.Embedding(V, EMBEDDED), layer, keras.layers.Dense(V)]
    with pytest.raises(InputError) as refusal:
        networks.check(keras.Sequential(stack))
    assert reason in str(refusal.value)
    assert repr(layer.name) in str(refusal.value)


def test_a_layer_that_returns_its_state_is_named():
    network = networks.build(V, units=U)
    network.layers[0].return_state = True  # keras.Sequential takes no such layer, but one can be set afterwards
    with pytest.raises(InputError, match=r"'lstm_1' \(LSTM\) has return_state=True"):
        networks.check(network)


@pytest.mark.parametrize("activation", ["sigmoid", "relu", "log_softmax"])
def test_a_head_that_gives_no_probabilities_is_refused(activation):
    with pytest.raises(InputError, match=r"must be Dense\(V, activation='softmax'\), or .*logits.*; received .*Dense"):
        networks.check(stack_of(activation=activation))


def test_a_last_layer_that_is_no_head_is_refused():
    headless = keras.Sequential([keras.Input((None,)), layers.GRU(U, **RNN, name="last")])
    with pytest.raises(InputError, match=r"must be Dense\(V.*'last' \(GRU\)"):
        networks.check(headless)


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.Sequential([layers.LSTM(U, **RNN), keras.layers.Dense(V)]),
        lambda: keras.Sequential(),
        lambda: "network.keras",
        lambda: None,
    ],
    ids=["unbuilt", "empty", "path", "none"],
)
def test_only_a_built_sequential_is_taken(make):
    with pytest.raises(InputError, match=r"must be a built keras\.Sequential"):
        networks.check(make())


@pytest.mark.parametrize(
    ("shape", "layer"),
    [((None, V), lambda: keras.layers.LSTM(U, return_sequences=True)), ((7,), lambda: keras.layers.Dense(U))],
    ids=["reads rows", "reads ids as features"],
)
def test_a_network_that_does_not_map_ids_to_rows_is_refused(shape, layer):
    with pytest.raises(InputError, match=r"must map ids \(B, T\) to \(B, T, V\); received"):
        networks.check(keras.Sequential([keras.Input(shape), layer(), keras.layers.Dense(V)]))


@given(STACKS)
@few
def test_every_supported_stack_passes_the_check(options):
    network = stack_of(**options)
    networks.check(network)
    assert networks.vocabulary_size(network) == V
    assert len(networks.recurrent_layers(network)) == options["depth"]


# Another batch size


@pytest.mark.parametrize(("before", "after"), [(2, 3), (2, None), (None, 2), (None, None)])
@pytest.mark.parametrize("family", KINDS)
def test_another_batch_size_keeps_weights_and_outputs(family, before, after):
    network = stack_of(depth=2, family=family, rate=0.3, between=True, batch=before)
    twin = networks.with_batch_size(network, after)
    networks.check(twin)
    assert_close(twin.get_weights(), network.get_weights(), atol=0)
    assert not {id(weight) for weight in twin.weights} & {id(weight) for weight in network.weights}
    assert [type(layer) for layer in twin.layers] == [type(layer) for layer in network.layers]
    assert [layer.name for layer in twin.layers] == [layer.name for layer in network.layers]
    assert {layer.stateful for layer in networks.recurrent_layers(twin)} == {after is not None}
    assert twin.input_shape == (after, None)
    ids = random_ids(after or 2, 4)
    assert_close(outputs_of(twin, ids)[:1], prefill_everywhere(network, ids)[:1])


def prefill_everywhere(network, ids):
    return as_outputs(step_through(network, ids)[0])


def test_the_network_itself_is_left_as_it_was():
    network = stack_of(batch=2)
    network(random_ids(2, 3))
    carried = [variable.numpy() for variable in networks.training_state(network)]
    twin = networks.with_batch_size(network, 4)
    twin(random_ids(4, 3))
    assert_close([variable.numpy() for variable in networks.training_state(network)], carried, atol=0)
    assert network.input_shape == (2, None)


def test_trap_a_wrong_batch_size_broadcasts_silently_over_a_stateful_layer():
    stateful = keras.Sequential([keras.Input((None, 1), batch_size=2), keras.layers.SimpleRNN(U, stateful=True)])
    repaired = "Keras checks the batch of a stateful layer in graph mode: drop our own check"
    assert len(stateful.predict(np.ones((5, 3, 1)), batch_size=2, verbose=0)) == 6, repaired
    compiled = tf.function(stateful, input_signature=[tf.TensorSpec([None, None, 1])])
    assert len(compiled(tf.ones((1, 3, 1)))) == 2, repaired


# Building


def test_the_network_built_is_a_plain_sequential():
    network = networks.build(V, cell="gru", units=U, layers=2, dropout=0.1, embedding=EMBEDDED, batch_size=3)
    networks.check(network)
    assert [type(layer).__name__ for layer in network.layers] == [
        "Embedding",
        *("GRU", "SpatialDropout1D") * 2,
        "Dense",
    ]
    assert network.input_shape == (3, None)
    assert network.output_shape == (3, None, V)
    np.testing.assert_allclose(np.sum(network(random_ids(3, 4)), axis=-1), 1, rtol=1e-6)
    assert [layer.one_hot for layer in networks.recurrent_layers(network)] == [None, None]
    assert all(layer.stateful for layer in networks.recurrent_layers(network))

    plain = networks.build(V, units=U, layers=2)
    assert [type(layer) for layer in plain.layers] == [layers.LSTM, layers.LSTM, keras.layers.Dense]
    assert [layer.one_hot for layer in networks.recurrent_layers(plain)] == [V, None]
    assert not any(layer.stateful for layer in networks.recurrent_layers(plain))
    assert plain.input_shape == (None, None)


@every_cell
def test_recurrent_kernels_begin_orthogonal(cell):
    for layer in networks.recurrent_layers(networks.build(V, cell=cell, units=U, layers=2)):
        kernel = layer.cell.recurrent_kernel.numpy()
        np.testing.assert_allclose(kernel @ kernel.T, np.eye(U), atol=1e-6)


def test_the_forget_bias_begins_at_one():
    for layer in networks.recurrent_layers(networks.build(V, units=U, layers=2)):
        in_, forget, candidate, out = np.split(layer.cell.bias.numpy(), 4)
        assert forget.tolist() == [1.0] * U
        assert not np.any([in_, candidate, out])


def test_a_row_drops_the_same_units_all_along():
    network = networks.build(V, units=40, dropout=0.5, seed=1)
    recurrent, dropout = network.layers[:2]
    kept = np.array(dropout(recurrent(random_ids(3, 6)), training=True)) != 0
    assert (kept == kept[:, :1]).all()
    assert 0.2 < kept.mean() < 0.8
    assert len({row.tobytes() for row in kept[:, 0]}) == 3


def test_the_same_seed_gives_the_same_weights_and_dropout():
    options = {"units": U, "layers": 2, "dropout": 0.5, "embedding": EMBEDDED}
    one, same, other, unseeded, unseeded_too = (
        networks.build(V, **options, seed=seed) for seed in (7, 7, 8, None, None)
    )
    ids = random_ids(2, 4)
    assert_close(one.get_weights(), same.get_weights(), atol=0)
    assert_close(one(ids, training=True), same(ids, training=True), atol=0)
    assert not np.array_equal(one(ids, training=True), one(ids))
    for a, b in itertools.combinations([one, other, unseeded, unseeded_too], 2):
        assert all(
            not np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True) if x.ndim > 1
        )


def test_layers_of_one_seed_begin_with_different_weights():
    first, second = networks.recurrent_layers(networks.build(U, units=U, layers=2, seed=7))
    for a, b in zip(first.get_weights()[:2], second.get_weights()[:2], strict=True):
        assert not np.array_equal(a, b)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cell", "convolution"),
        ("cell", None),
        ("cell", "LSTM"),
        ("dropout", -0.1),
        ("dropout", 1.0),
        ("dropout", float("nan")),
        *itertools.product(
            ["vocabulary_size", "units", "layers", "embedding", "batch_size"], [0, -3, 2.0, float("nan"), True, "many"]
        ),
        ("vocabulary_size", None),
    ],
    ids=repr,
)
def test_a_setting_out_of_range_is_named(name, value):
    with pytest.raises(InputError) as refusal:
        networks.build(**{"vocabulary_size": V, "units": U, name: value})
    message = str(refusal.value)
    assert message.startswith(f"{name} must be ")
    assert message.endswith(f"received {value!r}.")
