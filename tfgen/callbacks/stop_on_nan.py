"""A run whose loss is no longer finite is stopped, with the last weights that were good."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tfgen.errors import check_instance, whole_number
from tfgen.fitting import snapshot


class StopOnNaN(keras.callbacks.Callback):
    """Stops when the loss is no longer finite, and gives the model back the last weights that were good.

    Attributes:
        message: None while all is well; then what happened and which setting to change.
    """

    resumed = ("_good", "_candidate", "_done")

    def __init__(self, every: int = 100, show: Callable[[str], Any] = print) -> None:
        """Say how often to keep a copy of the weights.

        Args:
            every: A copy is kept every so many batches, and at the end of each epoch.
            show: Takes the message.

        Raises:
            InputError: `every` is no whole number, or below 1; or `show` cannot be called.
        """
        super().__init__()
        self._every = whole_number("every", every, 1)
        check_instance("show", show, Callable, "a function of one text")
        self._show = show
        self._done = 0
        self._good: list[np.ndarray] | None = None
        self._candidate: list[np.ndarray] | None = None
        self.message: str | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Keep the first weights."""
        self.message = None
        self._good, self._candidate = self.model.get_weights(), None

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Look at the loss; now and then keep the weights."""
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            self._stop(f"the loss became {loss} in batch {batch + 1}")
            return
        # A loss is of the weights before the step: the next one vouches for a copy.
        if self._candidate is not None:
            self._good, self._candidate = self._candidate, None
        before, self._done = self._done, batch + 1
        if self._done // self._every > before // self._every:
            self._keep()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Count batches anew."""
        self._done = 0

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keep the weights, unless the last step has spoiled them: what follows may come before the next loss."""
        if snapshot.are_numbers(self.model):
            self._keep()
        else:
            self._stop(f"the weights are no longer finite after batch {self._done}")

    def _keep(self) -> None:
        if self.message is None:
            self._candidate = self.model.get_weights()

    def _stop(self, what: str) -> None:
        if self.message is not None:
            return
        optimizer = self.model.optimizer
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        clipped = any(getattr(optimizer, name, None) for name in ("clipnorm", "clipvalue", "global_clipnorm"))
        repair = "lower the learning rate" if clipped else "clip the gradients (global_clipnorm=1.0) or lower the rate"
        self.message = f"{what}, at a learning rate of {rate:g}: {repair}. The model has the last good weights."
        if self._good is not None:
            self.model.set_weights(self._good)
        self.model.stop_training = True
        self._show(self.message)
