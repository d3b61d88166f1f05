"""An encoder before a network: what reaches the text, what is trained, what is saved, and what is refused."""

import functools
import json
import re
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgen import Corpus, InputError, TextGenerator, Vocabulary, callbacks, datasets, metrics, model_files, networks
from tfgen.vocabulary import PADDING
from tfgen.writing import like_lengths
from tfgen.writing import sources as sources_
from tfgen.writing import writer as writer_

VOCABULARY = Vocabulary.from_texts(["abcde"], ends=True)
OF_SOURCES = Vocabulary.from_texts(["xyz"], ends=True)
SOURCES, TEXTS = ["xyz", "zz", "", "yxyx"], ["abc", "a", "edcb", ""]
RNG = np.random.default_rng(0)


def vectors(width=6):
    """An encoder of pictures of 4 by 4, one vector a row."""
    return keras.Sequential([keras.Input((4, 4)), keras.layers.Flatten(), keras.layers.Dense(width)])


def places():
    # Pixels saturate it: of other first weights it may see no difference between two pictures.
    first = keras.initializers.GlorotUniform(seed=0)
    return keras.Sequential([keras.Input((4, 4)), keras.layers.Dense(5, "tanh", kernel_initializer=first)])


def translator(attention=True, **build):
    encoder = networks.text_encoder(OF_SOURCES, cell="rnn", units=4, embedding=3, seed=1)
    return TextGenerator.build(
        VOCABULARY, **{"cell": "rnn", "units": 8, "seed": 1, **build}, encoder=encoder, attention=attention
    )


@functools.cache
def untrained():
    """One for all tests that only read it: a loop is compiled once a generator."""
    return translator()


def fitted(generator, sources, texts, epochs=1, **options):
    generator.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=[metrics.ExactMatch()])
    train, _ = datasets.pairs(
        sources, texts, VOCABULARY, source_vocabulary=OF_SOURCES, validation=0, batch_size=2, **options
    )
    generator.fit(train, epochs=epochs, verbose=0)
    return generator, train


# What reaches the text


@pytest.mark.parametrize("encoder", [vectors, pytest.param(places, marks=pytest.mark.slow)])
def test_after_training_two_pictures_have_two_distributions(encoder):
    """The first state is not saturated, or one text would be written for all pictures."""
    bright = np.where(np.arange(4) < 2, 200, 50) * np.ones((16, 4, 4))  # as large as pixels are
    bright[1::2] = bright[1::2, :, ::-1]
    pictures = (bright + RNG.normal(scale=20, size=bright.shape)).astype(np.float32)
    generator = TextGenerator.build(VOCABULARY, units=16, encoder=encoder(), seed=0)
    generator.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    train, _ = datasets.pairs(pictures, ["ab", "ed"] * 8, VOCABULARY, validation=0, batch_size=4)
    generator.fit(train.repeat(), steps_per_epoch=100, verbose=0)
    one, other = (generator.start(source=pictures[i])._position.logits.numpy()[0] for i in (0, 1))
    assert np.abs(one - other).max() > 1


def test_every_weight_is_trained():
    network = translator(layers=2).network
    ids, targets = np.array([[2, 3, 4], [2, 5, 0]]), np.array([[3, 4, 2], [5, 2, 0]])
    with tf.GradientTape() as tape:
        probabilities = network((network.encoder.ids(["xyz", "z"]), ids), training=True)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(targets, probabilities))
    gradients = tape.gradient(loss, [weight.value for weight in network.trainable_weights])
    without = [w.path for w, g in zip(network.weights, gradients, strict=True) if g is None or not np.any(g)]
    assert without == []


def test_a_seed_makes_all_first_weights_the_same():
    one, other, third = (translator(seed=seed) for seed in (5, 5, 6))
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    own = (third.network.first_state, third.network.attention)
    for layer, same in zip(own, (one.network.first_state, one.network.attention), strict=True):
        assert all((a != b).any() for a, b in zip(layer.get_weights(), same.get_weights(), strict=True) if a.ndim == 2)


