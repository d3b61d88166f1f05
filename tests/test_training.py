"""Settings that suit themselves to a corpus, runs that can be repeated, the best weights kept, provenance."""

import dataclasses
import json
import math
import types

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfgen
from tfgen import Pairs, TextGenerator, Vocabulary, model_files, networks, training
from tfgen.corpora import Corpus
from tfgen.errors import InputError
from tfgen.training import Settings, provenance

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 30
CORPUS = Corpus.from_text(TEXT, source="fox.txt")
TINY = Settings(units=6, length=16, batch_size=4, epochs=2, seed=5)
TITLES = Corpus.from_texts(["Rain in May", "A dog barks", "The sun also rises"] * 20, source="titles")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, value) for name in ("epochs", "patience", "batch_size", "length", "embedding") for value in (0, -3)),
        *(("max_tokens", value) for value in (0, 3, True, 4.0)),
        *(("min_count", value) for value in (0, True, 1.5)),
        *(("epochs", value) for value in (True, 2**31)),
        *(("seed", value) for value in (-1, True, 2**64)),
        *(("learning_rate", value) for value in (0, -0.1, math.inf, math.nan, True, "0.1")),
        *(("validation", value) for value in (-0.1, 1, math.nan, False, "0.1")),
        ("cut", "pieces"),
    ],
)
def test_a_wrong_setting_is_refused_at_once_with_its_name_and_value(name, value):
    with pytest.raises(InputError, match=rf"{name} .*received '?{value}'?"):
        Settings(**{name: value})


def test_settings_of_numpy_become_plain_numbers():
    settings = Settings(epochs=np.int64(2), seed=np.uint8(3), learning_rate=np.float32(0.5), validation=0)
    assert settings == Settings(epochs=2, seed=3, learning_rate=0.5, validation=0.0)
    assert json.loads(json.dumps(dataclasses.asdict(settings)))["learning_rate"] == 0.5


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("cell", "foo"),
            ("epochs", "3"),
            ("seed", 2**64),
            ("units", 0),
            ("units", -1),
            ("layers", 0),
            ("dropout", 1.0),
            ("dropout", math.nan),
            ("weight_drop", False),
        ),
        *(("split", "sentence"), ("min_count", 0)),
    ],
)
def test_the_rest_is_refused_by_prepare(name, value):
    with pytest.raises(InputError, match=name):
        training.prepare(CORPUS, dataclasses.replace(TINY, **{name: value}))


def corpus_of(characters, documents, ends):
    """What `suited_to` looks at, of any size."""
    return types.SimpleNamespace(characters=characters, number_of_documents=documents, ends=ends)


corpora = st.builds(
    lambda size, documents, ends: corpus_of(size, min(documents, size) if ends else 1, ends),
    st.integers(1, 10**9),
    st.integers(1, 10**6),
    st.booleans(),
)
open_or = lambda *values: st.one_of(st.none(), st.sampled_from(values))  # noqa: E731
settings = st.builds(
    Settings,
    split=st.sampled_from(["character", "word"]),
    cut=open_or("streams", "windows", "documents"),
    batch_size=open_or(1, 7, 4096),
    length=open_or(1, 33, 10**5),
    epochs=open_or(1, 1000),
    embedding=open_or(1, 512),
    validation=st.sampled_from([0, 0.1, 0.5, 0.999]),
)


@given(settings, corpora)
def test_settings_suit_themselves_within_bounds_and_change_nothing_explicit(given_settings, corpus):
    tokens = corpus.characters
    suited = given_settings.suited_to(corpus, tokens)
    for field in dataclasses.fields(Settings):
        if (wanted := getattr(given_settings, field.name)) is not None:
            assert getattr(suited, field.name) == wanted
    assert suited.batch_size >= 1
    assert given_settings.batch_size or suited.batch_size <= 32
    assert given_settings.epochs or 3 <= suited.epochs <= 50
    assert all(isinstance(number, int) for number in (suited.batch_size, suited.epochs, suited.length))
    assert suited.embedding == (given_settings.embedding or {"word": 128, "character": None}[suited.split])
    if given_settings.cut is None:
        short = corpus.ends and corpus.characters < 400 * corpus.number_of_documents
        assert suited.cut == ("documents" if short else "streams")
    if given_settings.length is None:
        usual = {"streams": 32, "windows": 64, "documents": 500}[suited.cut]
        of_training = tokens * (1 - given_settings.validation)
        shorter = (
            suited.cut == "streams" and of_training < usual + 2
        )  # a text of a line is one row, cut as long as it is
        assert suited.length == (max(int(of_training - 2), 1) if shorter else usual)
    assert suited.suited_to(corpus, tokens) == suited


