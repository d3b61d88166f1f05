"""Callbacks that watch and guard training, and the progress they show; all on a network of a few units."""

import functools
import io
import math
import re
import sys
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from training_support import renewable

from tfgen import TextGenerator, Vocabulary, callbacks, datasets, metrics
from tfgen.callbacks import LearningCurve, Progress, Resume, SampleText, StopOnNaN, losses
from tfgen.callbacks.progress import duration
from tfgen.corpora import Corpus
from tfgen.errors import InputError
from tfgen.support import notebooks
from tfgen.support.checkpoints import Checkpoints

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 20
CORPUS = Corpus.from_text(TEXT)
VOCABULARY = Vocabulary.from_texts([TEXT])
BATCHES = 12


def built(optimizer):
    generator = TextGenerator.build(VOCABULARY, units=6, batch_size=4, seed=3)
    generator.compile(optimizer, "sparse_categorical_crossentropy", metrics=[metrics.NatsPerCharacter()])
    return generator


@functools.cache
def compiled(number):
    return renewable(built(keras.optimizers.Adam(0.01, global_clipnorm=1.0)))


def build(number=0):
    """An untrained generator; one that is trained beside it has another number."""
    return compiled(number)()


@functools.cache
def compiled_without_clipping():
    return renewable(built(keras.optimizers.SGD(1.0)))


def build_without_clipping(rate):
    generator = compiled_without_clipping()()
    generator.optimizer.learning_rate = rate
    return generator


def batches(count=BATCHES):
    return datasets.streams(CORPUS, VOCABULARY, batch_size=4, length=16, validation=0)[0].take(count)


def batches_to_resume():
    """Just as many, of a text that has no more."""
    corpus = Corpus.from_text(TEXT[: BATCHES * 4 * 16 + 1])
    return datasets.streams(corpus, VOCABULARY, batch_size=4, length=16, validation=0)[0]


def fit(generator, data, *callbacks, **options):
    return generator.fit(data, callbacks=list(callbacks), verbose=0, **options)


def assert_same(weights, expected):
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_samples_come_after_each_epoch_for_every_prompt_and_temperature():
    shown, watched = [], build()
    fit(
        watched,
        batches(),
        SampleText(["the ", "dog", ""], temperatures=[0, 1.3], length=9, show=shown.append),
        epochs=2,
    )
    headings = [text.split("\n")[1] for text in shown]
    expected = [(epoch, t) for epoch in (1, 2) for t in ("0", "1.3")]
    assert headings == [f"--- epoch {epoch}, temperature {t} ---" for epoch, t in expected]
    prompts = ["the ", "dog", ""]
    assert all(f"\n{prompt}" in text for text in shown for prompt in prompts)
    # With the line breaks before each, and the line between two.
    written = sum(len(prompt) + 9 for prompt in prompts) + len(prompts) + 2 * len("---\n")
    assert [len(text) - len(f"\n{heading}") for text, heading in zip(shown, headings, strict=True)] == [written] * 4
    # The last ones are what the model writes now.
    now = watched.generate(prompts, length=9, temperature=0, seed=0)
    assert shown[2] == "\n".join(["\n--- epoch 2, temperature 0 ---", "\n---\n".join(now)])


def test_samples_come_every_so_many_batches():
    shown = []
    fit(build(), batches(7), SampleText(["t"], every=3, length=2, show=shown.append), epochs=2)
    assert [text.split("\n")[1] for text in shown] == [f"--- batch {n}, temperature 0.8 ---" for n in (3, 6, 3, 6)]


def test_a_prompt_with_unknown_characters_does_not_stop_training():
    shown = []
    fit(build(), batches(1), SampleText(["Ж", "the Ж"], length=3, show=shown.append))
    assert any(line.startswith("the Ж") for line in shown[0].split("\n"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prompts": "the "}, r"received 'the '.*\['the '\]"),
        ({"every": 0}, "every .*at least 1; received 0"),
        ({"every": 1.5}, "every .*received 1.5"),
        ({"temperatures": [0.5, -1]}, "temperature.*-1"),
        ({"temperatures": 0.5}, r"received 0.5: write \[0.5\]"),
        ({"length": 0}, "length .*at least 1; received 0"),
    ],
)
def test_wrong_samples_are_refused_at_once(arguments, message):
    with pytest.raises(InputError, match=message):
        SampleText(**arguments)


def poisoned(at):
    """Batches of which the one of that index has a loss that is no number."""
    weights = tf.data.Dataset.from_tensor_slices(np.where(np.arange(BATCHES) == at, np.nan, 1).astype(np.float32))
    return tf.data.Dataset.zip(batches(), weights).map(lambda xy, w: (*xy, w * tf.ones_like(xy[1], tf.float32)))