@pytest.mark.slow
def test_a_frozen_encoder_stays_as_it_is():
    encoder = vectors()
    encoder.trainable = False
    before = encoder.get_weights()
    pictures = RNG.normal(size=(4, 4, 4)).astype(np.float32)
    generator, _ = fitted(TextGenerator.build(VOCABULARY, cell="rnn", units=5, encoder=encoder), pictures, TEXTS)
    for one, other in zip(before, generator.network.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_encoder_may_be_given_strings():
    encoder = networks.text_encoder(OF_SOURCES, cell="rnn", units=4, embedding=3)
    by_ids = encoder(encoder.ids(SOURCES))
    np.testing.assert_array_equal(encoder(tf.constant(SOURCES)), by_ids)
    in_graph = tf.function(encoder.__call__)(tf.constant(SOURCES))
    np.testing.assert_allclose(in_graph, by_ids, atol=1e-6)


# Training and saving


@pytest.mark.slow
def test_an_exact_match_is_a_text_written_without_a_mistake():
    generator, train = fitted(translator(units=16), SOURCES, TEXTS, epochs=12)
    exact = generator.evaluate(train, verbose=0, return_dict=True)["exact"]
    written = generator.generate(source=SOURCES, temperature=0, length=10)
    assert exact == np.mean([text == true for text, true in zip(written, TEXTS, strict=True)])
    shown = []
    mistakes = callbacks.Mistakes(train, show=shown.append)
    mistakes.set_model(generator)
    mistakes.on_train_begin()
    logs = {}
    mistakes.on_epoch_end(0, logs)
    assert logs["exact_written"] == mistakes.exact == exact
    wrong = [(s, w, t) for s, w, t in zip(SOURCES, written, TEXTS, strict=True) if w != t]
    assert all(f"{s} -> {w} (true: {t})" in shown[0] for s, w, t in wrong)
    assert f"{4 - len(wrong)} of 4 written without a mistake" in shown[0]


def test_samples_that_cannot_be_written_are_refused_before_anything_is_trained():
    plain = TextGenerator.build(VOCABULARY, cell="rnn", units=2, batch_size=None)
    pairs, _ = datasets.pairs(SOURCES, TEXTS, VOCABULARY, source_vocabulary=OF_SOURCES, validation=0)
    for model, callback, said in [
        (untrained(), callbacks.SampleText(), "writes from a source, a text or a list of them; received none"),
        (untrained(), callbacks.SampleText(sources=SOURCES, texts=TEXTS[:2]), "received 2 texts for 4 sources"),
        (untrained(), callbacks.SampleText(sources=3), "a source must be a str"),
        (plain, callbacks.SampleText(sources=SOURCES), "writes without a source; received one"),
        (plain, callbacks.Mistakes(pairs), "this model has no encoder: remove it"),
    ]:
        callback.set_model(model)
        with pytest.raises(InputError, match=said):
            callback.on_train_begin()


def test_samples_show_source_and_text_and_truth():
    shown = []
    generator = untrained()
    sample = callbacks.SampleText(sources=SOURCES, texts=TEXTS, temperatures=(0,), length=5, show=shown.append)
    sample.set_model(generator)
    sample.on_epoch_end(0)
    written = generator.generate(source=SOURCES, temperature=0, length=5)
    for source, text, true in zip(SOURCES, written, TEXTS, strict=True):
        assert f"{source} -> {text} {'(right)' if text == true else f'(true: {true})'}" in shown[0]


@pytest.mark.slow
@pytest.mark.parametrize("attention", [True, False])
def test_a_file_holds_encoder_and_vocabularies(tmp_path, attention):
    generator, _ = fitted(translator(attention), SOURCES, TEXTS)
    generator.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert loaded.generate(source=SOURCES, seed=1, length=9) == generator.generate(source=SOURCES, seed=1, length=9)
    assert loaded.network.encoder.vocabulary.tokens == OF_SOURCES.tokens
    fitted(loaded, SOURCES, TEXTS)


@pytest.mark.parametrize("encoder", [pytest.param(vectors, marks=pytest.mark.slow), places])
def test_a_file_holds_any_encoder(tmp_path, encoder):
    generator = TextGenerator.build(VOCABULARY, cell="rnn", units=5, encoder=encoder(), attention=encoder is places)
    pictures = RNG.normal(size=(3, 4, 4)).astype(np.float32)
    generator.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert loaded.generate(source=pictures, seed=1) == generator.generate(source=pictures, seed=1)


@pytest.mark.slow
def test_a_copy_for_other_batches_writes_the_same():
    generator, _ = fitted(translator(), SOURCES, TEXTS)
    twin = generator.with_batch_size(None)
    assert twin.generate(source=SOURCES, seed=1) == generator.generate(source=SOURCES, seed=1)
    assert twin.network.encoder is not generator.network.encoder
    for one, other in zip(twin.optimizer.variables, generator.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="begins every row with its source; received batch_size=4"):
        generator.with_batch_size(4)


@pytest.mark.slow
def test_a_stopped_run_goes_on_exactly(tmp_path):
    class StoppedError(Exception):
        pass

    def run(stop_at=None):
        keras.utils.set_random_seed(3)
        generator = translator()
        generator.compile(
            keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=[metrics.ExactMatch()]
        )
        train, kept = datasets.pairs(
            SOURCES * 3, TEXTS * 3, VOCABULARY, source_vocabulary=OF_SOURCES, validation=0.25, batch_size=2
        )
        seen = []

        def after(batch, logs=None):
            seen.append(batch)
            if len(seen) == stop_at:
                raise StoppedError

        watch = [callbacks.Resume(tmp_path / "run", every=1), keras.callbacks.LambdaCallback(on_train_batch_end=after)]
        try:
            generator.fit(train, validation_data=kept, epochs=2, verbose=0, callbacks=watch if stop_at != 0 else None)
        except StoppedError:
            return None
        return generator.get_weights()

    whole = run(stop_at=0)
    assert run(stop_at=3) is None
    for one, other in zip(run(), whole, strict=True):
        np.testing.assert_array_equal(one, other)


# One text and several


@pytest.mark.slow
def test_one_source_or_several_with_one_prompt_or_several():
    generator = untrained()
    options = {"temperature": 0, "length": 4}
    one = generator.generate(source="xyz", **options)
    assert isinstance(one, str)
    assert generator.generate(source=["xyz"], **options) == [one]
    for kind in (tf.constant, np.array):
        assert generator.generate(source=kind("xyz"), **options) == one
        assert generator.generate(source=kind(SOURCES), **options) == generator.generate(source=SOURCES, **options)
    assert generator.generate(source=SOURCES, **options)[0] == one
    assert generator.generate(["", "ab"], source="xyz", **options)[0] == one
    assert generator.generate("ab", source=SOURCES, **options)[0].startswith("ab")
    assert generator.generate(["", "a", "b", "c"], source=SOURCES, **options)[0] == one
    assert generator.generate(source=[], **options) == []
    assert generator.generate([], source="xyz", **options) == []
    assert len(generator.generate(source=SOURCES, n=2, **options)[3]) == 2
    scores = generator.score(["ab", "ab"], source=["xyz", "zz"])
    assert scores[0].nats == pytest.approx(generator.score("ab", source="xyz").nats, abs=1e-5)
    assert [s.nats for s in generator.score("ab", source=["xyz", "zz"])] == [s.nats for s in scores]


@pytest.mark.slow
def test_many_sources_are_encoded_in_pieces():
    generator = TextGenerator.build(VOCABULARY, cell="rnn", units=5, encoder=places(), attention=True)
    pictures = RNG.normal(size=(600, 4, 4)).astype(np.float32)
    together = generator.generate(source=pictures, temperature=0, length=3)
    assert together[0] == generator.generate(source=pictures[0], temperature=0, length=3)
    assert together[599] == generator.generate(source=pictures[599], temperature=0, length=3)
    assert generator.generate(source=pictures.astype(np.float64)[0], temperature=0, length=3) == together[0]


@pytest.mark.slow
def test_sources_of_unlike_lengths_are_encoded_apart_and_what_is_held_is_bounded(monkeypatch):
    generator, sources = untrained(), ["xyz" * 6, "z", "", "yx" * 3]
    expected = [generator.generate(source=source, temperature=0, length=4) for source in sources]
    monkeypatch.setattr(like_lengths, "_TOKENS", 8)
    assert generator.generate(source=sources, temperature=0, length=4) == expected
    assert generator.score(["ab"] * 4, source=sources)[0].nats == pytest.approx(
        generator.score("ab", source=sources[0]).nats, abs=1e-5
    )
    # Copies of one source are written in batches for which there is room.
    monkeypatch.setattr(writer_, "_BYTES", 4000)
    assert generator.generate(source=sources, temperature=0, length=4, n=3) == [[text] * 3 for text in expected]
    monkeypatch.setattr(sources_, "_MOST", 1400)
    assert generator.generate(source=sources[1:], temperature=0, length=4) == expected[1:]
    with pytest.raises(InputError, match=r"^4 sources, .* 1,\d+ numbers to keep"):
        generator.generate(source=sources)
    with pytest.raises(InputError, match=r"^99 sources, "):
        generator.generate(["a"] * 99, source="xyz" * 6)


def test_attention_comes_out_token_by_token():
    generator = untrained()
    for written, source in zip(
        generator.generate("ab", source=SOURCES, return_scores=True, seed=1, length=6, n=2), SOURCES, strict=True
    ):
        for text in written:
            assert text.attention.shape == (len(text.tokens), len(source) + 1)
            np.testing.assert_allclose(text.attention.sum(axis=1), 1, atol=1e-5)
            if "\x03" not in text.tokens:
                new = text.text.removeprefix("ab")
                again = generator.writer.attention(new, prompt="ab", source=source)
                np.testing.assert_allclose(again, text.attention[: len(again)], atol=1e-6)
    assert generator.writer.attention("", source="xy").shape == (0, 3)
    with pytest.raises(InputError, match="does not attend"):
        translator(False).writer.attention("a", source="x")
    assert translator(False).generate(source="x", return_scores=True).attention is None
    assert TextGenerator.build(VOCABULARY, cell="rnn", units=3).generate(return_scores=True).attention is None


# What is refused


def two_outputs():
    x = keras.Input((3,))
    return keras.Model(x, [x, keras.layers.Dense(2)(x)])


def carrying():
    x = keras.Input((None, 3))
    model = keras.Model(x, keras.layers.SimpleRNN(2)(x))
    model.layers[-1].stateful = True  # Keras makes none without a batch size, but a file may claim one
    return model


@pytest.mark.parametrize(
    ("encoder", "attention", "said"),
    [
        (3, False, "encoder must be a Keras model.*received 3"),
        (keras.layers.Dense(3), False, "encoder must be a Keras model"),
        (keras.Sequential([keras.layers.Dense(3)]), False, "that knows its input"),
        (keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(2, 2)]), False, r"\(B, S, D\).*\(B, 3, 3, 2\)"),
        (two_outputs(), False, "several tensors"),
        (keras.Sequential([keras.Input((4,), batch_size=3), keras.layers.Dense(2)]), False, "of batch_size 3"),
        (carrying(), False, "'simple_rnn.*' carries its state"),
        (vectors(), True, r"one vector a row, \(B, 6\): give attention=False"),
        (vectors(), "yes", "attention is True or False; received 'yes'"),
        (None, True, "received attention=True without an encoder"),
    ],
)
def test_what_is_no_encoder_is_refused(encoder, attention, said):
    with pytest.raises(InputError, match=said) as caught:
        TextGenerator.build(VOCABULARY, units=3, encoder=encoder, attention=attention)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def test_a_decoder_that_carries_its_state_or_has_none_is_refused():
    with pytest.raises(InputError, match="begins every row with its source"):
        TextGenerator.build(VOCABULARY, units=3, encoder=vectors(), batch_size=2)
    plain = keras.Sequential(
        [keras.Input((None,)), keras.layers.Embedding(8, 3), keras.layers.Dense(8, activation="softmax")]
    )
    with pytest.raises(InputError, match="nothing of the source would reach the text"):
        networks.EncoderDecoder(vectors(), plain)
    generator = TextGenerator(VOCABULARY, networks.EncoderDecoder(places(), plain, attention=True))
    one, other = generator.score("abc", source=np.stack([np.zeros((4, 4)), np.ones((4, 4))]))
    assert one.nats != other.nats


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "writes from a source, a text or a list of them; received none"),
        (3, "a source must be a str, or a list of them; received 3"),
        ([1, 2], "a source must be a str"),
        ("xq", "in the source, .*'q'"),
        (["xyxy", "q"], "in source 2, .*'q'"),
        (["x", "y", "z"], "received 3 sources for 2 texts"),
    ],
)
def test_a_source_that_does_not_fit_is_refused(source, said):
    for verb in (lambda **o: untrained().generate(["a", "b"], **o), lambda **o: untrained().score(["a", "b"], **o)):
        with pytest.raises(InputError, match=said) as caught:
            verb(source=source)
        assert str(caught.value).endswith(".")
        assert "\n" not in str(caught.value)


