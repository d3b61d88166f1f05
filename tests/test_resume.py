"""A run that was stopped goes on and ends with the same bits; looking at a run changes none of them."""

import functools
import math
import shutil

import keras
import numpy as np
import pytest
from training_support import renewable

from tfgen import TextGenerator, Vocabulary, callbacks, datasets, metrics, networks, training, workers
from tfgen.corpora import Corpus
from tfgen.errors import InputError
from tfgen.fitting import callback_lists, snapshot
from tfgen.support.checkpoints import Checkpoints

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 12
CORPUS = Corpus.from_text(TEXT)
VOCABULARY = Vocabulary.from_texts([TEXT])
STEPS, EPOCHS = 8, 3


class Killed(BaseException):
    """Ends a process as far as this test is concerned."""


class Kill(keras.callbacks.Callback):
    """Counts what happens in a run and ends it at one of these instants."""

    def __init__(self, instant):
        super().__init__()
        self._left = instant

    def _tick(self, *args, **kwargs):
        self._left -= 1
        if self._left < 0:
            raise Killed

    on_train_batch_begin = on_train_batch_end = on_test_batch_end = on_epoch_begin = on_epoch_end = _tick


class Diary(keras.callbacks.Callback):
    """What a user's callback may hold: the true numbers of all batches, over a kill too."""

    resumed = ("pages",)

    def __init__(self):
        super().__init__()
        self.pages = []

    def on_train_batch_begin(self, batch, logs=None):
        self.pages = [*self.pages, (self.params["steps"], batch)]

    def on_train_batch_end(self, batch, logs=None):
        self.pages = [*self.pages, (batch, float(logs["loss"]))]


SHAPES = {
    "deep": {"layers": 2, "weight_drop": 0.2, "batch_size": 4},
    "quick": {"cell": "rnn", "batch_size": 4},
    "windows": {"cell": "transformer", "units": 6, "layers": 1, "heads": 2, "window": 16},
}
OPTIMIZERS = {
    "schedule": lambda: training.optimizer(EPOCHS * STEPS, 0.02),
    "longer schedule": lambda: training.optimizer(2 * EPOCHS * STEPS, 0.02),
    "plain": lambda: keras.optimizers.Adam(0.02),
    "slower": lambda: keras.optimizers.Adam(0.01),
}


@functools.cache
def compiled(shape, optimizer, steps_per_execution, weighted):
    """Gives a generator as it is before its training."""
    keras.utils.set_random_seed(7)
    generator = TextGenerator.build(VOCABULARY, **{"units": 5, "dropout": 0.3, "seed": 3, **SHAPES[shape]})
    generator.compile(
        OPTIMIZERS[optimizer](),
        "sparse_categorical_crossentropy",
        metrics=[metrics.NatsPerCharacter()],
        weighted_metrics=["accuracy"] if weighted else None,
        steps_per_execution=steps_per_execution,
    )
    return renewable(generator)


def build(shape="deep", optimizer="schedule", steps_per_execution=1, weighted=False):
    """A generator as a process makes it: what a run has left in it is gone."""
    generator = compiled(shape, optimizer, steps_per_execution, weighted)()
    keras.utils.set_random_seed(7)
    return generator


@functools.cache
def cut(shape):
    of_shape = datasets.windows if shape == "windows" else datasets.streams
    return of_shape(CORPUS, VOCABULARY, batch_size=4, length=16, validation=0.1)


def batches(shape="deep"):
    """Training and validation batches, of which no epoch has been read."""
    for dataset in cut(shape):
        datasets.course_of(dataset).begin_at(0)
    return cut(shape)


def run(folder=None, kill=None, shape="quick", every=3, epochs=EPOCHS, more=(), nested=lambda each: each, **how):
    """One process: everything is as new; gives all that a run leaves, or nothing if it was killed."""
    generator, (train, validation) = build(shape, **how), batches(shape)
    assert len(train) == STEPS
    texts, curve, diary = [], callbacks.LearningCurve(1000), Diary()
    watching = [
        curve,
        diary,
        callbacks.StopOnNaN(every=4),
        keras.callbacks.EarlyStopping("val_nats", mode="min", patience=9, restore_best_weights=True),
        *(make() for make in more),
    ]
    if shape == "deep":
        watching.append(callbacks.SampleText(["the "], length=5, every=5, show=texts.append))
    if folder is not None:
        best = folder / "best.keras"
        watching.append(keras.callbacks.ModelCheckpoint(best, "val_nats", mode="min", save_best_only=True))
        watching.insert(0, callbacks.Resume(folder / "run", every))
    if kill is not None:
        watching.append(Kill(kill))
    try:
        history = generator.fit(train, validation_data=validation, epochs=epochs, callbacks=nested(watching), verbose=0)
    except Killed:
        return None
    return {
        "variables": snapshot.capture(generator, [])["variables"],
        "history": (history.history, history.epoch),
        "curve": (curve.training, curve.validation),
        "diary": diary.pages,
        "samples": texts,
    }