@pytest.mark.parametrize(
    ("characters", "batch_size", "epochs"),
    [(1_000, 1, 50), (20_000, 18, 50), (100_000, 32, 50), (1_000_000, 32, 7), (100_000_000, 32, 3)],
)
def test_small_texts_get_small_batches_and_many_epochs(characters, batch_size, epochs):
    suited = Settings().suited_to(corpus_of(characters, 1, False), characters)
    assert (suited.batch_size, suited.epochs) == (batch_size, epochs)


@pytest.mark.parametrize("steps", [1, 2, 10, 101, 10_000])
def test_the_rate_rises_to_its_peak_and_falls_to_two_percent(steps):
    rate = training.optimizer(steps, 0.01)._learning_rate
    warm_up = min(50, steps // 2)
    rates = np.array([float(rate(step)) for step in {*range(min(steps, 200)), *range(0, steps, 97), steps, 2 * steps}])
    assert ((rates >= 0) & (rates <= 0.01 * (1 + 1e-6))).all()
    ups = [float(rate(step)) for step in range(warm_up + 1)]
    assert ups == pytest.approx([0.01 * step / warm_up for step in range(warm_up + 1)] if warm_up else [0.01])
    progress = [warm_up + round((steps - warm_up) * share) for share in (0, 0.25, 0.5, 0.75, 1)]
    for step in progress:
        done = (step - warm_up) / (steps - warm_up)
        cosine = 0.5 * (1 + math.cos(math.pi * done))
        assert float(rate(step)) == pytest.approx(0.01 * (0.98 * cosine + 0.02), rel=1e-4)
    assert float(rate(steps)) == float(rate(10 * steps)) == pytest.approx(0.0002)


def test_the_optimizer_is_the_one_that_was_measured():
    adam = training.optimizer(100)
    assert isinstance(adam, keras.optimizers.Adam)
    assert (adam.beta_1, adam.beta_2, adam.global_clipnorm) == (0.9, 0.99, 1.0)


def values(job):
    return [np.array(weight) for weight in job.generator.get_weights()]


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("cut", ["streams", "windows"])
def test_preparing_twice_gives_the_same_job_and_another_seed_another(cut):
    wanted = dataclasses.replace(TINY, cut=cut)
    one, two = training.prepare(CORPUS, wanted), training.prepare(CORPUS, wanted)
    assert_same(values(one), values(two))
    assert one.settings == two.settings
    for a, b in zip(one.train, two.train, strict=True):
        assert_same(a, b)
    for a, b in zip(one.validation, two.validation, strict=True):
        assert_same(a, b)
    other = training.prepare(CORPUS, dataclasses.replace(wanted, seed=6))
    assert not np.array_equal(values(one)[0], values(other)[0])


def test_a_job_counts_what_an_epoch_reads():
    job = training.prepare(CORPUS, TINY)
    assert job.tokens == job.characters == round(0.9 * len(TEXT))
    assert sum(int((y.numpy() != 0).sum()) for _, y in job.train) == job.tokens - 1
    words = training.prepare(CORPUS, dataclasses.replace(TINY, split="word", length=4))
    assert words.characters == job.characters
    assert words.tokens < words.characters / 3
    assert words.settings.embedding == 128


@pytest.mark.parametrize("min_count", [1, 2])
def test_bits_of_words_are_per_character(min_count):
    text = TEXT + "".join(f"word{number} " for number in range(30))  # the rare ones are in the held-out part
    settings = dataclasses.replace(TINY, split="word", length=4, min_count=min_count, validation=0.2)
    job = training.prepare(Corpus.from_text(text), settings)
    said = job.generator.evaluate(job.validation, verbose=0, return_dict=True)
    assert said["bits"] == pytest.approx(job.bits_per_character(said["nats"]), rel=1e-5)
    tokens = job.generator.vocabulary
    texts = [tokens.decode(y.numpy().ravel()[y.numpy().ravel() > 1]) for _, y in job.validation]
    unknown = sum(int((y.numpy() == 1).sum()) for _, y in job.validation)
    known = [len(token) * count for token, count in zip(tokens.tokens, tokens.counts, strict=True)][3:]
    if min_count == 1:
        assert unknown == 0
        characters = len("".join(texts))
        count = sum(int((y.numpy() != 0).sum()) for _, y in job.validation)
        assert job.characters_per_token == pytest.approx(characters / count)
    else:
        assert job.lengths[1] == pytest.approx((len(text) - sum(known)) / tokens.counts[1])
        assert 4 < job.lengths[1] < 8


def test_a_prepared_text_is_as_long_as_it_is_whatever_its_vocabulary_was_counted_on(tmp_path):
    (tmp_path / "part.txt").write_text(TEXT[:700])
    for vocabulary in (Vocabulary.from_texts([TEXT]), Vocabulary(sorted(set(TEXT)))):
        part = tfgen.prepare_corpus(
            tmp_path / "part.txt", tmp_path / str(sum(vocabulary.counts)), vocabulary=vocabulary
        )
        job = training.prepare(part, dataclasses.replace(TINY, validation=0))
        assert job.tokens == job.characters == 700


def test_titles_are_read_as_documents_by_a_network_without_state():
    job = training.prepare(TITLES, Settings(units=4))
    assert (job.settings.cut, job.settings.length) == ("documents", 500)
    assert job.generator.network.input_shape[0] is None
    assert training.prepare(CORPUS, TINY).generator.network.input_shape[0] == TINY.batch_size


@pytest.mark.slow
def test_running_twice_gives_the_same_weights_to_the_last_bit():
    jobs = [training.prepare(CORPUS, dataclasses.replace(TINY, dropout=0.2, validation=0)) for _ in range(2)]
    before = values(jobs[0])
    histories = [training.run(job) for job in jobs]
    assert_same(values(jobs[0]), values(jobs[1]))
    assert histories[0].history == histories[1].history
    assert not np.array_equal(before[0], values(jobs[0])[0])
    assert "val_nats" not in histories[0].history
    assert jobs[0].generator.provenance["result"]["nats"] == round(histories[0].history["nats"][-1], 4)


@pytest.mark.slow
def test_the_best_epoch_is_the_one_that_is_kept_and_recorded():
    # The held-out end of this text is unlike the rest: the better the rest is learned, the worse the end is predicted.
    text = "abcdefgh" * 120 + "hgfedcba" * 12
    wanted = Settings(units=16, length=16, batch_size=4, epochs=12, learning_rate=0.02, patience=3)
    job = training.prepare(Corpus.from_text(text), wanted)
    judged = training.run(job).history["val_nats"]
    assert np.argmin(judged) == len(judged) - 4  # stopped by patience
    assert len(judged) < 12
    kept = job.generator.evaluate(job.validation, verbose=0, return_dict=True)["nats"]
    assert kept == pytest.approx(min(judged), rel=1e-5)
    result = job.generator.provenance["result"]
    assert result["val_nats"] == round(min(judged), 4)
    assert result["epochs"] == len(judged)
    assert (result["kept_epoch"], result["ended"]) == (len(judged) - 3, "no better for 3 epochs")


@pytest.mark.slow
def test_provenance_is_json_and_travels_with_the_model(tmp_path):
    job = training.prepare(CORPUS, dataclasses.replace(TINY, epochs=1))
    assert "result" not in job.generator.provenance
    training.run(job)
    provenance = job.generator.provenance
    assert json.loads(json.dumps(provenance, allow_nan=False)) == provenance
    assert provenance["corpus"] == CORPUS.summary()
    assert provenance["corpus"]["sha256"] == CORPUS.sha256
    assert provenance["settings"] == dataclasses.asdict(job.settings)
    assert Settings(**provenance["settings"]) == job.settings
    assert provenance["parameters"] == job.generator.count_params()
    assert provenance["versions"]["tfgen"] == tfgen.__version__
    assert provenance["versions"]["keras"] == keras.__version__
    costs = {"nats", "val_nats", "bits", "val_bits", "unit"}
    assert {"finished", "seconds", "epochs", "kept_epoch", "ended"} | costs == set(provenance["result"])
    assert provenance["result"]["ended"] == "all epochs done"
    path = tmp_path / "fox.keras"
    job.generator.save(path)
    assert model_files.read_config(path)["provenance"] == provenance
    assert model_files.load(path).provenance == provenance


def test_a_model_goes_on_at_another_batch_size_with_its_weights_and_vocabulary():
    first = training.prepare(CORPUS, TINY).generator
    more = Corpus.from_text(TEXT[:700])
    job = training.prepare(more, dataclasses.replace(TINY, batch_size=2, units=99, cell="gru"), first)
    assert job.generator.vocabulary == first.vocabulary
    assert_same(
        [np.array(each) for each in job.generator.network.trainable_variables], first.network.trainable_variables
    )
    assert job.generator.network.input_shape[0] == 2
    assert job.generator.provenance["corpus"] == more.summary()
    with pytest.raises(InputError, match="'Ж'"):
        training.prepare(Corpus.from_text(TEXT + "Ж"), TINY, first)


def test_a_vocabulary_that_left_tokens_out_reads_new_ones_as_unknown():
    rare = Corpus.from_text(TEXT + "Ω")
    first = training.prepare(rare, dataclasses.replace(TINY, min_count=2)).generator
    assert first.vocabulary.counts[1] == 1
    job = training.prepare(Corpus.from_text(TEXT + "ΩЖ"), TINY, first)
    assert len(job.train)


@pytest.mark.parametrize(
    ("history", "best"),
    [
        ({}, {}),
        ({"nats": [3.0, 2.0], "val_nats": [2.5, 2.7], "lr": [1, 1]}, {"kept_epoch": 1, "nats": 3.0, "val_nats": 2.5}),
        ({"nats": [3.0, 2.0], "bits": [4.0, 3.0]}, {"kept_epoch": 2, "nats": 2.0, "bits": 3.0}),
        ({"nats": [3.0, math.nan], "val_nats": [2.5, math.nan]}, {"kept_epoch": 1, "nats": 3.0, "val_nats": 2.5}),
        ({"nats": [3.0, math.nan]}, {}),
        ({"nats": [math.nan], "val_nats": [math.nan]}, {}),
    ],
)
def test_the_result_is_of_the_best_epoch_and_never_no_number(history, best):
    assert provenance._best_epoch(history) == best


def test_defaults_are_what_prepare_takes_without_settings():
    vocabulary = Vocabulary.from_corpus(CORPUS)
    job = training.prepare(CORPUS)
    assert job.settings == Settings().suited_to(CORPUS, sum(vocabulary.counts))


def test_a_model_gone_on_from_keeps_its_own_shape_and_its_past_in_its_provenance():
    first = training.prepare(TITLES, dataclasses.replace(TINY, cell="gru", layers=2))
    first.generator.provenance = {**first.generator.provenance, "result": {"epochs": 2}}
    second = training.prepare(TITLES, TINY, first.generator)
    kept = second.generator.provenance
    assert {name: kept["settings"][name] for name in ("cell", "units", "layers")} == {
        "cell": "gru",
        "units": 6,
        "layers": 2,
    }
    assert kept["before"] == first.generator.provenance


def test_the_settings_of_a_run_that_continues_are_those_of_its_encoder():
    words = [f"{a}{b}" for a in "abcd" for b in "abcd"]
    vocabulary = Vocabulary.from_texts(words, ends=True)
    encoder = networks.text_encoder(vocabulary, cell="rnn", units=2, embedding=2)
    first = TextGenerator.build(vocabulary, cell="rnn", units=3, encoder=encoder)
    pairs = Pairs(Corpus.from_texts(words), Corpus.from_texts(words))
    job = training.prepare(pairs, training.Settings(epochs=1), first)
    assert (job.settings.units, job.settings.encoder_units, job.settings.attention) == (3, 2, False)
    assert job.generator.provenance["settings"]["attention"] is False