def test_pictures_that_do_not_fit_are_refused():
    generator = TextGenerator.build(VOCABULARY, cell="rnn", units=3, encoder=vectors())
    for source in (np.zeros((3, 5, 4)), np.zeros(4), "picture", [[1], [2, 3]], {"a": np.zeros((4, 4))}, object()):
        with pytest.raises(InputError, match=r"writes from a source, float32 \(4, 4\).*; received") as caught:
            generator.generate(source=source)
        assert str(caught.value).endswith(".")
        assert "\n" not in str(caught.value)
        assert " at 0x" not in str(caught.value)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_source_that_is_no_number_is_refused_and_not_the_weights(value):
    generator = TextGenerator.build(VOCABULARY, cell="rnn", units=3, encoder=vectors())
    for verb in (generator.generate, generator.start, lambda **source: generator.score("ab", **source)):
        with pytest.raises(InputError, match="a source must be of finite numbers"):
            verb(source=np.full((4, 4), value))


def of_features(*inputs, **named):
    """An encoder of vectors of these sizes; a size of None is a row of ids."""
    tensors = [keras.Input((n,), dtype="float32" if n else "int32") for n in (*inputs, *named.values())]
    read = [
        keras.layers.Dense(3)(x) if x.shape[1] else keras.layers.SimpleRNN(3)(keras.layers.Embedding(5, 2)(x))
        for x in tensors
    ]
    x = keras.layers.Add()(read) if len(read) > 1 else read[0]
    encoder = keras.Model(dict(zip(named, tensors, strict=True)) if named else tensors, x)
    return TextGenerator.build(VOCABULARY, cell="rnn", units=3, encoder=encoder, seed=1)