class Poison(keras.callbacks.Callback):
    """Weights that are no numbers after the last batch of an epoch, whose loss was one."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == BATCHES - 1:
            self.model.set_weights([each * np.nan for each in self.model.get_weights()])


@pytest.mark.slow
def test_a_last_batch_that_spoils_the_weights_is_seen_before_the_next_loss(tmp_path):
    shown, texts, generator, expected = [], [], build(), build(1)
    guard, sample = StopOnNaN(every=3, show=shown.append), SampleText(["the "], length=3, show=texts.append)
    fit(generator, batches_to_resume(), Poison(), guard, sample, Resume(tmp_path), epochs=2)
    assert shown == [guard.message]
    assert guard.message.startswith(
        f"the weights are no longer finite after batch {BATCHES}, at a learning rate of 0.01: "
    )
    fit(expected, batches_to_resume().take(9))
    assert_same(generator.get_weights(), expected.get_weights())
    assert texts[0].startswith("\n--- epoch 1, temperature 0.8 ---\nthe ")
    assert (Checkpoints(tmp_path).latest().state["epoch"], len(texts)) == (0, 1)


def test_samples_of_weights_that_are_no_numbers_say_so():
    texts = []
    fit(build(), batches(), Poison(), SampleText(["the "], show=texts.append))
    assert texts == ["\n--- epoch 1: the weights are no longer finite ---"]


@pytest.mark.parametrize(("at", "good"), [(7, 6), (6, 3), (2, 0), (0, 0)])
def test_a_loss_that_is_no_number_stops_and_brings_the_last_good_weights_back(at, good):
    shown = []
    generator, expected = build(), build(1)
    guard = StopOnNaN(every=3, show=shown.append)
    history = fit(generator, poisoned(at), guard, epochs=5)
    assert len(history.epoch) == 1
    assert shown == [guard.message]
    assert re.fullmatch(
        rf"the loss became nan in batch {at + 1}, at a learning rate of 0.01: lower the learning rate. .*",
        guard.message,
    )
    if good:
        fit(expected, batches().take(good))
    assert_same(generator.network.trainable_variables, expected.network.trainable_variables)


@pytest.mark.slow
def test_a_huge_learning_rate_is_named_with_the_clipping_that_is_missing():
    guard = StopOnNaN(show=lambda message: None)
    generator, untrained = build_without_clipping(1e38), build()
    fit(generator, batches(), guard, epochs=3)
    assert "at a learning rate of 1e+38: clip the gradients (global_clipnorm=1.0) or lower the rate" in guard.message
    # The one step that was taken left weights without a good loss, so that even they were not kept.
    assert_same(generator.network.trainable_variables, untrained.network.trainable_variables)
    assert math.isfinite(generator.evaluate(batches(), verbose=0, return_dict=True)["nats"])


def test_weights_whose_loss_was_never_seen_are_not_called_good():
    guard = StopOnNaN(every=1, show=lambda message: None)
    generator = build_without_clipping(1e38)
    fit(generator, batches(1), guard, epochs=6)  # each epoch ends after one step
    assert guard.message
    assert all(np.isfinite(each).all() for each in generator.get_weights())
    assert math.isfinite(generator.evaluate(batches(), verbose=0, return_dict=True)["nats"])


@pytest.mark.parametrize("make", [lambda: StopOnNaN(every=0), lambda: LearningCurve(10, points=0)])
def test_how_often_is_a_number_of_at_least_one(make):
    with pytest.raises(InputError, match="at least 1; received 0"):
        make()


def test_early_stopping_knows_that_less_is_better():
    stopping = keras.callbacks.EarlyStopping("val_nats", patience=1)
    fit(build_without_clipping(0.0), batches(2), stopping, epochs=9, validation_data=batches(2))
    assert stopping.stopped_epoch == 1


def test_all_is_well_where_the_loss_is_a_number():
    guard, generator, alone = StopOnNaN(every=2), build(), build(1)
    fit(generator, batches(), guard)
    fit(alone, batches())
    assert guard.message is None
    assert_same(generator.get_weights(), alone.get_weights())


@pytest.mark.parametrize("points", [50, 5, 1])
def test_the_learning_curve_has_the_mean_of_the_epoch(points):
    generator, curve = build(), LearningCurve(1200, points)
    history = fit(generator, batches(), curve, epochs=2, validation_data=batches(2))
    every = max(BATCHES // points, 1)
    ends = sorted({*range(every, BATCHES + 1, every), BATCHES})
    assert [x for x, _ in curve.training] == pytest.approx(
        [1200 * (epoch + end / BATCHES) for epoch in range(2) for end in ends]
    )
    spans = np.diff([0, *ends])  # these batches are all of one size
    for epoch in range(2):
        losses = [nats for _, nats in curve.training[epoch * len(ends) : (epoch + 1) * len(ends)]]
        assert np.average(losses, weights=spans) == pytest.approx(history.history["nats"][epoch], rel=1e-5)
    assert [x for x, _ in curve.validation] == [1200, 2400]
    assert [nats for _, nats in curve.validation] == history.history["val_nats"]


def test_the_learning_curve_weighs_batches_by_their_targets():
    titles = ["a", "the lazy dog jumps over the quick brown fox and over the lazy dog" * 2, "of", "I" * 90, "we"] * 3
    corpus = Corpus.from_texts(titles)
    vocabulary = Vocabulary.from_corpus(corpus)
    generator = TextGenerator.build(vocabulary, units=6, seed=0)
    generator.compile("sgd", "sparse_categorical_crossentropy", metrics=[metrics.NatsPerCharacter()])
    data, _ = datasets.documents(corpus, vocabulary, batch_size=1, validation=0, seed=1)
    curve = LearningCurve(100)
    history = fit(generator, data, curve)
    targets = [
        int((y.numpy() != 0).sum())
        for _, y in datasets.documents(corpus, vocabulary, batch_size=1, validation=0, seed=1)[0]
    ]
    losses = [nats for _, nats in curve.training]
    assert len(losses) == len(titles)
    assert all(0 < nats < 2 * math.log(len(vocabulary)) for nats in losses)
    assert np.average(losses, weights=targets) == pytest.approx(history.history["nats"][0], rel=1e-5)


@pytest.mark.parametrize("kind", [metrics.BitsPerCharacter, metrics.Perplexity])
def test_the_learning_curve_is_the_same_with_whichever_metric_was_compiled(kind):
    random, held = np.random.default_rng(0), metrics.NatsPerCharacter()
    drawn = [(random.integers(1, 5, (2, 3)), random.dirichlet(np.ones(5), (2, 3))) for _ in range(6)]
    held.update_state(*drawn[0])
    curves = []
    for metric in (metrics.NatsPerCharacter(), kind(name="mine")):
        curve, validation = LearningCurve(1200, 3), kind() if curves else metrics.NatsPerCharacter()
        curve.set_model(types.SimpleNamespace(metrics=[metric]))
        curve.set_params({"steps": 6})
        curve.on_train_begin()
        curve.on_epoch_begin(0)
        for number, batch in enumerate(drawn):
            metric.update_state(*batch)
            curve.on_train_batch_end(number)
        validation.update_state(*drawn[0])
        curve.on_epoch_end(0, {f"val_{metric.name}": validation.result()})
        curves.append(curve)
    one, other = curves
    assert [read for read, _ in one.training] == [400, 800, 1200]
    np.testing.assert_allclose(one.training, other.training)
    np.testing.assert_allclose(one.validation, [(1200, held.result())], rtol=1e-6)
    np.testing.assert_allclose(one.validation, other.validation, rtol=1e-6)


def test_a_model_without_the_metric_has_no_curve_and_that_is_said():
    generator = TextGenerator.build(VOCABULARY, units=2, batch_size=4, seed=0)
    generator.compile("sgd", "sparse_categorical_crossentropy")
    curve = LearningCurve(100)
    with pytest.warns(UserWarning, match=r"nothing to remember.*NatsPerCharacter") as warned:
        fit(generator, batches(2), curve)
    assert len(warned) == 1
    assert curve.training == curve.validation == []


def progress(terminal, **options):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=140, color_system=None, soft_wrap=True)
    shown = Progress(console=console, characters=1200, **options)
    generator = build()
    fit(generator, batches(3), shown, epochs=2, validation_data=batches(2))
    return shown, out.getvalue()


LINE = (
    r"epoch 1/2 · training \d\.\d{3} nats \(\d\.\d{3} bits\) · validation \d\.\d{3} nats \(\d\.\d{3} bits\) · "
    r"n-grams 1 bit · [\d,]+ characters/s · \d+ s left"
)


def test_progress_in_a_file_is_one_line_an_epoch():
    first, second = progress(terminal=False, beside="n-grams 1 bit")[1].splitlines()
    assert re.fullmatch(LINE, first)
    assert second.endswith(" characters/s · 0 s left")


def test_progress_on_a_terminal_is_a_bar_that_goes_away():
    bar, shown = progress(terminal=True)
    bar.close()  # an interruption may close it twice
    assert "epoch 1/2 · training " in shown
    assert "━" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")  # the cursor is back


def test_progress_takes_the_place_of_the_bar_of_keras(capsys):
    generator = build()
    generator.fit(batches(2), callbacks=[Progress()])
    assert re.fullmatch(r"epoch 1/1 · training [^·]+ · [\d,.]+ batches/s · 0 s left\n", capsys.readouterr().out)


@pytest.mark.parametrize("patience", [1, 9])
def test_what_may_end_early_takes_at_most_so_long(patience, capsys):
    early = keras.callbacks.EarlyStopping("val_nats", patience=patience, mode="min")
    generator = build()
    generator.fit(batches(2), callbacks=[Progress(), early], epochs=3, validation_data=batches(2), verbose=0)
    first, *_ = capsys.readouterr().out.splitlines()
    assert bool(re.search(r" · at most \d+ s left$", first)) == (patience == 1)


class Cell(list):
    """The output of a notebook's cell: the places in it, and what each has shown."""

    def display(self, shown, **how):
        assert how == {"raw": True, "display_id": True}
        self.append([shown])
        return types.SimpleNamespace(update=lambda new, raw: self[-1].append(new))


