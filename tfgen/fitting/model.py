"""What a Keras model must do beside Keras' own to train a recurrent network on text rightly.

Axis letters: B batch, T time, V vocabulary.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import re
import warnings
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tfgen.errors import InputError, check_instance, real_number, whole_number
from tfgen.fitting import callback_lists, carried_state, ids, shared_steps, snapshot, together
from tfgen.networks import chain, kinds
from tfgen.networks.source_shapes import looked_up
from tfgen.support import forks, wording
from tfgen.vocabulary.vocabulary import PADDING
from tfgen.workers import ALONE, Workers

_CARRIES = "the network carries the state of batch_size"


class TrainingModel(keras.Model):
    """Trains a network from ids (B, T) to probabilities (B, T, V), which may be stateful or have an encoder before it.

    `compile` and `fit` are Keras' own, save that the rows of a stateful network are never shuffled. Padding (target 0)
    counts in no loss; the state that a stateful network carries begins each epoch at zero and is kept from evaluation;
    now and then a row starts from the zero state; batches of a wrong size are refused.

    Attributes:
        network: The plain Sequential, or a `tfgen.networks.EncoderDecoder`.
    """

    def __init__(self, network: kinds.Network, restart: float, **kwargs: Any) -> None:
        """Take the network, and the chance that a row of a training batch starts from the zero state.

        Raises:
            InputError: `restart` is no probability, or Keras runs on something else than TensorFlow.
        """
        forks.check()
        super().__init__(**kwargs)
        if keras.backend.backend() != "tensorflow":
            raise InputError(
                f"tfgen computes with TensorFlow, and Keras was imported with {keras.backend.backend()!r}: set "
                "KERAS_BACKEND=tensorflow before that."
            )
        self.network = network
        self._gives_logits = kinds.gives_logits(network)
        self._restart = real_number("restart", restart, at_least=0, at_most=1)
        self._workers = ALONE

    @property
    def restart(self) -> float:
        """The chance that a row of a training batch starts from the zero state."""
        return self._restart

    @property
    def workers(self) -> Workers:
        """With whom this process trains the model, each on its rows of every batch; one alone at first.

        Set it to what `tfgen.workers.join` gives, in each of them: `fit` and `evaluate` then do together what one
        process would do. Callbacks that only show or write are the chief's. It is no part of what is saved.
        """
        return self._workers

    @workers.setter
    def workers(self, workers: Workers) -> None:
        check_instance("workers", workers, Workers, "what tfgen.workers.join gives")
        rows = self._rows()
        if rows is not None and rows % workers.size:
            raise InputError(
                f"the network carries the state of {rows} rows, which {workers.size} workers cannot share: give a "
                f"batch_size that is a multiple of {workers.size}."
            )
        if self._workers.size != workers.size:
            carried_state.share(self.network, workers.size)
        self._workers = workers
        # What was traced knows the rows, and the sums, of the workers before.
        self.train_function = self.test_function = self.predict_function = None

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Map ids (B, T), or (source, ids), to probabilities of each next token (B, T, V), as Keras does for `fit`."""
        expected = self._rows()
        if expected is not None:
            # Keras would broadcast the state of a wrong batch in silence.
            received = tf.shape(inputs)[0] * self.workers.size
            message = f"{_CARRIES} {expected}"
            with tf.control_dependencies([tf.debugging.assert_equal(received, expected, message)]):
                inputs = tf.identity(inputs)
        given = chain.applied(self.network, inputs, training)
        (given,) = keras.tree.flatten(given)  # a Functional model may have its one output in a list
        # Keras' losses take the logits from the softmax, with from_logits=True and without.
        return keras.activations.softmax(given) if self._gives_logits else given

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Average the compiled loss over real targets: padding weighs nothing, the rest makes up for it."""
        y = None if y is None else tf.convert_to_tensor(y)
        real = _real_targets(y, sample_weight)
        if real is not None and getattr(self.loss, "reduction", "mean") != "sum":
            share = tf.reduce_mean(tf.cast(tf.cast(y, tf.int32) != PADDING, tf.float32))
            real = tf.math.divide_no_nan(real, share)
        with warnings.catch_warnings():
            if self._gives_logits:  # they are the network's, and are used: what Keras warns of is right
                warnings.filterwarnings("ignore", message=".*from_logits=True.*")
            return super().compute_loss(x, y, y_pred, real, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Update metrics; those compiled as `weighted_metrics` leave padding out, and so do tfgen's own."""
        with warnings.catch_warnings():
            if self._gives_logits:
                warnings.filterwarnings("ignore", message=".*from_logits=True.*")
            return super().compute_metrics(x, y, y_pred, _real_targets(y, sample_weight))

    def make_train_function(self, force: bool = False) -> Any:
        """Make what `fit` calls for each step, and before it the variables of the optimizer.

        Keras makes them in the first step, and TensorFlow then traces the step a second time: that is half of what a
        short training takes.
        """
        if self.compiled and self.trainable_variables and not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        return super().make_train_function(force)

    def train_step(self, data: Any) -> Any:
        """Train on one batch, some rows of it from the zero state."""
        carried_state.restart_rows(self.network, self.restart, self.optimizer.iterations, self.workers)
        if self.distribute_strategy.num_replicas_in_sync > 1:
            return super().train_step(data)
        with _unreduced(self.optimizer):
            return shared_steps.train_step(self, self.workers, data)

    def test_step(self, data: Any) -> Any:
        """Evaluate on one batch."""
        if self.workers.size > 1:
            return shared_steps.test_step(self, self.workers, data)
        return super().test_step(data)

    def summary(self, *args: Any, **kwargs: Any) -> None:
        """Print what `keras.Model.summary` does, and of a stateful network how often its rows begin anew."""
        super().summary(*args, **kwargs)
        if self._rows() is not None:
            (kwargs.get("print_fn") or print)(
                f" restart={self.restart}: the chance that a row of a training batch starts from the zero state"
            )

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Train as `keras.Model.fit` does; each epoch begins at the zero state of a stateful network.

        A callback may have a method `run_around_fit(fit, model, **arguments)`. It is called in the place of `fit` with
        the arguments of `fit`, and calls `fit(**arguments)` itself, with others if it likes. Of several such callbacks
        the first one is the outermost.

        Raises:
            InputError: There are no targets, the batches do not have the batch size of a stateful network, its rows are
                to be shuffled, or the encoder does not take the sources; a callback is none, or the network is none
                that learns, such as counts.
        """
        forks.check()
        kinds.check_learns(self.network)
        given = inspect.signature(super().fit).bind(*args, **kwargs).arguments
        if isinstance(given.get("x"), tf.data.Dataset):
            given.setdefault("shuffle", False)  # Keras ignores it for datasets, and would warn
        _check_targets(given.get("x"), given.get("y"))
        self._keep_order(given)
        self._check_batches(given)
        ids.check(self.network, given.get("x"), given.get("y"))
        validation = given.get("validation_data")
        if validation is not None:
            x = validation[0] if isinstance(validation, (tuple, list)) else validation
            rows = given.get("validation_batch_size") or given.get("batch_size")
            self._check_batches({"x": x, "batch_size": rows})
            ids.check(self.network, *(validation[:2] if isinstance(validation, (tuple, list)) else [x]))
        self._share(given)
        reset = carried_state.ResetEachEpoch(self.network)
        last = [together.EndTogether(self.workers)] if self.workers.size > 1 else []
        given["callbacks"] = callback_lists.around(reset, given.get("callbacks"), last, self)
        fit = super().fit
        for callback in reversed([*callback_lists.every(given["callbacks"])]):
            if hasattr(callback, "run_around_fit"):
                fit = functools.partial(callback.run_around_fit, fit, self)
        with _one_line(), looked_up(), ids.one_line():
            return fit(**given)

    def _share(self, given: dict[str, Any]) -> None:
        """Let `fit` read this worker's rows alone, and begin as all others do."""
        if self.workers.size == 1 or not self.compiled:
            return
        given["x"] = together.shared(given.get("x"), self.workers)
        if given.get("validation_data") is not None:
            given["validation_data"] = together.shared(given["validation_data"], self.workers)
        if not self.workers.is_chief:
            given |= {"callbacks": together.without_those_of_chief(given.get("callbacks")), "verbose": 0}
        self.jit_compile = False  # XLA knows nothing of the others
        together.begin(self, given["x"], self.workers)

    def _keep_order(self, given: dict[str, Any]) -> None:
        """Keep the rows of arrays, which Keras shuffles, in the order in which a carried state must read them."""
        if self._rows() is None or isinstance(given.get("x"), tf.data.Dataset):
            return
        if given.setdefault("shuffle", False) is not False:
            raise InputError(
                "the network carries its state from batch to batch, which shuffled rows do not continue; received "
                f"shuffle={wording.shown(given['shuffle'])}: remove it, or build the network without batch_size."
            )

    def _rows(self) -> int | None:
        """Give the number of rows whose state the network carries; None if it carries none."""
        return kinds.rows_of(self.network)

    def _check_batches(self, given: dict[str, Any]) -> None:
        """Refuse batches of another size than the network's, where that can be seen; arrays get it by default."""
        expected, x = self._rows(), given.get("x")
        if isinstance(x, tf.data.Dataset):
            kinds.check_batches(self.network, x.element_spec)
        if expected is None:
            return
        if not isinstance(x, tf.data.Dataset):
            if arrays := [each for each in tf.nest.flatten(x) if isinstance(each, (np.ndarray, tf.Tensor))]:
                if given.get("batch_size") is None:
                    given["batch_size"] = expected
                self._check_rows(arrays[0].shape[0], given)
            return
        received = tf.nest.flatten(x.element_spec)[0].shape[0]
        if received != expected:
            raise InputError(
                f"the network carries the state of batch_size {expected} rows, but the batches have "
                f"{'no fixed number of' if received is None else received} rows: use datasets.streams with batch_size "
                f"{expected}, or with_batch_size({received}) for another network."
            )

    def _check_rows(self, rows: int, given: dict[str, Any]) -> None:
        """Refuse rows of arrays that are no whole number of the network's batches, or are cut into others."""
        expected, size = self._rows(), whole_number("batch_size", given["batch_size"], 1)
        trained = math.floor(rows * (1 - (given.get("validation_split") or 0)))  # as Keras calculates it
        for part in (trained, rows - trained):
            received = size if part % size == 0 else part % size
            if part and received != expected:
                raise InputError(
                    f"the network carries the state of batch_size {expected} rows, but {wording.number(part, 'row')} "
                    f"in batches of {size} end with one of {received}: give a multiple of {expected} rows and "
                    f"batch_size {expected}, or use with_batch_size(...) for another network."
                )

    def evaluate(self, *args: Any, **kwargs: Any) -> Any:
        """Evaluate as `keras.Model.evaluate` does, from the zero state; the state of training stays as it is.

        Raises:
            InputError: The batches do not have the batch size of a stateful network.
        """
        forks.check()
        given = inspect.signature(super().evaluate).bind(*args, **kwargs).arguments
        options = given.pop("kwargs", {})
        if self.workers.size > 1 and self.compiled:
            given["x"] = together.shared(given.get("x"), self.workers)
            given |= {} if self.workers.is_chief else {"verbose": 0}
            if not all(metric.variables for metric in self.metrics):
                snapshot.build_variables(self)
        else:
            self._check_batches(given)
        ids.check(self.network, given.get("x"), given.get("y"))
        with carried_state.zeroed(self.network), _one_line(), looked_up(), ids.one_line():
            return super().evaluate(**given, **options)

    def predict(self, *args: Any, **kwargs: Any) -> Any:
        """Predict as `keras.Model.predict` does, from the zero state; the state of training stays as it is.

        Raises:
            InputError: The batches do not have the batch size of a stateful network.
        """
        forks.check()
        given = inspect.signature(super().predict).bind(*args, **kwargs).arguments
        self._check_batches(given)
        ids.check(self.network, given.get("x"))
        with carried_state.zeroed(self.network), _one_line():
            return super().predict(**given)

    def train_on_batch(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Train as `keras.Model.train_on_batch` does, on the state that the last batch has left."""
        kinds.check_learns(self.network)
        self._check_batch(x)
        return super().train_on_batch(x, *args, **kwargs)

    def test_on_batch(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Test as `keras.Model.test_on_batch` does, from the zero state; the state of training stays as it is."""
        self._check_batch(x)
        with carried_state.zeroed(self.network):
            return super().test_on_batch(x, *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        """Predict as `keras.Model.predict_on_batch` does, from the zero state; the state of training stays as it is."""
        self._check_batch(x)
        with carried_state.zeroed(self.network):
            return super().predict_on_batch(x)

    def _check_batch(self, x: Any) -> None:
        """Refuse one batch that has not as many rows as the network carries states, and a forked process."""
        forks.check()
        self._check_batches({"x": x, "batch_size": len(tf.nest.flatten(x)[0])})

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: writing and scoring read the weights themselves.

        Raises:
            InputError: Always.
        """
        raise InputError("a TextGenerator cannot be quantized: it writes with the weights themselves.")


def _check_targets(x: Any, y: Any) -> None:
    """Refuse ids without targets, of which Keras would say `None values not supported`.

    Raises:
        InputError: Says what targets are.
    """
    if isinstance(x, tf.data.Dataset):
        is_missing = not isinstance(x.element_spec, tuple) or len(x.element_spec) == 1
    else:  # what gives batches one by one may give targets with them
        is_missing = y is None and all(isinstance(each, (np.ndarray, tf.Tensor)) for each in tf.nest.flatten(x))
    if is_missing:
        raise InputError(
            "fit needs targets, the token that follows each one, (B, T), and received none: give fit(ids, targets), or "
            "batches of both, such as those of tfgen.datasets."
        )


def _real_targets(y: Any, sample_weight: Any) -> Any:
    """Weigh padding with zero; None for targets that are not ids."""
    if y is None or y.shape.rank != 2:
        return sample_weight
    real = tf.cast(tf.cast(y, tf.int32) != PADDING, tf.float32)
    if sample_weight is None:
        return real
    sample_weight = tf.cast(sample_weight, tf.float32)
    return real * (sample_weight[:, tf.newaxis] if sample_weight.shape.rank == 1 else sample_weight)


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    """Say in one line which size of batches is missing, where only a batch itself can show it."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        if found := re.search(rf"{_CARRIES} (\d+)", error.message):
            raise InputError(
                f"{found[0]} rows, but a batch has another number: give batches of {found[1]} rows, or use "
                "with_batch_size(...) for another network."
            ) from None
        raise


@contextlib.contextmanager
def _unreduced(optimizer: Any) -> Iterator[None]:
    """Leave gradients as they are, which Keras would add up over one replica.

    TensorFlow's sum over replicas has a gradient of its own, whose register keeps every graph that it was traced in:
    of each model that was trained, some 15 MB.
    """
    applies = getattr(optimizer, "inner_optimizer", optimizer)  # one that scales the loss has another inside
    applies._all_reduce_sum_gradients = list
    try:
        yield
    finally:
        del applies._all_reduce_sum_gradients
