"""Files that an earlier version wrote, of every kind, are read for ever; `fixtures/write_saved.py` tells of them."""

import json
import pathlib
import shutil
import sys
import tarfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import tfgen

SAVED = pathlib.Path(__file__).parent / "fixtures" / "saved"
EXPECTED = json.loads((SAVED / "expected.json").read_text())


@pytest.fixture(name="generator", scope="module")
def generator_fixture():
    return keras.saving.load_model(SAVED / "lstm.keras")


def test_a_model_of_characters(generator):
    expected = EXPECTED["lstm"]
    assert generator.generate("the ", length=60, temperature=0.7, seed=5) == expected["text"]
    np.testing.assert_allclose(generator.score("the quick brown").nats, expected["nats"], rtol=1e-5)
    assert generator.provenance == {"corpus": {"source": "foxes"}}
    assert generator.optimizer.iterations > 0


@pytest.mark.slow
def test_a_model_of_words():
    words = keras.saving.load_model(SAVED / "words.keras")
    assert words.generate("", n=4, seed=1) == EXPECTED["words"]["texts"]
    np.testing.assert_allclose(words.score("the green fox").nats, EXPECTED["words"]["nats"], rtol=1e-5)


def test_a_session_goes_on(generator):
    session, expected = generator.resume(SAVED / "session.npz"), EXPECTED["session"]
    assert session.text == "the " + expected["before"]
    assert session.generate(30, **expected["settings"]) == expected["after"]
    assert session.text == "the " + expected["before"] + expected["after"]


def test_an_export_writes(tmp_path):
    with tarfile.open(SAVED / "export.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    generate = tf.saved_model.load(tmp_path / "export").signatures["generate"]
    settings = {"temperature": 0.7, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "length": 60}
    seed = tf.constant(5, tf.int64)
    inputs = {name: tf.constant(value) for name, value in settings.items()}
    texts = generate(prompts=tf.constant(["the "]), seed=seed, **inputs)["texts"]
    assert texts.numpy()[0].decode() == EXPECTED["lstm"]["text"]


@pytest.mark.slow
def test_a_run_goes_on_in_the_middle_of_its_epoch(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(SAVED.parent)
    sys.modules.pop("write_saved", None)
    import write_saved

    shutil.copytree(SAVED / "checkpoints", tmp_path / "checkpoints")
    generator, (train, validation) = write_saved.lstm()
    resume = tfgen.callbacks.Resume(tmp_path / "checkpoints", every=5, warn=lambda message: None)
    history = generator.fit(train, validation_data=validation, epochs=2, callbacks=[resume], verbose=0)
    assert len(history.history["loss"]) == 2
    with np.load(SAVED / "whole.npz") as whole:
        for weight, name in zip(generator.get_weights(), whole, strict=True):
            np.testing.assert_allclose(weight, whole[name], atol=1e-5)


def test_a_prepared_text():
    prepared, expected = tfgen.open_prepared(SAVED / "prepared"), EXPECTED["prepared"]
    assert (prepared.sha256, len(prepared.ids)) == (expected["sha256"], expected["tokens"])
    assert prepared.ids[:20].tolist() == expected["ids"]
    assert prepared.vocabulary.decode(prepared.ids[:9]) == "the quick"