def assert_same(one, other):
    for name in ("history", "curve", "diary"):
        assert one[name] == other[name], name
    for a, b in zip(one["variables"], other["variables"], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_as_if_it_had_never_stopped(tmp_path):
    # Before the first batch, in two epochs, while validating, and at the end of an epoch after two more batches.
    for instant in (0, 8, 22, 11, 6):
        assert run(tmp_path, instant, "deep") is None
    whole, done = run(shape="deep"), run(tmp_path, shape="deep")
    assert_same(whole, done)
    assert whole["samples"][-len(done["samples"]) :] == done["samples"]
    assert len(list((tmp_path / "run").glob("*.npz"))) == 2
    # The end of a run stays: the same command gives it again.
    assert_same(whole, run(tmp_path, shape="deep"))


@pytest.mark.slow
def test_shuffled_windows_are_read_in_the_order_of_their_epoch(tmp_path):
    assert run(tmp_path, 30, "windows") is None
    assert Checkpoints(tmp_path / "run").latest().state["epoch"] == 1
    assert_same(not_stopped(shape="windows"), run(tmp_path, shape="windows"))


@pytest.mark.slow
@pytest.mark.parametrize(("steps", "position"), [(2, (0, 4)), (3, (0, 0))])
def test_several_steps_in_one_execution_keep_their_numbers(tmp_path, steps, position):
    assert run(tmp_path, 5, steps_per_execution=steps) is None
    state = Checkpoints(tmp_path / "run").latest().state
    assert (state["epoch"], state["step"]) == position
    assert_same(run(steps_per_execution=steps), run(tmp_path, steps_per_execution=steps))


@pytest.mark.slow
def test_keras_own_callbacks_keep_their_state_beside_a_plain_learning_rate(tmp_path):
    def run_with(folder=None, kill=None):
        more = (
            lambda: keras.callbacks.ReduceLROnPlateau("val_nats", 0.5, patience=1, mode="min", min_delta=10),
            lambda: keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
        )
        return run(folder, kill, more=more, optimizer="plain")

    assert run_with(tmp_path, 25) is None
    whole, done = run_with(), run_with(tmp_path)
    assert_same(whole, done)
    assert len(set(whole["history"][0]["learning_rate"])) == EPOCHS


class Counting(keras.callbacks.CallbackList):
    """A user's own list, which sees all that happens and keeps a number over a kill."""

    resumed = ("batches",)
    batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1
        super().on_train_batch_end(batch, logs)


NESTED = {
    "lists in lists": lambda each: [each[:2], [[each[2]], (), each[3:]]],
    "a CallbackList": lambda each: keras.callbacks.CallbackList(each, add_history=True, epochs=1, steps=1),
    "a subclass": Counting,
    "one in another": lambda each: Counting([keras.callbacks.CallbackList(each[:3]), *each[3:]]),
    "several in a list": lambda each: [Counting(each[:1]), keras.callbacks.CallbackList(each[1:4]), Counting(each[4:])],
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", NESTED)
def test_callbacks_may_be_nested_as_keras_lets_them(tmp_path, kind):
    lists = []

    def nested(each):
        made = NESTED[kind](each)
        lists.append([of for of in callback_lists.every(made) if isinstance(of, Counting)])
        return made

    assert run(tmp_path, 15, nested=nested) is None
    assert Checkpoints(tmp_path / "run").latest().state["step"] == 6
    assert_same(not_stopped(), run(tmp_path, nested=nested))
    assert all(counting.batches == EPOCHS * STEPS for counting in lists[-1])


@pytest.mark.slow
def test_a_run_may_go_on_with_its_callbacks_nested_otherwise(tmp_path):
    assert run(tmp_path, 15, nested=NESTED["several in a list"]) is None
    assert run(tmp_path, 9, nested=keras.callbacks.CallbackList) is None
    assert Checkpoints(tmp_path / "run").latest().state["epoch"] == 1
    assert_same(not_stopped(), run(tmp_path))


@functools.cache
def not_stopped(**how):
    """What a run gives that was never stopped."""
    return run(**how)


@pytest.mark.slow
def test_a_callback_list_is_left_as_it_was(tmp_path):
    listed = keras.callbacks.CallbackList([callbacks.Resume(tmp_path)], add_history=True)
    before = [*listed.callbacks]
    for epochs in (1, 2):
        history = build("quick").fit(batches()[0], epochs=epochs, callbacks=listed, verbose=0)
        assert history.epoch == [*range(epochs)]
        assert listed.callbacks == before


class Box(keras.callbacks.Callback):
    """A container that tfgen cannot know."""

    def __init__(self, held):
        super().__init__()
        self._held = held

    def on_train_begin(self, logs=None):
        self._held.set_model(self.model)
        self._held.on_train_begin(logs)


def test_a_resume_that_could_do_nothing_is_refused(tmp_path):
    resume = callbacks.Resume(tmp_path / "run")
    with pytest.raises(InputError, match=r"Resume must be .*received the training of a TextGenerator that does not"):
        build("quick").fit(batches()[0], callbacks=[Box(resume)], verbose=0)
    plain = keras.Sequential([keras.layers.Dense(1)])
    plain.compile("sgd", "mse")
    with pytest.raises(InputError, match=r"Resume must be .*received the training of a Sequential"):
        plain.fit(np.zeros((2, 2)), np.zeros(2), callbacks=[resume], verbose=0)
    for wrong, received in ((callbacks.Resume, "the class Resume"), ("Resume", "str"), (iter([resume]), "list_iter")):
        for callbacks_ in (wrong, [wrong], keras.callbacks.CallbackList([wrong])):
            with pytest.raises(InputError, match=f"instances of keras.callbacks.Callback; received {received}"):
                build("quick").fit(batches()[0], callbacks=callbacks_, verbose=0)
    assert list(tmp_path.iterdir()) == []


class Around(keras.callbacks.Callback):
    """A user's own callback that runs around `fit`."""

    def __init__(self, name, diary):
        super().__init__()
        self._name, self._diary = name, diary

    def run_around_fit(self, fit, model, **arguments):
        self._diary.append(f"{self._name} begins")
        result = fit(**{**arguments, "epochs": arguments["epochs"] + 1})
        self._diary.append(f"{self._name} ends")
        return result


@pytest.mark.slow
def test_any_callback_may_run_around_fit_the_first_one_outermost():
    diary = []
    around = [Around("a", diary), keras.callbacks.CallbackList([Around("b", diary)])]
    assert build("quick").fit(batches()[0], epochs=1, callbacks=around, verbose=0).epoch == [0, 1, 2]
    assert diary == ["a begins", "b begins", "b ends", "a ends"]


@pytest.mark.slow
def test_more_epochs_go_on_where_fewer_ended(tmp_path):
    run(tmp_path, epochs=2, optimizer="plain")
    longer = run(tmp_path, epochs=3, optimizer="plain")
    assert_same(not_stopped(optimizer="plain"), longer)


@pytest.mark.slow
def test_a_schedule_may_be_of_another_length_if_the_number_of_epochs_is_another(begun):
    before = Checkpoints(begun).latest().state["identity"]
    generator = build("quick", "longer schedule")
    now = snapshot.identity(generator, datasets.course_of(batches()[0]))
    differ = snapshot.differences(before, now, new_length=False, new_rate=False)
    assert [each.split(" was ")[0] for each in differ] == [
        "optimizer.learning_rate.decay_steps",
        "optimizer.learning_rate.warmup_steps",
    ]
    assert snapshot.differences(before, now, new_length=True, new_rate=False) == []


@pytest.mark.slow
def test_what_callbacks_have_stopped_stays_stopped(tmp_path):
    class StopAt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = epoch == 0

    first = run(tmp_path, more=(StopAt,))
    assert first["history"][1] == [0]
    assert_same(first, run(tmp_path, more=(StopAt,), epochs=7))
    assert_same(first, run(tmp_path, more=(StopAt,), epochs=9))


def test_a_checkpoint_whose_weights_turn_out_bad_is_removed(tmp_path):
    class Poison(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 6:
                self.model.set_weights([np.full_like(each, np.nan) for each in self.model.get_weights()])

    done = run(tmp_path, more=(Poison,), every=1)
    state = Checkpoints(tmp_path / "run").latest().state
    assert (state["epoch"], state["step"]) == (0, 6)
    assert all(np.isfinite(each).all() for each in state["variables"])
    assert math.isnan(done["history"][0]["loss"][-1])


@pytest.mark.slow
def test_another_rate_from_the_last_checkpoint_on(tmp_path):
    def fit(optimizer, **options):
        generator = build("quick", optimizer)
        train, _ = batches()
        resume = callbacks.Resume(tmp_path, **options)
        generator.fit(train, epochs=2, callbacks=[resume, *([Kill(12)] if optimizer == "plain" else [])], verbose=0)
        return float(generator.optimizer.learning_rate)

    with pytest.raises(Killed):
        fit("plain", every=4)
    with pytest.raises(InputError, match=r"learning_rate was 0.0\d+ and is now 0.0\d+"):
        fit("slower")
    assert fit("slower", new_rate=True) == pytest.approx(0.01)
    assert fit("slower") == pytest.approx(0.01)


@pytest.fixture(name="begun", scope="module")
def begun_fixture(tmp_path_factory):
    """The directory of a run that was stopped after some batches."""
    folder = tmp_path_factory.mktemp("begun")
    assert run(folder, 15) is None
    return folder / "run"


OTHER = "the quick brown fox jumps over the lazy cat.\n" * 12
CHANGES = {
    "another text": (r"batches was 'sha256 \w+' and is now 'sha256", {"text": OTHER}),
    "another length": ("batches an epoch was 8 and is now 10", {"length": 13}),
    "more units": ("units was 5 and is now 6", {"units": 6}),
    "another dropout": (r"rate was 0\.3 and is now 0\.4", {"dropout": 0.4}),
    "another seed": ("seed was 3 and is now 4", {"seed": 4}),
    "another optimizer": (r"optimizer\.class_name was 'Adam' and is now 'SGD'", {"optimizer": "sgd"}),
    "another schedule": (r"warmup_target was 0\.02 and is now 0\.03", {"rate": 0.03}),
    "other metrics": (r"metrics\.\d was", {"metrics": []}),
    "another restart": (r"restart was 0\.1 and is now 0", {"restart": 0}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_must_not_change_is_named_with_both_values(begun, change):
    message, new = CHANGES[change]
    files = sorted(begun.iterdir())
    shape = {**SHAPES["quick"], "units": 5, "dropout": 0.3, "seed": 3, "restart": 0.1}
    generator = TextGenerator.build(VOCABULARY, **{name: new.get(name, value) for name, value in shape.items()})
    optimizer = new.get("optimizer") or training.optimizer(EPOCHS * STEPS, new.get("rate", 0.02))
    judged = new.get("metrics", [metrics.NatsPerCharacter()])
    generator.compile(optimizer, "sparse_categorical_crossentropy", metrics=judged)
    text = Corpus.from_text(new.get("text", TEXT))
    train, _ = datasets.streams(text, VOCABULARY, batch_size=4, length=new.get("length", 16))
    with pytest.raises(InputError, match=message):
        generator.fit(train, epochs=EPOCHS, callbacks=[callbacks.Resume(begun)], verbose=0)
    assert sorted(begun.iterdir()) == files


@pytest.mark.slow
def test_a_damaged_checkpoint_costs_some_batches_and_a_warning(begun, tmp_path):
    for path in begun.glob("*.npz"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    last = max(tmp_path.iterdir())
    last.write_bytes(last.read_bytes()[:-9])
    generator = build("quick")
    with pytest.warns(UserWarning, match=f"{last.name}.*damaged"):
        generator.fit(batches()[0], epochs=EPOCHS, callbacks=[callbacks.Resume(tmp_path)], verbose=0)
    weights = generator.get_weights()
    alone = build("quick")
    alone.fit(batches()[0], epochs=EPOCHS, verbose=0)
    for a, b in zip(weights, alone.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_other_numbers_of_threads_and_workers_than_before_are_said(begun, tmp_path, monkeypatch):
    before = {**Checkpoints(begun).latest().state, "computed_with": snapshot.computed_with(workers.Workers(3, 1000))}
    Checkpoints(tmp_path).save(before)
    monkeypatch.setenv("TF_NUM_INTEROP_THREADS", "77")
    said = "at once, 1000 workers and goes on with .*, 77 operations at once: its numbers may differ"
    with (
        pytest.warns(UserWarning, match=said),
        pytest.raises(Killed),
    ):
        build("quick").fit(batches()[0], epochs=EPOCHS, callbacks=[callbacks.Resume(tmp_path), Kill(0)], verbose=0)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({}, "another version"),
        ([1], "another version"),
        ({"format": 1}, "nothing of 'identity'"),
        ({"format": 2, "identity": {}}, "another version"),
    ],
)
def test_a_checkpoint_of_something_else_is_refused(tmp_path, state, message):
    Checkpoints(tmp_path).save(state)
    with pytest.raises(InputError, match=message):
        build().fit(batches()[0], callbacks=[callbacks.Resume(tmp_path)], verbose=0)


@pytest.mark.slow
def test_checkpoints_that_are_removed_during_a_run_are_written_anew(tmp_path):
    class Remove(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            shutil.rmtree(tmp_path / "run")

    assert run(tmp_path, 30, more=(Remove,)) is None
    assert Checkpoints(tmp_path / "run").latest().state["epoch"] == 1
    assert_same(not_stopped(), run(tmp_path))


def test_batches_that_cannot_begin_anywhere_are_refused(tmp_path):
    train, _ = batches()
    resume = callbacks.Resume(tmp_path / "run")
    backup = keras.callbacks.BackupAndRestore(tmp_path / "backup")
    for wrong, options, message in [
        (train.take(3), {}, "a dataset of tfgen.datasets as it is; received _TakeDataset"),
        (np.zeros((4, 15), np.int32), {"y": np.zeros((4, 15), np.int32)}, "received ndarray"),
        (train, {"steps_per_epoch": 4}, "steps_per_epoch=4"),
        (train, {"callbacks": [resume, callbacks.Resume(tmp_path)]}, "one Resume"),
        (train, {"callbacks": [resume, keras.callbacks.CallbackList([resume])]}, "one Resume"),
        (train, {"callbacks": keras.callbacks.CallbackList([resume, backup])}, "one Resume"),
    ]:
        with pytest.raises(InputError, match=message):
            build().fit(wrong, **{"callbacks": [resume], "verbose": 0, **options})
    for every in (0, -1, 1.5, True, None):
        with pytest.raises(InputError, match="every must be a whole number of at least 1"):
            callbacks.Resume(tmp_path, every)
    assert list(tmp_path.iterdir()) == []


LOOKING = {
    "validation": lambda folder, validation: {"validation_data": validation},
    "samples": lambda folder, validation: {"callbacks": [callbacks.SampleText(["t"], length=3, every=2, show=id)]},
    "metrics, curves and guards": lambda folder, validation: {
        "callbacks": [callbacks.LearningCurve(100, 7), callbacks.StopOnNaN(2)],
        "weighted": True,
    },
    "checkpoints": lambda folder, validation: {
        "callbacks": [callbacks.Resume(folder, 2), keras.callbacks.ModelCheckpoint(folder / "m.keras", save_freq=5)]
    },
    "everything a user may call": lambda folder, validation: {
        "callbacks": [Looks(validation)],
        "validation_data": validation,
    },
}


class Looks(keras.callbacks.Callback):
    """Evaluates, predicts, scores, writes and copies in the middle of an epoch."""

    def __init__(self, validation):
        super().__init__()
        self._validation = validation

    def on_train_batch_end(self, batch, logs=None):
        if batch == 4:
            self.model.evaluate(self._validation, verbose=0)
            self.model.predict(self._validation, verbose=0)
            self.model.score("the dog")
            self.model.generate("the ", length=3)
            self.model.start("the ", seed=2).generate(3)
            list(self.model.stream("the ", length=3))
            self.model.with_batch_size(3)


@functools.cache
def not_looked_at():
    return weights_after({})


def weights_after(options, weighted=False):
    generator = build(weighted=weighted)
    generator.fit(batches()[0], epochs=2, verbose=0, **options)
    of_metrics = {id(variable) for variable in generator.metrics_variables}
    learned = [variable for variable in generator.variables if id(variable) not in of_metrics]
    every = [*learned, *generator.optimizer.variables, *networks.training_state(generator.network)]
    return [variable.numpy() for variable in every]


# One that does it all, and in the whole run one after another.
@pytest.mark.parametrize(
    "kind", [pytest.param(each, marks=() if each.startswith("everything") else pytest.mark.slow) for each in LOOKING]
)
def test_looking_changes_nothing(tmp_path, kind):
    options = LOOKING[kind](tmp_path, batches()[1])
    weighted = options.pop("weighted", False)
    for looked, alone in zip(weights_after(options, weighted), not_looked_at(), strict=True):
        np.testing.assert_array_equal(looked, alone)