@pytest.fixture
def cell(monkeypatch):
    outputs = Cell()
    monkeypatch.setattr(notebooks, "is_one", lambda: True)
    monkeypatch.setitem(sys.modules, "IPython.display", types.SimpleNamespace(display=outputs.display))
    return outputs


def test_progress_in_a_notebook_is_one_line_an_epoch_that_changes_in_its_place(cell, monkeypatch, capsys):
    monkeypatch.setattr(callbacks.progress, "_SECONDS", 0)
    fit(build(), batches(3), Progress(), epochs=2)
    assert [len(shown) for shown in cell] == [5, 5]  # the beginning, each batch, the end
    lines = [shown["text/plain"] for shown in cell[1]]
    assert all(line.startswith("epoch 2/2") for line in lines[:-1])
    assert [line.count("━") for line in lines[1:4]] == [6, 13, 20]
    assert lines[3].endswith(" · 0 s left")
    assert re.fullmatch(r"epoch 2/2 · training [^·]+ · [\d,.]+ batches/s", lines[-1])
    assert capsys.readouterr() == ("", "")


def test_the_learning_curve_in_a_notebook_is_one_picture_that_changes(cell):
    curve = LearningCurve(1200)
    fit(build(), batches(3), curve, epochs=2, validation_data=batches(2))
    (pictures,) = cell
    assert len({picture["image/png"] for picture in pictures}) == len(pictures) == 2
    assert pictures[0]["image/png"].startswith(b"\x89PNG")


