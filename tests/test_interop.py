"""Weights move between tfgen, PyTorch and Keras, and compute the same there.

What PyTorch computed lies in `fixtures/`, so that this needs no PyTorch; `test_pytorch.py` asks PyTorch itself.
"""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from tfgen import InputError, TextGenerator, Vocabulary, interop, networks
from tfgen.vocabulary.vocabulary import END

FIXTURES = pathlib.Path(__file__).parent / "fixtures"
VOCABULARY = Vocabulary(list("abcdefgh"))
OF_SOURCES = Vocabulary(list("uvwxyz"))
CASES = {
    "lstm": {"cell": "lstm", "layers": 2},
    "gru": {"cell": "gru", "layers": 2},
    "rnn": {"cell": "rnn", "layers": 2},
    "lstm_embedding": {"cell": "lstm", "layers": 1, "embedding": 5},
}
CASES_OF_SOURCES = {
    f"{cell}_{'attention' if attention else 'encoder'}": {"cell": cell, "layers": 2, "attention": attention}
    for cell in networks.CELLS
    for attention in (True, False)
}
# Of logits of about 4. A plain RNN of such large weights amplifies what float32 rounds: half a unit in the last place
# of each weight moves them by up to 2e-5, and either framework is about 1e-5 from the numbers of float64.
ROUNDING = 1e-4
ALL = {**CASES, **CASES_OF_SOURCES}


def build(seed=0, **settings):
    if "attention" in settings:
        cell = settings["cell"]
        settings["encoder"] = networks.text_encoder(OF_SOURCES, cell=cell, units=5, layers=2, embedding=4, seed=seed)
    return TextGenerator.build(VOCABULARY, units=6, seed=seed, **settings)


def twin_of(case):
    """A generator with the weights of PyTorch's twin, and what that computed."""
    arrays = dict(np.load(FIXTURES / f"torch_{case}.npz"))
    generator = build(**ALL[case])
    interop.from_torch(generator, part(arrays, "weight."))
    return generator, arrays


def part(arrays, prefix):
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def logits_of(generator, ids, sources=None):
    model, ids = generator.writer.model, tf.constant(ids)
    context = () if sources is None else model.encode(tf.constant(sources))
    return model.logits(model.read(ids, None, model.start(context, len(ids)), context)[0])


def random_ids(rows=3, length=9, seed=0):
    return np.random.default_rng(seed).integers(0, len(VOCABULARY), (rows, length)).astype(np.int32)


def gradients_of(generator, ids, targets, sources=None):
    """The loss of one training step as Keras computes it, and its gradients as if they were the weights."""
    with tf.GradientTape() as tape:
        probabilities = generator.network(ids if sources is None else (sources, ids), training=True)
        loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(targets, probabilities))
    gradients = tape.gradient(loss, generator.network.trainable_variables)
    twin = generator.with_batch_size(None)
    for variable, gradient in zip(twin.network.trainable_variables, gradients, strict=True):
        variable.assign(tf.convert_to_tensor(gradient))
    return float(loss), interop.to_torch(twin)


def sources_of(computed):
    """The text that each row of a fixture reads before it writes, as keyword arguments."""
    return part(computed, "sources") and {"sources": computed["sources"]}


@pytest.mark.parametrize("case", ALL)
def test_logits_of_pytorch(case):
    generator, computed = twin_of(case)
    logits = logits_of(generator, computed["ids"], **sources_of(computed))
    np.testing.assert_allclose(logits, computed["logits"], rtol=0, atol=ROUNDING)


@pytest.mark.slow
@pytest.mark.parametrize("case", ALL)
def test_greedy_text_of_pytorch(case):
    generator, computed = twin_of(case)
    prompt = VOCABULARY.decode(computed["ids"][0])
    read = {name: OF_SOURCES.decode(sources[0]) for name, sources in sources_of(computed).items()}
    options = {"length": len(computed["greedy"]), "temperature": 0, "echo": False}
    text = generator.generate(prompt, source=read.get("sources"), **options)
    assert text == VOCABULARY.decode(computed["greedy"])
    assert len(set(text)) > (2 if read else 4)