@pytest.mark.parametrize(
    ("inputs", "source", "said"),
    [
        ({"a": 2}, {"b": [[1, 2]]}, r"a dict of 'a': float32 \(2\); received a dict of 'b'"),
        ({"a": 2, "b": 1}, {"a": [[1, 2]]}, "received a dict of 'a'"),
        (None, [1.7, 2.0], "of numbers that int32 holds; received 1.7 in number 1"),
        (None, [2**40], "of numbers that int32 holds; received 1099511627776"),
        (None, [5], "numbers from 0 to 4; received 5"),
        (None, np.zeros((2, 0), int), "must hold something"),
        (2, [1j, 2], "received complex numbers"),
        (2, [1e300, 0], "of float32's range; received 1e[+]300 in number 1"),
    ],
)
def test_an_array_is_taken_as_it_is_or_not_at_all(inputs, source, said):
    generator = of_features(**inputs) if isinstance(inputs, dict) else of_features(inputs)
    with pytest.raises(InputError, match=said) as caught:
        generator.generate(source=source)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_what_is_trained_on_can_be_written_from():
    """Keras adds a last axis of 1, or drops it: so does writing."""
    generator, given = of_features(1), np.array([0.5, 2.0, 3.0])
    generator.compile("adam", "sparse_categorical_crossentropy")
    for some in (given, given[:, np.newaxis], given.tolist(), list(given[:, np.newaxis])):
        batches, _ = datasets.pairs(some, ["a", "b", "c"], VOCABULARY, validation=0)
        generator.evaluate(batches, verbose=0)
        assert generator.generate(source=some, temperature=0) == generator.generate(
            source=given[:, np.newaxis], temperature=0
        )
    assert generator.generate(source=[]) == []
    assert untrained().generate(source=np.array(["x", "y"]), seed=1) == untrained().generate(source=["x", "y"], seed=1)


