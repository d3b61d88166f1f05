"""The state that a stateful network carries while it trains: it begins each epoch at zero, and nobody else moves it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfgen import datasets, networks
from tfgen.errors import InputError
from tfgen.fitting import carried_state
from tfgen.metrics import NatsPerCharacter
from tfgen.text_generator import TextGenerator
from tfgen.vocabulary.vocabulary import Vocabulary

TEXT = SimpleNamespace(documents=["the cat sat on the hat " * 5], ends=False)
VOCABULARY = Vocabulary.from_corpus(TEXT)
B, T = 2, 6
EVEN = 5  # divides the length of a row of the training part: batches of one length can be one array
ROWS = np.full((5, 3), 4, np.int32)  # not to be had in batches of 2


def stateful(restart: float = 0.0, batch_size: int | None = B, **settings: Any) -> TextGenerator:
    generator = TextGenerator.build(VOCABULARY, units=4, batch_size=batch_size, restart=restart, seed=3, **settings)
    return compiled(generator, keras.optimizers.SGD(0.01, momentum=0.9))


def compiled(generator: TextGenerator, optimizer: Any) -> TextGenerator:
    generator.compile(optimizer, "sparse_categorical_crossentropy", metrics=[NatsPerCharacter()])
    return generator


def streams(batch_size: int = B, length: int = T) -> tuple[Any, Any]:
    return datasets.streams(TEXT, VOCABULARY, batch_size=batch_size, length=length, validation=0.3)


def state_of(generator: TextGenerator) -> list[np.ndarray]:
    return [variable.numpy() for variable in networks.training_state(generator.network)]


def moved(generator: TextGenerator) -> list[np.ndarray]:
    """Give the generator a state that is nowhere zero."""
    for number, variable in enumerate(networks.training_state(generator.network), 1):
        variable.assign(tf.random.stateless_uniform(variable.shape, [number, 0], 0.1, 0.9))
    return state_of(generator)


def learned(generator: TextGenerator) -> list[np.ndarray]:
    return [*generator.get_weights(), *(variable.numpy() for variable in generator.optimizer.variables)]


@pytest.fixture(scope="module")
def generator() -> TextGenerator:
    """A trained one; tests leave its weights as they are."""
    generator = stateful(layers=2)
    generator.fit(streams()[0], verbose=0)
    return generator


# Epochs


def test_each_epoch_of_fit_begins_at_zero() -> None:
    at_first_batch, at_epoch_end = [], []
    generator = compiled(stateful(), keras.optimizers.SGD(0.0))
    watch = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda batch, logs: batch or at_first_batch.append(state_of(generator)),
        on_epoch_end=lambda epoch, logs: at_epoch_end.append(state_of(generator)),
    )
    moved(generator)
    history = generator.fit(streams()[0], epochs=3, callbacks=watch, verbose=0).history
    assert len(at_first_batch) == len(at_epoch_end) == 3
    assert not np.any(at_first_batch)
    assert np.all(np.any(at_epoch_end, axis=-1)), "the state was carried through the epoch"
    assert len(set(history["nats"])) == 1, "nothing is learned at rate 0, so that all epochs are alike"


def nats_at_rate_0(length: int, **settings: Any) -> float:
    generator = compiled(stateful(**settings), keras.optimizers.SGD(0.0))
    training, _ = streams(length=length)
    return generator.fit(training, verbose=0).history["nats"][0]


@pytest.mark.slow
def test_without_restart_many_short_batches_cost_what_one_long_batch_does() -> None:
    assert [streams(length=length)[0].cardinality() for length in (5, 40)] == [8, 1]
    assert nats_at_rate_0(5) == pytest.approx(nats_at_rate_0(40), rel=1e-6)


@pytest.mark.slow
def test_with_restart_1_a_stateful_network_trains_as_a_stateless_one() -> None:
    restarting, stateless = stateful(restart=1.0), stateful(batch_size=None)
    for generator in (restarting, stateless):
        generator.fit(streams()[0], verbose=0)
    for own, other in zip(restarting.get_weights(), stateless.get_weights(), strict=True):
        np.testing.assert_allclose(own, other, rtol=0, atol=1e-6)
    assert nats_at_rate_0(5, restart=1.0) != pytest.approx(nats_at_rate_0(5), rel=1e-6), "the state matters"


# Who may touch the state

READERS = {
    "evaluate": lambda generator: generator.evaluate(streams()[1], verbose=0),
    "predict": lambda generator: [*map(np.array, generator.predict(streams()[1], verbose=0))],
    "generate": lambda generator: generator.generate("the", length=5, seed=1),
    "stream": lambda generator: list(generator.stream("the", length=5, seed=1)),
    "score": lambda generator: generator.score("the hat"),
    "with_batch_size": lambda generator: generator.with_batch_size(3),
}


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_a_reader_leaves_state_and_weights_as_they_are(generator: TextGenerator, reader: str) -> None:
    state, before = moved(generator), learned(generator)
    READERS[reader](generator)
    np.testing.assert_equal(state_of(generator), state)
    np.testing.assert_equal(learned(generator), before)


@pytest.mark.parametrize("reader", [reader for reader in READERS if reader != "with_batch_size"])
def test_a_reader_begins_at_zero_whatever_the_state(generator: TextGenerator, reader: str) -> None:
    moved(generator)
    with_state = READERS[reader](generator)
    carried_state.reset(generator.network)
    from_zero = READERS[reader](generator)
    if reader == "score":
        with_state, from_zero = (score.log_probabilities.tolist() for score in (with_state, from_zero))
    np.testing.assert_equal(with_state, from_zero)


def test_the_state_is_put_back_even_after_an_error(generator: TextGenerator) -> None:
    state = moved(generator)
    with pytest.raises(InputError, match="a batch has another number"):
        generator.evaluate(Batches(), verbose=0)
    np.testing.assert_equal(state_of(generator), state)


# Rows that start again

MANY = 400


@pytest.fixture(scope="module")
def many_rows() -> keras.Sequential:
    return networks.build(8, units=2, layers=2, batch_size=MANY)


def restarted(network: keras.Sequential, probability: float, step: Any, restart: Callable[..., Any]) -> np.ndarray:
    """Which rows went to zero; the others stayed as they were."""
    variables = networks.training_state(network)
    assert len(variables) == 4
    for variable in variables:
        variable.assign(np.random.default_rng(0).uniform(1, 2, variable.shape))
    before = [variable.numpy() for variable in variables]
    restart(network, probability, step)
    zeroed = np.all(variables[0].numpy() == 0, axis=1)
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_equal(variable.numpy(), np.where(zeroed[:, np.newaxis], 0, value))
    return zeroed


@pytest.mark.parametrize("probability", [0, 0.0, 0.1, 0.5, 0.9, 1, 1.0])
def test_each_row_starts_again_with_the_given_probability(many_rows: keras.Sequential, probability: float) -> None:
    steps = range(20)
    share = np.mean([restarted(many_rows, probability, step, carried_state.restart_rows) for step in steps])
    if probability in (0, 1):
        assert share == probability
    else:
        assert share == pytest.approx(probability, abs=0.03)  # more than 5 standard deviations of 8000 draws


def test_which_rows_start_again_is_a_function_of_the_step_alone(many_rows: keras.Sequential) -> None:
    in_graph = tf.function(lambda step: carried_state.restart_rows(many_rows, 0.3, step))
    other = networks.build(5, cell="gru", units=3, layers=4, batch_size=MANY)
    chosen = [restarted(many_rows, 0.3, step, carried_state.restart_rows) for step in range(5)]
    assert len({rows.tobytes() for rows in chosen}) == 5, "each step chooses others"
    for step, rows in enumerate(chosen):
        compiled_ = restarted(many_rows, 0.3, tf.constant(step), lambda network, probability, step: in_graph(step))
        np.testing.assert_equal(compiled_, rows)
        np.testing.assert_equal(restarted(other, 0.3, step, carried_state.restart_rows), rows)


def test_a_stateless_network_has_nothing_to_restart() -> None:
    carried_state.restart_rows(networks.build(8, units=2), 0.5, tf.constant(0))


# The order of rows


def ordered() -> tuple[Any, np.ndarray, np.ndarray]:
    """The same batches as a dataset and as arrays."""
    training, _ = streams(length=EVEN)
    batches = list(training.as_numpy_iterator())
    return training, *(np.concatenate([batch[i] for batch in batches]) for i in (0, 1))


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"batch_size": B}, {"shuffle": False}])
def test_arrays_are_read_in_order_as_a_dataset_is(options: dict[str, Any]) -> None:
    training, x, y = ordered()
    one, other = stateful(), stateful()
    history = one.fit(training, epochs=2, verbose=0).history
    assert other.fit(x, y, epochs=2, verbose=0, **options).history == history
    assert other.evaluate(x, y, verbose=0) == one.evaluate(training, verbose=0)
    np.testing.assert_equal(learned(other), learned(one))


@pytest.mark.parametrize("shuffle", [True, "batch", 1])
def test_shuffled_rows_are_refused(generator: TextGenerator, shuffle: Any) -> None:
    _, x, y = ordered()
    with pytest.raises(InputError, match=r"shuffled rows do not continue; received shuffle="):
        generator.fit(x, y, shuffle=shuffle, verbose=0)


@pytest.mark.slow
def test_a_network_that_carries_nothing_shuffles_as_keras_does() -> None:
    _, x, y = ordered()
    one, other = stateful(batch_size=None), stateful(batch_size=None)
    keras.utils.set_random_seed(1)
    one.fit(x, y, batch_size=B, verbose=0)
    other.fit(x, y, batch_size=B, shuffle=False, verbose=0)
    assert any(not np.array_equal(a, b) for a, b in zip(learned(one), learned(other), strict=True))


# Batches of another size


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return ROWS, ROWS


@pytest.mark.parametrize(
    "attempt",
    [
        lambda generator: generator.fit(ROWS, ROWS, verbose=0),
        lambda generator: generator.fit(ROWS[:4], ROWS[:4], batch_size=4, verbose=0),
        lambda generator: generator.fit(ROWS[:4], ROWS[:4], validation_split=0.25, verbose=0),
        lambda generator: generator.fit(ROWS[:4], ROWS[:4], validation_data=(ROWS, ROWS), verbose=0),
        lambda generator: generator.fit(tf.constant(ROWS), tf.constant(ROWS), verbose=0),
        lambda generator: generator.fit(Batches(), verbose=0),
        lambda generator: generator.fit(((ROWS, ROWS) for _ in range(1)), verbose=0),
        lambda generator: generator.evaluate(ROWS, ROWS, verbose=0),
        lambda generator: generator.predict(ROWS, verbose=0),
        lambda generator: generator.train_on_batch(ROWS, ROWS),
        lambda generator: generator.test_on_batch(ROWS, ROWS),
        lambda generator: generator.predict_on_batch(ROWS),
    ],
)
def test_a_batch_of_another_size_is_one_line_however_it_comes(generator: TextGenerator, attempt: Any) -> None:
    with pytest.raises(InputError, match=r"^the network carries the state of batch_size 2 rows, but .*\.$"):
        attempt(generator)


def test_fit_names_a_wrong_batch_size(generator: TextGenerator) -> None:
    with pytest.raises(InputError, match=r"batch_size 2 rows, but the batches have 3 rows.*with_batch_size\(3\)"):
        generator.fit(streams(batch_size=3)[0], verbose=0)
    windows, _ = datasets.windows(TEXT, VOCABULARY, batch_size=2, length=T)
    with pytest.raises(InputError, match="batch_size 2 rows, but the batches have no fixed number of rows"):
        generator.fit(windows, verbose=0)


@pytest.mark.parametrize(
    "use",
    [
        lambda generator: generator(ROWS),
        lambda generator: generator(ROWS[:1]),
        lambda generator: generator.predict(ROWS, batch_size=2, verbose=0),
        lambda generator: generator.evaluate(ROWS, ROWS, batch_size=2, verbose=0),
        lambda generator: generator.evaluate(streams(batch_size=3)[1], verbose=0),
        lambda generator: generator.fit(ROWS, ROWS, batch_size=2, verbose=0),
        lambda generator: generator.fit(streams()[0], validation_data=streams(batch_size=3)[1], verbose=0),
    ],
    ids=["call", "call-of-one", "predict", "evaluate", "evaluate-streams", "fit", "validation"],
)
def test_a_wrong_batch_is_an_error_everywhere(use: Callable[[TextGenerator], Any]) -> None:
    # Where the wrong size is known beforehand, Keras is first to say so.
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=r"(?i)batch.size\W+2\b"):
        use(stateful())


def test_keras_alone_broadcasts_a_wrong_batch_in_silence() -> None:
    # The day this fails, Keras has mended it, and our own check may go.
    assert stateful().network.predict(ROWS, batch_size=2, verbose=0).shape[0] == 6


def test_a_stateless_network_takes_batches_of_any_size() -> None:
    generator = stateful(batch_size=None)
    assert generator(ROWS).shape == (5, 3, len(VOCABULARY))
    assert generator(ROWS[:1]).shape == (1, 3, len(VOCABULARY))


# Changing the batch size


@pytest.mark.parametrize("batch_size", [2, 5, None])
def test_with_batch_size_copies_all_that_was_learned(generator: TextGenerator, batch_size: int | None) -> None:
    generator.optimizer.learning_rate.assign(0.0625)
    twin = generator.with_batch_size(batch_size)
    np.testing.assert_equal(learned(twin), learned(generator))
    assert twin.optimizer.iterations.numpy() == generator.optimizer.iterations.numpy() > 0
    assert float(twin.optimizer.learning_rate) == 0.0625
    assert twin.network.input_shape == (batch_size, None)
    assert [state.shape[0] for state in networks.training_state(twin.network)] == [batch_size] * 4 * bool(batch_size)
    assert twin.vocabulary is generator.vocabulary
    assert (twin.provenance, twin.restart, twin.name) == (generator.provenance, generator.restart, generator.name)


@pytest.mark.slow
def test_with_batch_size_gives_a_model_of_its_own(generator: TextGenerator) -> None:
    before = learned(generator)
    twin = generator.with_batch_size(3)
    history = twin.fit(streams(batch_size=3)[0], verbose=0).history
    assert set(history) == {"loss", "nats"}
    assert twin.optimizer.iterations.numpy() == generator.optimizer.iterations.numpy() + len(streams(batch_size=3)[0])
    np.testing.assert_equal(learned(generator), before)


@pytest.mark.slow
def test_a_copy_trains_on_as_the_original_does() -> None:
    original = stateful(restart=0.3)
    original.fit(streams()[0], verbose=0)
    copy = original.with_batch_size(B)
    for generator in (original, copy):
        generator.fit(streams()[0], verbose=0)
    np.testing.assert_equal(learned(copy), learned(original))


def test_what_was_not_trained_or_not_compiled_can_be_copied_too() -> None:
    untrained = stateful().with_batch_size(3)
    assert untrained.compiled
    assert untrained.optimizer.iterations.numpy() == 0
    assert not TextGenerator.build(VOCABULARY, units=4, batch_size=2).with_batch_size(3).compiled
