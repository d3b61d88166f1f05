"""A `fit` of several workers begins alike, and ends alike, in all of them.

What one worker alone would see, such as another text on its disk or a callback that stops it, would leave the others
waiting for its next sum.
"""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np

from tfgen.datasets import course as courses
from tfgen.datasets.shares import Share
from tfgen.errors import InputError
from tfgen.fitting import callback_lists, shared_steps, snapshot
from tfgen.support import checkpoints, wording
from tfgen.workers import Workers

# Of Keras, what shows and writes; each of ours says so in an attribute `of_chief`.
_OF_CHIEF = (
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.ProgbarLogger,
    keras.callbacks.CSVLogger,
    keras.callbacks.TensorBoard,
    keras.callbacks.RemoteMonitor,
)


def shared(dataset: Any, workers: Workers) -> Any:
    """Give a worker's share of the batches that `fit` or `evaluate` was given.

    Raises:
        InputError: It is no dataset of `tfgen.datasets`, as it is.
    """
    course = courses.course_of(dataset)
    if course is None:
        raise InputError(
            "workers must know which rows of a batch are theirs: give a dataset of tfgen.datasets as it is; received "
            f"{wording.shown(dataset)}."
        )
    own = Share(workers.rank, workers.size)
    return dataset if course.share == own else courses.shared(dataset, own)


def without_those_of_chief(callbacks: Any) -> list[Any]:
    """Leave what shows and writes to the chief."""
    held = (*_OF_CHIEF, keras.callbacks.CallbackList)
    every = callback_lists.every([] if callbacks is None else callbacks)
    return [each for each in every if not (isinstance(each, held) or getattr(each, "of_chief", False))]


def begin(model: Any, dataset: Any, workers: Workers) -> None:
    """Check that all workers begin the same run, and give them all the variables of the chief.

    Raises:
        InputError: They do not, or something in it cannot be summed.
    """
    snapshot.build_variables(model)
    with workers.agreeing():
        shared_steps.check(model)
    own = snapshot.identity(model, courses.course_of(dataset))
    of_chief = json.loads(workers.from_chief(json.dumps(own).encode()))
    with workers.agreeing():
        if differ := snapshot.differences(of_chief, own, new_length=False, new_rate=False):
            raise InputError(
                f"the run is another than on worker 0: {'; '.join(differ[:3])}; give all workers the same text and "
                "settings."
            )
    state = checkpoints.packed(snapshot.variables(model)) if workers.is_chief else b""
    snapshot.assign(model, checkpoints.unpacked(workers.from_chief(state)))


class EndTogether(keras.callbacks.Callback):
    """Ends the training of all workers after an epoch in which a callback has ended that of one."""

    def __init__(self, workers: Workers) -> None:
        """Take the workers."""
        super().__init__()
        self._workers = workers

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Ask all; this comes after all that may end it."""
        ended = self._workers.sum_now(np.array([self.model.stop_training], np.int32))
        self.model.stop_training = bool(ended[0])
