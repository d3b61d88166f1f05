"""Exact resume: a run that was killed goes on in the middle of its epoch, and ends as if it had never stopped.

`Resume` keeps checkpoints of a `fit` and begins the next one at the last of them. `fit` hands its callbacks to a
`ResumableCallbacks`, the one place that knows the position: it begins the batches there, tells callbacks their true
numbers, and writes checkpoints after all callbacks have done their part.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import keras

from tfgen.datasets import course as courses
from tfgen.errors import InputError, check_instance, path_of, whole_number
from tfgen.fitting import callback_lists, snapshot
from tfgen.support import checkpoints, wording
from tfgen.support.checkpoints import Checkpoint, Checkpoints
from tfgen.workers import Workers

_FORMAT = 1
# How many seconds a chief waits for the one before it, which ends by itself a minute after its machine was cut off.
_PATIENCE = 180.0
# What a checkpoint says, beside arrays.
_KINDS = {
    "identity": dict,
    "epochs": int,
    "epoch": int,
    "step": int,
    "stopped": bool,
    "variables": list,
    "callbacks": dict,
    "random": dict,
}


class Resume(keras.callbacks.Callback):
    """Keeps a run in a directory; the same `fit` goes on from there and ends with the same bits.

    A checkpoint holds weights, optimizer, dropout seeds, the carried state, metrics, position, history, Python's and
    NumPy's random state, and what callbacks hold: tfgen's own, Keras' `EarlyStopping`, `ModelCheckpoint`,
    `ReduceLROnPlateau` and `History` (`LearningRateScheduler` holds nothing), and of any other callback the attributes
    that it names in an attribute `resumed`, plain values or arrays. The last checkpoint of a run that has ended stays:
    the same `fit` then gives the end of the run at once, or goes on if `epochs`, which counts from the beginning of the
    run, is larger. One that a callback has stopped early has ended for good: it goes on neither with more epochs nor
    with more patience.

    Epochs, patience and callbacks may change. What is trained on, the vocabulary, the network, the optimizer, the loss
    and the metrics may not.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        every: int = 200,
        *,
        new_rate: bool = False,
        warn: Callable[[str], Any] = warnings.warn,
    ) -> None:
        """Say where, and how often.

        Args:
            directory: For this run alone; it is made if it is not there. The last two checkpoints are kept in it.
            every: A checkpoint is written before the first batch, after every so many, and after each epoch; after
                epochs only where `steps_per_execution` does not divide the number of batches.
            new_rate: Whether the learning rate may be another than in the checkpoint, from where on it is used.
            warn: Takes the message about a damaged checkpoint, which is passed over for the one before it.

        Raises:
            InputError: `directory` is no path, `every` is no whole number or below 1, or `warn` cannot be called.
        """
        super().__init__()
        self.every = whole_number("every", every, 1)
        self._checkpoints = Checkpoints(path_of("directory", directory))
        check_instance("warn", warn, Callable, "a function of one text")
        self._new_rate = new_rate
        self._warn = warn
        self._works = False

    def run_around_fit(self, fit: Callable[..., Any], model: Any, **arguments: Any) -> Any:
        """Call `fit` so that it continues from the last checkpoint, if there is one; see `TrainingModel.fit`.

        Raises:
            InputError: The directory holds another run, another process trains into it, or the batches do not know
                where to begin.
        """
        callbacks = [*callback_lists.every(arguments["callbacks"])]
        course, workers = _course(arguments, callbacks), model.workers
        if not model.compiled:
            return fit(**arguments)  # Keras says what is missing
        snapshot.build_variables(model)
        run = {
            "format": _FORMAT,
            "identity": snapshot.identity(model, course),
            "epochs": arguments.get("epochs", 1),
            "steps": course.steps,
            "computed_with": snapshot.computed_with(workers),
        }
        with self._last(workers) as checkpoint, self._at_work():
            run = json.loads(workers.from_chief(json.dumps(run).encode())) if workers.size > 1 else run
            if checkpoint is not None:
                self._check(checkpoint, run)
            begin = _position(checkpoint, arguments)
            verbose = arguments.get("verbose", "auto")
            # What Keras adds to a list, unless it is in a `CallbackList` of the list; to a `CallbackList` nothing.
            listed = isinstance(arguments["callbacks"], list)
            add_progbar = listed and verbose != 0 and not _holds(callbacks, keras.callbacks.ProgbarLogger)
            resumable = ResumableCallbacks(
                _Keeper(self._checkpoints, checkpoint, run, self._new_rate, workers.is_chief),
                course,
                begin,
                self.every,
                callbacks=[arguments["callbacks"]],
                add_history=not _holds(callbacks, keras.callbacks.History),
                add_progbar=add_progbar,
                model=model,
                epochs=run["epochs"],
                steps=course.steps,
                verbose=verbose,
            )
            return fit(**{**arguments, "initial_epoch": begin[0], "callbacks": resumable})

    @contextlib.contextmanager
    def _last(self, workers: Workers) -> Iterator[Checkpoint | None]:
        """Give the last checkpoint, which the chief alone reads, to all, and keep other processes from writing others.

        Raises:
            InputError: Another process writes to the directory.
        """
        with contextlib.ExitStack() as held:
            checkpoint = None
            with workers.agreeing():
                if workers.is_chief:
                    held.enter_context(self._checkpoints.locked(_PATIENCE if workers.size > 1 else 0.0))
                    checkpoint = self._checkpoints.latest(self._warn)
            if workers.size > 1:
                known = None if checkpoint is None else {"path": str(checkpoint.path), "state": checkpoint.state}
                received = checkpoints.unpacked(workers.from_chief(checkpoints.packed(known)))
                checkpoint = received and Checkpoint(Path(received["path"]), received["state"])
            yield checkpoint

    @contextlib.contextmanager
    def _at_work(self) -> Iterator[None]:
        self._works = True
        try:
            yield
        finally:
            self._works = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Refuse a training that would leave no checkpoints.

        Raises:
            InputError: It is not `fit` of a `TextGenerator`, or that has not seen this callback.
        """
        if not self._works:
            raise InputError(
                "Resume must be given to TextGenerator.fit in its callbacks, themselves or in a CallbackList; received "
                f"the training of a {type(self.model).__name__} that does not know of it."
            )

    def _check(self, checkpoint: Checkpoint, run: dict[str, Any]) -> None:
        state = checkpoint.state
        if not isinstance(state, dict) or state.get("format") != _FORMAT:
            raise InputError(f"{str(checkpoint.path)!r} was written by another version of tfgen.")
        if wrong := [name for name, kind in _KINDS.items() if not isinstance(state.get(name), kind)]:
            raise InputError(f"{str(checkpoint.path)!r} is no checkpoint of a run: it says nothing of {wrong[0]!r}.")
        differ = snapshot.differences(
            state["identity"], run["identity"], new_length=run["epochs"] != state["epochs"], new_rate=self._new_rate
        )
        if differ:
            more = f"; and {len(differ) - 3} more" if len(differ) > 3 else ""
            raise InputError(
                f"{str(self._checkpoints.directory)!r} holds another run: {'; '.join(differ[:3])}{more}. Give what was "
                "given then, or begin anew: remove the directory (tfgen train: --overwrite without --resume)."
            )
        if state["epoch"] < 0 or not 0 <= state["step"] < run["steps"]:
            at = f"epoch {state['epoch']}, batch {state['step']} of {run['steps']}"
            raise InputError(f"{str(checkpoint.path)!r} is no checkpoint of a run: it is of {at}.")
        if state.get("computed_with") != run["computed_with"]:
            computed_with = wording.shorten(str(state.get("computed_with")), 200)  # the number of workers comes last
            self._warn(
                f"the run was computed with {computed_with} and goes on with {run['computed_with']}: its "
                "numbers may differ in the last digits from those of a run that never stopped."
            )


def _holds(callbacks: Iterable[Any], kind: type) -> bool:
    return any(isinstance(callback, kind) for callback in callbacks)


def _course(given: dict[str, Any], callbacks: list[Any]) -> courses.Course:
    course = courses.course_of(given.get("x"))
    if course is None:
        raise InputError(
            f"Resume must know where batches begin: give fit a dataset of tfgen.datasets as it is; received "
            f"{type(given.get('x')).__name__}."
        )
    if given.get("steps_per_epoch"):
        raise InputError(f"Resume takes whole epochs: remove steps_per_epoch={given['steps_per_epoch']}.")
    if sum(isinstance(callback, (Resume, keras.callbacks.BackupAndRestore)) for callback in callbacks) > 1:
        raise InputError("one Resume is enough for a run, without BackupAndRestore.")
    return course


def _position(checkpoint: Checkpoint | None, given: dict[str, Any]) -> tuple[int, int]:
    """Give the epoch and the batch to begin with."""
    if checkpoint is None:
        return given.get("initial_epoch", 0), 0
    state = checkpoint.state
    return (max(state["epoch"], given.get("epochs", 1)) if state["stopped"] else state["epoch"]), state["step"]


class _Keeper:
    """Puts the state of a run back, and writes it."""

    def __init__(
        self,
        checkpoints: Checkpoints,
        checkpoint: Checkpoint | None,
        run: dict[str, Any],
        new_rate: bool,
        writes: bool,
    ) -> None:
        self._checkpoints = checkpoints
        self._checkpoint = checkpoint
        self._run = run
        self._new_rate = new_rate
        self._writes = writes
        state = checkpoint.state if checkpoint else {}
        self._last = (state.get("epoch"), state.get("step"))
        self._last_path = checkpoint.path if checkpoint else None

    def begin(self, listed: ResumableCallbacks, epoch: int, step: int) -> None:
        """Take up the run, or write down how it begins."""
        self.restore(listed)
        before = self._checkpoint.state if self._checkpoint else {"stopped": False}
        if not before["stopped"] and any(before.get(name) != value for name, value in self._run.items()):
            self.save(listed, epoch, step)

    def restore(self, listed: ResumableCallbacks) -> None:
        """Put everything back as it was when the checkpoint was written."""
        if self._checkpoint is None:
            return
        optimizer = listed.model.optimizer
        rate = optimizer.get_config().get("learning_rate")
        snapshot.restore(listed.model, callback_lists.every(listed.callbacks), self._checkpoint.state)
        if self._new_rate and isinstance(rate, float):  # not a schedule, but one of the variables
            optimizer.learning_rate = rate

    def save(self, listed: ResumableCallbacks, epoch: int, step: int) -> None:
        """Write a checkpoint of the position; of several workers the chief does, for all."""
        state = snapshot.capture(listed.model, callback_lists.every(listed.callbacks))
        stopped = listed.model.stop_training
        if not self._writes:
            return
        path = self._checkpoints.save({**self._run, "epoch": epoch, "step": step, "stopped": stopped, **state})
        self._last, self._last_path = (epoch, step), path

    def discard_at(self, epoch: int, step: int) -> None:
        """Remove the checkpoint of a position whose weights turned out to be bad."""
        if self._writes and self._last == (epoch, step) and self._last_path:
            self._last_path.unlink(missing_ok=True)


class ResumableCallbacks(keras.callbacks.CallbackList):
    """The callbacks of a `fit` that may begin in the middle of an epoch, and checkpoints after they were called."""

    def __init__(
        self, keeper: _Keeper, course: courses.Course, begin: tuple[int, int], every: int, **params: Any
    ) -> None:
        """Take where to begin; the rest is as for `keras.callbacks.CallbackList`."""
        super().__init__(**params)
        self._keeper = keeper
        self._course = course
        self._every = every
        self._epoch, self._first = begin
        self._done = self._first
        self._cut_short = False
        self._diverged = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin, and take up the run."""
        super().on_train_begin(logs)
        self._keeper.begin(self, self._epoch, self._first)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Say which batches Keras reads next; what callbacks begin anew in an epoch is put back in a broken one."""
        self._epoch, self._done = epoch, self._first
        self._course.begin_at(epoch, self._first)
        super().on_epoch_begin(epoch, logs)
        if self._first:
            self._keeper.restore(self)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Pass the true number on."""
        super().on_train_batch_begin(self._first + batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Pass the true number on; write a checkpoint if it is time; end a broken epoch where it ends."""
        before, self._done = self._done, min(self._first + batch + 1, self._course.steps)
        if not self._diverged and not math.isfinite(float((logs or {}).get("loss", 0.0))):
            # A loss is of the weights before the step.
            self._diverged = True
            self._keeper.discard_at(self._epoch, before)
        super().on_train_batch_end(self._first + batch, logs)
        if self.model.stop_training:
            return
        whole = self._done == self._course.steps
        due = self._done // self._every > before // self._every
        # An execution of several steps that finds too few batches asks for one more, and a broken epoch has no more.
        if due and not whole and not self._diverged and not self._course.steps % self.model.steps_per_execution:
            self._keeper.save(self, self._epoch, self._done)
        if whole and self._first:
            # Keras would go on to as many batches as a whole epoch has. This is its own way out of the loop.
            self._cut_short = self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write a checkpoint at the end of the epoch."""
        if self._cut_short:
            self.model.stop_training = False
        self._first, self._cut_short = 0, False
        # No loss has judged the last step; callbacks may bring better weights back, but no better optimizer.
        self._diverged = self._diverged or not snapshot.are_numbers(self.model)
        super().on_epoch_end(epoch, logs)
        if not self._diverged:
            self._keeper.save(self, epoch + 1, 0)
