"""Models that are the same network, however Keras is told so: each is taken as it is, trained, saved, written with."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgen import Corpus, InputError, TextGenerator, Vocabulary, datasets, interop, metrics, networks
from tfgen.page.contents import contents

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 6
VOCABULARY = Vocabulary.from_texts([TEXT])
V = len(VOCABULARY)
DENSE, LAYERS = keras.layers.Dense, keras.layers


def sequential(*tail, batch_size=None):
    ids = keras.Input((None,), batch_size=batch_size, dtype="int32")
    cell = LAYERS.GRU(5, return_sequences=True, stateful=batch_size is not None)
    return keras.Sequential([ids, LAYERS.Embedding(V, 4), cell, *tail])


def functional(listed=False):
    ids = keras.Input((None,), dtype="int32")
    x = LAYERS.TimeDistributed(LAYERS.Dropout(0.5))(LAYERS.Embedding(V, 4)(ids))
    x = DENSE(V, activation="softmax")(LAYERS.LSTM(5, return_sequences=True)(x))
    return keras.Model([ids], [x]) if listed else keras.Model(ids, x)


MODELS = {
    "softmax": lambda: sequential(DENSE(V), LAYERS.Softmax()),
    "activation": lambda: sequential(DENSE(V, use_bias=False), LAYERS.Activation("softmax")),
    "logits": lambda: sequential(DENSE(V)),
    "timed": lambda: sequential(LAYERS.TimeDistributed(DENSE(V, activation="softmax"))),
    "timed logits": lambda: sequential(LAYERS.TimeDistributed(DENSE(V))),
    "functional": functional,
    "listed": lambda: functional(listed=True),
    "stateful logits": lambda: sequential(DENSE(V), batch_size=2),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_taken_as_it_is(tmp_path, name):
    keras.utils.set_random_seed(1)
    network = MODELS[name]()
    generator, plain = (TextGenerator(VOCABULARY, each) for each in (network, networks.plain(network)))
    batches, _ = datasets.streams(Corpus.from_text(TEXT), VOCABULARY, batch_size=2, length=8)
    losses = {"given": keras.losses.SparseCategoricalCrossentropy(from_logits="logits" in name)}
    losses["plain"] = "sparse_categorical_crossentropy"
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # Keras warns of a softmax after from_logits=True
        generator.compile("sgd", losses["given"], metrics=[metrics.NatsPerCharacter()])
        plain.compile("sgd", losses["plain"], metrics=[metrics.NatsPerCharacter()])
        first, second = (each.evaluate(batches, verbose=0, return_dict=True) for each in (generator, plain))
        generator.fit(batches, epochs=1, verbose=0)
    assert first == pytest.approx(second, rel=1e-5)
    plain.network.set_weights(generator.network.get_weights())
    np.testing.assert_allclose(generator.score("the fox").log_probabilities, plain.score("the fox").log_probabilities)
    generator.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    # The file holds the model that was given.
    assert [type(layer) for layer in loaded.network.layers] == [type(layer) for layer in network.layers]
    assert type(loaded.network) is type(network)
    expected = plain.generate("the", length=8, seed=1)
    for each in (generator, loaded, generator.with_batch_size(3)):
        assert each.generate("the", length=8, seed=1) == expected
    described, same = networks.layers_of(generator), networks.layers_of(plain)
    assert [(a.kind, a.outputs) for a in described] == [(b.kind, b.outputs) for b in same]
    interop.to_keras(generator)
    TextGenerator.mix([generator, plain])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["softmax", "timed logits", "functional", "stateful logits"])
def test_exports_are_those_of_the_plain_network(tmp_path, name, caplog):
    keras.utils.set_random_seed(1)
    network = MODELS[name]()
    generator, plain = (TextGenerator(VOCABULARY, each) for each in (network, networks.plain(network)))
    given, same = (contents(VOCABULARY, networks.layers_of(each), "float32") for each in (generator, plain))
    assert given.weights == same.weights  # of a page
    generator.export(tmp_path / "saved", "saved-model")
    served = tf.saved_model.load(tmp_path / "saved")
    settings = {"temperature": tf.constant(0.8), "seed": tf.constant(1, tf.int64), "length": tf.constant(12)}
    (text,) = served.generate(tf.constant(["the fox"]), **settings)["texts"].numpy()
    assert text.decode() == generator.generate("the fox", length=12, temperature=0.8, seed=1)
    generator.export(tmp_path / "page", "html")
    assert "<html" in (tmp_path / "page.html").read_text("utf-8")[:500]
    for step, package in (("onnx", "onnxruntime"), ("litert", "ai_edge_litert")):
        pytest.importorskip(package, reason=f"{package} is not installed: pip install '.[{step}]'")
        logits = []
        for each in (generator, plain):
            directory = tmp_path / f"{step} {len(logits)}"
            each.export(directory, step)
            logits.append(first_logits(directory, step))
        np.testing.assert_allclose(*logits, rtol=1e-4, atol=1e-5)
        expected = generator.score(VOCABULARY.tokens[5]).log_probabilities[0]
        assert "serializing" not in caplog.text  # which TensorFlow says after a SavedModel
        assert logits[0][5] - np.log(np.exp(logits[0]).sum()) == pytest.approx(expected, abs=1e-4)


def first_logits(directory, step):
    """Those after the end of a text, at which all begins, from a state of zeros."""
    if step == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(directory / "step.onnx")
        asked = {each.name: [1, *each.shape[1:]] for each in session.get_inputs()}
        given = {name: np.zeros(shape, np.float32) for name, shape in asked.items()}
        given["ids"] = np.array([2], np.int32)
        return session.run(["logits"], given)[0][0]
    from ai_edge_litert.interpreter import Interpreter

    runner = Interpreter(str(directory / "step.tflite")).get_signature_runner()
    given = {name: np.zeros(told["shape"], told["dtype"]) for name, told in runner.get_input_details().items()}
    given["ids"][:] = 2
    return runner(**given)["logits"][0]


def test_ids_without_targets_are_refused_in_one_line():
    generator, ids = TextGenerator(VOCABULARY, sequential(DENSE(V))), np.full((4, 3), 5)
    generator.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    for x in (ids, tf.constant(ids), tf.data.Dataset.from_tensor_slices(ids).batch(2)):
        with pytest.raises(InputError, match=r"fit needs targets.*give fit\(ids, targets\)"):
            generator.fit(x, verbose=0)


VERBS = {
    "a target of fit": lambda model, good, bad: model.fit(good, bad, verbose=0),
    "an id of fit": lambda model, good, bad: model.fit(bad, good, verbose=0),
    "an id of validation": lambda model, good, bad: model.fit(good, good, validation_data=(bad, good), verbose=0),
    "a target of evaluate": lambda model, good, bad: model.evaluate(good, bad, verbose=0),
    "an id of predict": lambda model, good, bad: model.predict(bad, verbose=0),
}


@pytest.mark.parametrize("wrong", [V, -1, 0.5, float("nan")])
def test_ids_that_the_network_lacks_are_refused_in_one_line(wrong):
    generator = TextGenerator(VOCABULARY, sequential(DENSE(V)))
    generator.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    good = np.full((4, 3), 5, np.float32 if isinstance(wrong, float) else np.int32)
    bad = good.copy()
    bad[2, 1] = wrong
    for name, verb in VERBS.items():
        for form in (np.asarray, tf.constant):
            told = rf"^{name.split(' of ')[0]} is a whole number, 0 to {V - 1} for the {V} tokens[^\n]+\.$"
            with pytest.raises(InputError, match=told):
                verb(generator, form(good), form(bad))
    if wrong == V:
        with pytest.raises(InputError, match=r"^a target is a whole number"):
            generator.fit(tf.data.Dataset.from_tensors((good, bad)), verbose=0)


def test_what_is_no_chain_says_what_would_be_one():
    ids = keras.Input((None,), dtype="int32")
    x = LAYERS.LSTM(4, return_sequences=True)(LAYERS.Embedding(V, 4)(ids))
    x = DENSE(V, activation="softmax")(LAYERS.Add(name="both")([x, x]))
    with pytest.raises(InputError, match=r"'both' \(Add\) reads 2 tensors: write these branches as a layer"):
        TextGenerator(VOCABULARY, keras.Model(ids, x))
    with pytest.raises(InputError, match=r"make it keras.Sequential\(\[keras.Input"):
        TextGenerator(VOCABULARY, keras.Sequential([DENSE(V)]))
    with pytest.raises(InputError, match="has a softmax, and another one follows it"):
        TextGenerator(VOCABULARY, sequential(DENSE(V, activation="softmax"), LAYERS.Softmax()))
    with pytest.raises(InputError, match=r"give tfgen\.networks\.plain"):
        networks.EncoderDecoder(keras.Sequential([keras.Input((3,)), DENSE(2)]), sequential(DENSE(V)))
    with pytest.raises(InputError, match="cannot step through the layer"):
        TextGenerator(VOCABULARY, sequential(LAYERS.TimeDistributed(LAYERS.Flatten()), DENSE(V)))


def test_a_summary_says_how_often_rows_begin_anew():
    told = []
    TextGenerator(VOCABULARY, sequential(DENSE(V), batch_size=2)).summary(print_fn=lambda text, **_: told.append(text))
    assert "restart=0.1" in told[-1]
    told.clear()
    TextGenerator(VOCABULARY, sequential(DENSE(V))).summary(print_fn=lambda text, **_: told.append(text))
    assert "restart" not in "".join(told)
