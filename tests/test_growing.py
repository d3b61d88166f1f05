"""A model that learns new tokens: every weight is kept, and what is new is the mean of the old."""

import json

import keras
import numpy as np
import pytest
from cli_support import TEXT, TINY, here_fixture, model_bytes_fixture, model_fixture  # noqa: F401 - fixtures

from tfgen import InputError, TextGenerator, Vocabulary, model_files, networks
from tfgen.cli import texts

OLD = Vocabulary.from_texts(["abcab"], ends=True)
NEW = OLD.extended(Vocabulary.from_texts(["axyz"]))
V = len(OLD)


def kinds():
    for cell in ("lstm", "gru", "rnn"):
        yield cell, TextGenerator.build(OLD, cell=cell, units=5, layers=2, seed=1)
    yield "embedding", TextGenerator.build(OLD, units=V, embedding=V, seed=1)  # sizes alone do not tell axes apart
    yield "transformer", TextGenerator.build(OLD, cell="transformer", units=4, layers=1, heads=2, window=4, seed=1)
    yield "stateful", TextGenerator.build(OLD, cell="gru", units=5, batch_size=2, seed=1)
    encoder = networks.text_encoder(OLD, units=3, seed=1)
    yield "sources", TextGenerator.build(OLD, units=5, seed=1, encoder=encoder, attention=True)


@pytest.mark.slow
@pytest.mark.parametrize("generator", [pytest.param(each, id=name) for name, each in kinds()])
def test_every_weight_is_kept_and_new_ones_are_the_mean(generator):
    chance = np.random.default_rng(0)
    generator.set_weights([chance.normal(size=each.shape) for each in generator.get_weights()])
    of_sources = NEW if hasattr(generator.network, "encoder") else None
    grown = generator.with_vocabulary(NEW, of_sources)
    for before, after in zip(generator.get_weights(), grown.get_weights(), strict=True):
        kept = tuple(map(slice, before.shape))
        np.testing.assert_array_equal(after[kept], before)
        (axis,) = [i for i, (a, b) in enumerate(zip(before.shape, after.shape, strict=True)) if a != b] or [None]
        if axis is not None:
            mean = np.take(before, range(3, V), axis).mean(axis)
            for place in range(V, len(NEW)):
                np.testing.assert_allclose(np.take(after, place, axis), mean, rtol=1e-5)
    assert grown.score("xyz", **({} if of_sources is None else {"source": "xz"})).nats > 0
    assert grown.provenance["grown"] == [{"from": V, "to": len(NEW)}]


@pytest.mark.slow
def test_logits_of_old_tokens_stay(tmp_path):
    generator = TextGenerator.build(OLD, units=5, seed=1)
    grown = generator.with_vocabulary(NEW)
    ids = np.array([[3, 4, 5, 3]])
    before, after = (np.log(each.network.predict(ids, verbose=0)) for each in (generator, grown))
    change = after[..., :V] - before
    np.testing.assert_allclose(change, change[..., :1] * np.ones(V), atol=1e-5)
    grown.save(tmp_path / "grown.keras")
    assert keras.saving.load_model(tmp_path / "grown.keras").vocabulary == NEW


def test_a_vocabulary_keeps_its_tokens_and_takes_new_ones_in_its_form():
    assert NEW.tokens == (*OLD.tokens, "x", "y", "z")
    assert NEW.counts[:V] == OLD.counts
    lower = Vocabulary(["a"], normalize="NFD", lower=True).extended(Vocabulary.from_texts(["\u00c4B"]))
    assert lower.tokens[3:] == ("a", "b", "\u0308")
    assert (lower.normalize, lower.lower) == ("NFD", True)
    with pytest.raises(InputError, match="split='character'"):
        OLD.extended(Vocabulary.from_texts(["a b"], split="word"))


def test_what_cannot_grow():
    generator = TextGenerator.build(OLD, units=3)
    with pytest.raises(InputError, match="must begin with the"):
        generator.with_vocabulary(Vocabulary.from_texts(["cb"]))
    with pytest.raises(InputError, match="omit of_sources"):
        generator.with_vocabulary(NEW, NEW)
    counted = TextGenerator(OLD, networks.ngram([3, 4, 3], OLD))
    with pytest.raises(InputError, match="not trained by fit"):
        counted.with_vocabulary(NEW)


@pytest.mark.slow
@pytest.mark.parametrize("large", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["held", "prepared"])
def test_a_model_goes_on_with_a_text_of_new_characters(here, model, monkeypatch, large):
    monkeypatch.setenv("KERAS_HOME", str(here.folder / "keras"))
    if large:
        monkeypatch.setattr(texts, "_LARGE", 0)
    (here.folder / "new.txt").write_text(f"{TEXT}\u00e9t\u00e9 ".replace("\n", " ") * 2)
    on = ("train", "new.txt", *TINY[2:], "--init-from", model, "--no-sample")
    refused = here(*on)[2]
    assert "'\u00e9' (U+00E9)" in refused
    assert "; learn them too with generator.with_vocabulary (--grow-vocabulary), remove them, skip" in refused
    out = here(*on, "--grow-vocabulary", "-o", "grown.keras")[1]
    assert "new characters: '\u00e9'" in out
    grown, old = (model_files.load(path) for path in (here.folder / "grown.keras", model))
    assert grown.vocabulary.tokens == (*old.vocabulary.tokens, "\u00e9")
    assert grown.provenance["before"]["grown"] == [{"from": len(old.vocabulary), "to": len(grown.vocabulary)}]
    assert "before.grown.1.to" in here.done("inspect", "grown.keras")
    if large:
        assert here(*on, "--unknown", "skip", "-o", "same.keras")[0] == 0
        assert model_files.load(here.folder / "same.keras").vocabulary == old.vocabulary
    assert "goes with --init-from" in here("train", "new.txt", "--grow-vocabulary")[2]


@pytest.mark.slow
def test_a_model_of_lower_case_goes_on_with_any(here):
    (here.folder / "text.txt").write_text("Aa Bb Cc\n" * 60)
    here.done("train", "text.txt", *TINY, "--lower", "--no-sample")
    known = json.loads(here.done("inspect", "text.keras", "--json"))["vocabulary"]
    assert known["lower"]
    here.done("train", "text.txt", *TINY[2:], "--init-from", "text.keras", "-o", "on.keras", "--no-sample")
    assert here.done("generate", "on.keras", "AA BB", "--length", "3", "--seed", "1")[:5] == "AA BB"