@pytest.mark.slow
def test_batches_that_an_encoder_does_not_take_are_refused():
    generator = of_features(None)
    generator.compile("adam", "sparse_categorical_crossentropy")
    for sources, said in [
        (np.array([[1.7], [2.0]]), r"reads int32 \(\?\); received batches of float32 \(1\)"),
        (np.ones((2, 2, 2), int), r"received batches of int64 \(2, 2\)"),
        (np.array([[1], [5]]), "numbers from 0 to 4; received 5"),
    ]:
        with pytest.raises(InputError, match=said):
            generator.fit(datasets.pairs(sources, ["a", "b"], VOCABULARY, validation=0)[0], verbose=0)
    texts, _ = datasets.documents(Corpus.from_texts(["a", "b"], "t"), VOCABULARY, length=3, validation=0)
    with pytest.raises(InputError, match="the batches no sources"):
        generator.fit(texts, verbose=0)


def test_a_source_for_a_model_without_an_encoder_is_refused():
    generator = TextGenerator.build(VOCABULARY, cell="rnn", units=3)
    for verb in (generator.generate, generator.start, generator.score, generator.stream):
        with pytest.raises(InputError, match="writes without a source; received one"):
            verb("ab", source="x")


def test_one_text_has_one_source():
    for verb in (untrained().stream, untrained().start):
        with pytest.raises(InputError, match="one source for one text; received 4"):
            verb("a", source=SOURCES)