@pytest.mark.slow
@pytest.mark.parametrize("case", ALL)
def test_loss_and_gradients_of_pytorch(case):
    generator, computed = twin_of(case)
    loss, gradients = gradients_of(generator, computed["ids"], computed["targets"], **sources_of(computed))
    assert loss == pytest.approx(float(computed["loss"]), rel=1e-6)
    theirs = part(computed, "gradient.")
    assert gradients.keys() == theirs.keys()
    for name, gradient in gradients.items():
        if ALL[case]["cell"] != "gru" and "bias_hh" in name:
            gradient = gradients[name.replace("_hh", "_ih")]  # of two biases that are added, both have the gradient
        np.testing.assert_allclose(gradient, theirs[name], rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("case", ALL)
def test_names_shapes_and_types_are_those_of_pytorch(case):
    generator, computed = twin_of(case)
    ours, theirs = interop.to_torch(generator), part(computed, "weight.")
    assert {name: (array.shape, array.dtype) for name, array in ours.items()} == {
        name: (array.shape, array.dtype) for name, array in theirs.items()
    }
    for name, array in ours.items():
        if "bias" not in name:
            np.testing.assert_array_equal(array, theirs[name])


SHAPES = {
    "cell": st.sampled_from(list(networks.CELLS)),
    "units": st.integers(1, 5),
    "layers": st.integers(1, 3),
    "embedding": st.none() | st.integers(1, 4),
    "dropout": st.sampled_from([0.0, 0.5]),
}


@examples(6)
@given(shape=st.fixed_dictionaries(SHAPES))
def test_there_and_back_is_the_identity(shape):
    assert_the_identity(lambda seed: TextGenerator.build(VOCABULARY, **shape, seed=seed))


@examples(6)
@given(
    shape=st.fixed_dictionaries(SHAPES),
    encoder=st.fixed_dictionaries({**SHAPES, "embedding": st.integers(1, 4)}),
    attention=st.booleans(),
)
def test_there_and_back_is_the_identity_with_an_encoder_of_any_shape(shape, encoder, attention):
    def make(seed):
        reader = networks.text_encoder(OF_SOURCES, **encoder, seed=seed)
        return TextGenerator.build(VOCABULARY, **shape, seed=seed, encoder=reader, attention=attention)

    assert_the_identity(make)


def assert_the_identity(make):
    one, other = make(1), make(2)
    draw = np.random.default_rng(0)
    one.network.set_weights([draw.normal(size=weight.shape) for weight in one.network.get_weights()])
    interop.from_torch(other, interop.to_torch(one))
    for ours, theirs in zip(one.network.get_weights(), other.network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("width", "places", "own"),
    [
        (2, False, {"first_state.weight": (6, 2), "first_state.bias": (6,)}),
        (7, False, {"first_state.weight": (6, 7), "first_state.bias": (6,)}),
        (
            7,
            True,
            {"first_state.weight": (6, 28), "attention_combine.weight": (6, 13), "attention_score.weight": (6, 7)},
        ),
    ],
)
def test_of_another_encoder_the_decoders_side_alone_is_carried_over(width, places, own):
    def make(seed):
        keras.utils.set_random_seed(seed)
        encoder = keras.Sequential([keras.Input((4, 4) if places else (4,)), keras.layers.Dense(width)])
        options = {"cell": "gru", "units": 6, "seed": seed}
        return TextGenerator.build(VOCABULARY, **options, encoder=encoder, attention=places)

    one, other = make(1), make(2)
    arrays, before = interop.to_torch(one), other.network.encoder.get_weights()
    assert own.items() <= {name: array.shape for name, array in arrays.items()}.items()
    assert not any(name.startswith("encoder") for name in arrays)
    interop.from_torch(other, arrays)
    for name, array in interop.to_torch(other).items():
        np.testing.assert_array_equal(array, arrays[name])
    for ours, theirs in zip(before, other.network.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("fault", ["missing", "unexpected", "shape", "last", "text"])
def test_what_does_not_fit_is_named_and_changes_nothing(fault):
    generator = build(cell="gru", layers=2)
    before = generator.network.get_weights()
    arrays = {name: array + 1 for name, array in interop.to_torch(build(cell="gru", layers=2, seed=1)).items()}
    if fault == "missing":
        del arrays["rnn.bias_hh_l1"]
    elif fault == "unexpected":
        arrays["rnn.weight_ih_l2"] = arrays["rnn.weight_ih_l1"]
    elif fault == "shape":
        arrays["rnn.weight_hh_l1"] = arrays["rnn.weight_hh_l1"][:-1]
    elif fault == "last":
        arrays["fc.bias"] = np.zeros(4)
    else:
        arrays["fc.weight"] = "weights"
    named = {
        "missing": r"missing 'rnn\.bias_hh_l1'; unexpected nothing",
        "unexpected": r"missing nothing; unexpected 'rnn\.weight_ih_l2'",
        "shape": r"'rnn\.weight_hh_l1' must have the shape \(\d+, 6\); received \(\d+, 6\)",
        "last": r"'fc\.bias' must have the shape \(11,\); received \(4,\)",
        "text": r"'fc\.weight' must be an array of numbers",
    }
    with pytest.raises(InputError, match=named[fault]):
        interop.from_torch(generator, arrays)
    for ours, theirs in zip(before, generator.network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def sequential(*layers):
    return TextGenerator(VOCABULARY, keras.Sequential([keras.Input((None,), dtype="int32"), *layers]))


@pytest.mark.parametrize(
    ("layers", "named"),
    [
        ([keras.layers.GRU(3, return_sequences=True, reset_after=False)], "reset_after"),
        ([keras.layers.LSTM(3, return_sequences=True, activation="relu")], "activation"),
        ([keras.layers.LSTM(3, return_sequences=True, use_bias=False)], "use_bias"),
        ([keras.layers.LSTM(3, return_sequences=True), keras.layers.LSTM(4, return_sequences=True)], "units"),
        ([keras.layers.LSTM(3, return_sequences=True), keras.layers.GRU(3, return_sequences=True)], "kind"),
        ([keras.layers.LSTM(3, return_sequences=True), keras.layers.LayerNormalization()], "LayerNormalization"),
        ([], "no recurrent layer"),
    ],
)
def test_what_has_no_twin_is_refused(layers, named):
    embedding = keras.layers.Embedding(len(VOCABULARY), 4)
    generator = sequential(embedding, *layers, keras.layers.Dense(len(VOCABULARY), activation="softmax"))
    with pytest.raises(InputError, match=named):
        interop.to_torch(generator)
    if layers:  # attention alone is no decoder yet
        reader = networks.text_encoder(OF_SOURCES, cell="rnn", units=2, embedding=2)
        network = networks.EncoderDecoder(reader, generator.network, attention=True)
        with pytest.raises(InputError, match=named):
            interop.to_torch(TextGenerator(VOCABULARY, network))


def test_a_state_dict_is_a_mapping():
    with pytest.raises(InputError, match="maps names to arrays; received list"):
        interop.from_torch(build(), [1])


@pytest.mark.parametrize("case", ["gru", "lstm_embedding", "lstm_attention"])
def test_safetensors(case, tmp_path):
    library = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    one, path = build(**ALL[case]), tmp_path / "twin.safetensors"
    interop.save_torch(one, path)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    for name, array in interop.to_torch(one).items():
        np.testing.assert_array_equal(library.load_file(path)[name], array)
    other = build(**ALL[case], seed=9)
    interop.load_torch(other, path)
    for ours, theirs in zip(one.network.get_weights(), other.network.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_safetensors_file_reaches_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    written = []

    def look(descriptor):
        written.append((tmp_path / "twin.safetensors").exists())

    monkeypatch.setattr(os, "fsync", look)
    interop.save_torch(build(), tmp_path / "twin.safetensors")
    assert written[0] is False


@pytest.mark.parametrize("damage", ["cut", "random", "empty"])
def test_a_damaged_safetensors_file_is_refused(damage, tmp_path):
    pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    generator, path = build(), tmp_path / "twin.safetensors"
    interop.save_torch(generator, path)
    content = {"cut": path.read_bytes()[:-5], "random": b"\x93" * 100, "empty": b""}[damage]
    path.write_bytes(content)
    with pytest.raises(InputError, match="no safetensors file, or damaged"):
        interop.load_torch(generator, path)


def test_numbers_that_numpy_lacks_are_named(tmp_path):
    pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    header = b'{"fc.bias": {"dtype": "BF16", "shape": [1], "data_offsets": [0, 2]}}'
    path = tmp_path / "half.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(2))
    with pytest.raises(InputError, match="of the type BF16, which NumPy lacks: save them as float32"):
        interop.load_torch(build(), path)


def test_files_of_other_kinds_are_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"^.*pickle, which can run code;.*safetensors\.torch\.save_file\(torch\.load.*$"
    ):
        interop.load_torch(build(), tmp_path / "twin.pt")
    with pytest.raises(InputError, match=r"^a file of weights ends in \.safetensors; received"):
        interop.load_torch(build(), tmp_path)
    with pytest.raises(InputError, match=r"must end in \.safetensors"):
        interop.save_torch(build(), tmp_path / "twin.pt")
    pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    with pytest.raises(InputError, match="cannot be read: No such file"):
        interop.load_torch(build(), tmp_path / "twin.safetensors")


KERAS_CASES = {**CASES, "stateful": {"cell": "gru", "batch_size": 3}, "dropout": {"layers": 2, "dropout": 0.3}}


@pytest.mark.parametrize("case", KERAS_CASES)
def test_keras_computes_the_same(case):
    generator, ids = build(**KERAS_CASES[case]), random_ids()
    plain = interop.to_keras(generator)
    assert all(type(layer).__module__.startswith("keras.") for layer in plain.layers)
    for length in (1, 2, 9):  # a text of one token is no special case
        want = tf.nn.softmax(logits_of(generator, ids[:, :length]))
        np.testing.assert_allclose(plain(ids[:, :length]), want, rtol=0, atol=1e-6)
    for ours, theirs in zip(generator.network.weights, plain.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_trained_by_keras_and_back():
    generator = build(cell="gru", layers=2)
    plain = interop.to_keras(generator)
    plain.compile("sgd", "sparse_categorical_crossentropy")
    plain.fit(random_ids(), random_ids(seed=1), verbose=0)
    generator.network.set_weights(plain.get_weights())
    np.testing.assert_allclose(
        tf.nn.softmax(logits_of(generator, random_ids())), plain(random_ids()), rtol=0, atol=1e-6
    )


@pytest.mark.slow
def test_a_network_of_kerass_own_layers_is_taken_as_it_is():
    size = len(VOCABULARY)
    layers = [
        keras.layers.Embedding(size, 4),
        keras.layers.LSTM(5, return_sequences=True),
        keras.layers.Dense(size, activation="softmax"),
    ]
    plain = keras.Sequential([keras.Input((None,), dtype="int32"), *layers])
    plain.compile("sgd", "sparse_categorical_crossentropy")
    plain.fit(random_ids(), random_ids(seed=1), verbose=0)
    generator = TextGenerator(VOCABULARY, plain)
    assert generator.network is plain
    np.testing.assert_allclose(
        tf.nn.softmax(logits_of(generator, random_ids())), plain(random_ids()), rtol=0, atol=1e-6
    )


@pytest.mark.parametrize("name", ["LSTM", "SimpleRNN"])
def test_a_network_of_one_hot_rows_becomes_a_generator_and_its_weights_go_back(name):
    size = len(VOCABULARY)
    layers = [getattr(keras.layers, name)(5, return_sequences=True) for _ in range(2)]
    plain = keras.Sequential([keras.Input((None, size)), *layers, keras.layers.Dense(size, activation="softmax")])
    generator = interop.from_keras(VOCABULARY, plain)
    rows = keras.ops.one_hot(random_ids(), size)
    np.testing.assert_allclose(tf.nn.softmax(logits_of(generator, random_ids())), plain(rows), rtol=0, atol=1e-6)
    generator.network.set_weights([weight * 2 for weight in generator.network.get_weights()])
    plain.set_weights(generator.network.get_weights())
    np.testing.assert_allclose(tf.nn.softmax(logits_of(generator, random_ids())), plain(rows), rtol=0, atol=1e-6)


@pytest.mark.slow
def test_from_keras_undoes_to_keras():
    generator = build(cell="gru", layers=2)
    again = interop.from_keras(VOCABULARY, interop.to_keras(generator))
    np.testing.assert_allclose(logits_of(generator, random_ids()), logits_of(again, random_ids()), rtol=0, atol=1e-6)
    assert again.generate("ab", length=20, seed=3) == generator.generate("ab", length=20, seed=3)


def test_from_keras_says_what_it_takes():
    plain = interop.to_keras(build(embedding=3))
    with pytest.raises(InputError, match=r"begins with Embedding.*TextGenerator\(vocabulary, network\)"):
        interop.from_keras(VOCABULARY, plain)
    with pytest.raises(InputError, match=r"built keras\.Sequential; received 'model'"):
        interop.from_keras(VOCABULARY, "model")


@pytest.mark.parametrize("case", ["rnn_attention", "rnn_encoder"])
def test_plain_keras_has_no_twin_of_a_network_with_an_encoder(case):
    generator = build(**ALL[case])
    with pytest.raises(InputError, match=r"generator\.network is a Keras model already, use that\.$"):
        interop.to_keras(generator)
    with pytest.raises(InputError, match=r"EncoderDecoder, which is taken by TextGenerator\(vocabulary, network\)\.$"):
        interop.from_keras(VOCABULARY, generator.network)


LOAD_WITHOUT_TFGEN = """
import sys
sys.modules["tfgen"] = None
import keras, numpy
network = keras.saving.load_model(sys.argv[1], safe_mode=True)
numpy.save(sys.argv[2], network(numpy.load(sys.argv[2])))
"""


@pytest.mark.slow
def test_plain_keras_loads_it_without_tfgen(tmp_path):
    generator, ids = build(layers=2), random_ids()
    ids[:, 0] = END
    interop.to_keras(generator).save(tmp_path / "plain.keras")
    np.save(tmp_path / "ids.npy", ids)
    command = [sys.executable, "-c", LOAD_WITHOUT_TFGEN, "plain.keras", "ids.npy"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    want = tf.nn.softmax(logits_of(generator, ids))
    np.testing.assert_allclose(np.load(tmp_path / "ids.npy"), want, rtol=0, atol=1e-6)