@given(st.floats(0, 1e6))
def test_a_time_is_said_in_few_digits(seconds):
    number, unit = duration(seconds).split()
    assert abs(float(number) * {"s": 1, "min": 60, "h": 3600}[unit] - seconds) <= max(seconds / 100 * 26, 0.5)
    assert len(number) <= 5


SPLITS = {"character": VOCABULARY, "word": Vocabulary.from_texts([TEXT], split="word")}


@pytest.mark.parametrize(
    ("split", "compiled", "said"),
    [
        ("character", [metrics.NatsPerCharacter(), metrics.BitsPerCharacter()], "1.000 nats (1.443 bits)"),
        ("character", [metrics.BitsPerCharacter()], "2.500 bits per character"),
        ("character", [metrics.Perplexity()], "perplexity 3"),
        ("character", [], "loss 9, extra 4"),
        ("word", [metrics.NatsPerCharacter()], "1.000 nats per word"),
        ("word", [metrics.BitsPerCharacter()], "2.500 bits per word"),
        (
            "word",
            [metrics.NatsPerCharacter(), metrics.BitsPerCharacter(lengths=[1])],
            "1.000 nats per word (2.500 bits per character)",
        ),
    ],
)
def test_units_are_said(split, compiled, said):
    model = types.SimpleNamespace(metrics=compiled, vocabulary=SPLITS[split])
    values = {"nats": 1.0, "bits": 2.5, "perplexity": 3.0}
    logs = {
        "loss": 9.0,
        **{metric.name: values[metric.name] for metric in compiled},
        **({} if compiled else {"extra": 4}),
    }
    both = {**logs, **{f"val_{name}": value + 1 for name, value in logs.items()}}
    assert losses.said(model, both) == said
    assert losses.said(model, logs, "val_") == ""
    assert losses.said(model, both, "val_") != said