@pytest.mark.slow
def test_unknown_characters_of_a_source_are_skipped_or_read_as_unknown():
    generator = untrained()
    for unknown in ("skip", "unknown"):
        assert isinstance(generator.generate(source="xqy", unknown=unknown, length=3), str)
    assert (generator.network.encoder.ids(["xqy"], "skip") != PADDING).sum() == 3


def test_a_file_of_any_encoder_is_believed_and_a_claim_is_not(tmp_path):
    """What an encoder has at least is asked for before memory is taken, and no more than it has."""
    words = Vocabulary.from_texts([" ".join(f"w{i}" for i in range(3000))], ends=True, split="word")
    one, other = keras.Input((2,)), keras.Input((3,))
    layers_of = [keras.layers.Dense(600)(one), keras.layers.Dense(600)(other)]
    encoder = keras.Model([one, other], keras.layers.Dense(4)(keras.layers.Add()(layers_of)))
    TextGenerator.build(words, cell="rnn", units=2, encoder=encoder).save(tmp_path / "a.keras")
    config = model_files.read_config(tmp_path / "a.keras")
    for made in (config["network"]["config"]["encoder"], translator().get_config()["network"]["config"]["encoder"]):
        for name in ("units", "embedding"):
            text = re.sub(rf'"{name}": \d+', f'"{name}": 1000000000', json.dumps(made))
            if text == json.dumps(made):
                continue
            config["network"]["config"]["encoder"] = json.loads(text)
            claiming = tmp_path / "b.keras"
            with zipfile.ZipFile(tmp_path / "a.keras") as old, zipfile.ZipFile(claiming, "w") as new:
                for entry in old.namelist():
                    whole = {"class_name": "TextGenerator", "registered_name": "tfgen>TextGenerator", "config": config}
                    new.writestr(entry, json.dumps(whole) if entry == "config.json" else old.read(entry))
            with pytest.raises(InputError, match="claims a network of"):
                model_files.load(claiming)
