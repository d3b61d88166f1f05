"""A transformer: what it gives for texts of any length, however they are read; and what trains it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from tfgen import Corpus, InputError, TextGenerator, Vocabulary, training
from tfgen.fitting.adamw import AdamW
from tfgen.layers import Transformer, transformer_block

VOCABULARY = Vocabulary(list("abcd"))
UNITS = 6


def layer_of(window, dtype=None):
    """A transformer of large weights."""
    layer = Transformer(2, 2, window, seed=1, dtype=dtype)
    layer.build((None, None, UNITS))
    rng = np.random.default_rng(2)
    layer.set_weights([rng.normal(scale=0.5, size=weight.shape) for weight in layer.get_weights()])
    return layer


LAYERS = {window: layer_of(window) for window in (2, 4, 6)}
close = {"rtol": 0, "atol": 1e-5}


def inputs_of(rows, length):
    return tf.constant(np.random.default_rng(length).normal(size=(rows, length, UNITS)), tf.float32)


@given(window=st.sampled_from([*LAYERS]), length=st.integers(1, 25), token=st.integers(0, 24))
@examples(30)
def test_a_token_is_predicted_from_the_longest_context_that_has_begun(window, length, token):
    layer, token = LAYERS[window], token % length
    inputs = inputs_of(2, length)
    # Contexts begin at multiples of half a window; the one that is as long as it can be, without being too long.
    begin = min(b for b in range(0, token + 1, window // 2) if token - b < window)
    alone = layer(inputs[:, begin : token + 1])[:, -1]
    np.testing.assert_allclose(layer(inputs)[:, token], alone, **close)


@given(
    window=st.sampled_from([*LAYERS]),
    pieces=st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=1, max_size=4),
)
@examples(20)
def test_rows_read_in_pieces_of_any_lengths_and_stepped_are_the_whole(window, pieces):
    layer, inputs = LAYERS[window], inputs_of(3, 40)
    whole, state = layer(inputs).numpy(), layer.first_state(3)
    begun = np.zeros(3, int)
    for lengths in pieces:
        most = max(*lengths, 1)
        rows = np.minimum(begun[:, np.newaxis] + np.arange(most), 39)
        piece = tf.gather(inputs, rows, axis=1, batch_dims=1)
        output, after = layer.read(piece, state, tf.sequence_mask(lengths, most))
        for row, length in enumerate(lengths):
            np.testing.assert_allclose(output[row, :length], whole[row, begun[row] : begun[row] + length], **close)
        state, begun = after, begun + lengths
    output, _ = layer.step(tf.gather(inputs, np.minimum(begun, 39), axis=1, batch_dims=1), state)
    for row in np.flatnonzero(begun < 39):
        np.testing.assert_allclose(output[row], whole[row, begun[row]], **close)


def test_its_count_is_bounded_however_long_the_text():
    layer = LAYERS[4]
    _, state = layer.read(inputs_of(1, 25), layer.first_state(1))
    assert state[0].numpy() == [4 + 25 % 4]


def test_nothing_of_what_comes_later_reaches_a_token():
    inputs = inputs_of(1, 17).numpy()
    other = np.where(np.arange(17)[:, np.newaxis] > 9, -inputs, inputs)
    one, two = LAYERS[6](inputs).numpy(), LAYERS[6](other).numpy()
    np.testing.assert_allclose(one[:, :10], two[:, :10], **close)
    assert abs(one[:, 10:] - two[:, 10:]).max() > 0.1


def test_dropout_drops_while_it_trains_alone():
    layer = Transformer(1, 2, 8, dropout=0.5, seed=1)
    inputs = inputs_of(2, 8)
    np.testing.assert_array_equal(layer(inputs), layer(inputs))
    assert abs(layer(inputs, training=True).numpy() - layer(inputs).numpy()).max() > 0.1


def test_half_precision():
    inputs = inputs_of(2, 11)
    half = layer_of(4, "mixed_bfloat16")(inputs)
    assert half.dtype == tf.bfloat16
    np.testing.assert_allclose(tf.cast(half, tf.float32), LAYERS[4](inputs), atol=0.2)


@pytest.mark.parametrize("twice_gelu", [transformer_block.twice_gelu, transformer_block.compiled_twice_gelu])
@given(st.lists(st.floats(-12, 12), min_size=4, max_size=4))  # XLA compiles for each length
@examples(20)
def test_gelu_and_its_gradient_are_those_of_keras(twice_gelu, numbers):
    x = tf.constant(numbers, tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        ours, theirs = twice_gelu(x) / 2, keras.ops.gelu(x, approximate=True)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(tape.gradient(ours, x), tape.gradient(theirs, x), rtol=1e-6, atol=1e-9)


@given(st.lists(st.floats(-3, 3), min_size=6, max_size=6))
@examples(10)
def test_normalisation_and_its_gradient_are_those_of_keras(numbers):
    rng = np.random.default_rng(0)
    x = tf.constant(np.reshape(numbers, (1, 2, 3)) + rng.normal(size=(4, 2, 3)), tf.float64)
    scale, offset = tf.constant(rng.normal(size=(2, 3)), tf.float64)
    layer = keras.layers.LayerNormalization(epsilon=1e-5, dtype="float64")
    layer.build(x.shape)
    layer.set_weights([scale, offset])
    weights = tf.constant(rng.normal(size=x.shape), tf.float64)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, scale, offset])
        ours, theirs = transformer_block.normalized(x, scale, offset), layer(x)
        one, other = (tf.reduce_sum(weights * each) for each in (ours, theirs))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)
    of_theirs = tape.gradient(other, [x, *(weight.value for weight in layer.trainable_weights)])
    for of_ours, of_their in zip(tape.gradient(one, [x, scale, offset]), of_theirs, strict=True):
        np.testing.assert_allclose(of_ours, of_their, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_a_generator_is_saved_and_loaded(tmp_path):
    generator = TextGenerator.build(VOCABULARY, cell="transformer", units=8, layers=1, heads=2, window=4, dropout=0.1)
    generator.compile(AdamW(0.01), "sparse_categorical_crossentropy")
    generator.optimizer.build(generator.trainable_variables)
    generator.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.generate("ab", length=20, seed=1) == generator.generate("ab", length=20, seed=1)
    assert isinstance(loaded.optimizer, AdamW)


def test_what_it_cannot_be_is_refused():
    for settings, message in {
        ("window", 5): "window must be an even number, for texts are read by its halves; received 5.",
        ("heads", 3): "3 heads divide U; received the shape",
        ("weight_drop", 0.1): "weight_drop is for recurrent networks; received 0.1 for a transformer",
        ("batch_size", 4): "batch_size is for recurrent networks; received 4 for a transformer",
    }.items():
        with pytest.raises(InputError, match=message):
            TextGenerator.build(VOCABULARY, cell="transformer", units=8, **dict([settings]))
    with pytest.raises(InputError, match="'heads' is for a transformer; received cell='gru': omit it"):
        TextGenerator.build(VOCABULARY, cell="gru", heads=2)


# What trains it


@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_adamw_is_that_of_keras_but_for_vectors(decay):
    rng = np.random.default_rng(0)
    shapes = [(5, 3), (3,), (4, 3)]
    ours, theirs = ([keras.Variable(rng.normal(size=shape)) for shape in shapes] for _ in range(2))
    for one, other in zip(ours, theirs, strict=True):
        other.assign(one)
    settings = {"learning_rate": 0.1, "weight_decay": decay, "beta_2": 0.99, "global_clipnorm": 1.0}
    adam, reference = AdamW(**settings), keras.optimizers.AdamW(**settings)
    reference.exclude_from_weight_decay(var_list=[theirs[1]])
    for _ in range(4):
        gradients = [tf.constant(rng.normal(size=shape), tf.float32) for shape in shapes]
        looked_up = tf.IndexedSlices(gradients[2][:2], tf.constant([3, 3]), tf.constant([4, 3]))
        for optimizer, weights in ((adam, ours), (reference, theirs)):
            optimizer.apply_gradients(zip([*gradients[:2], looked_up], weights, strict=True))
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    assert AdamW.from_config(adam.get_config()).get_config() == adam.get_config()


@pytest.mark.slow
def test_it_learns_from_windows_as_long_as_its_own():
    corpus = Corpus(["the cat sat on the mat. " * 80], False, "cats")
    settings = {"units": 16, "layers": 1, "heads": 2, "window": 16, "epochs": 12, "learning_rate": 0.02}
    job = training.prepare(corpus, training.Settings(cell="transformer", **settings))
    assert (job.settings.cut, job.settings.length) == ("windows", 16)
    assert isinstance(job.generator.optimizer, AdamW)
    training.run(job)
    assert "the mat. the cat sat on the mat. the" in job.generator.generate("the cat", length=80, temperature=0)
    again = training.prepare(corpus, training.Settings(epochs=1), job.generator)
    assert (again.settings.cell, again.settings.window, again.settings.cut) == ("transformer", 16, "windows")
    with pytest.raises(InputError, match="a transformer carries no state through streams"):
        training.prepare(corpus, training.Settings(cell="transformer", cut="streams"))
