"""The weights of a network on its way, to be looked at when it has learned."""

from __future__ import annotations

import math
import os
from typing import Any

import keras

from tfgen.errors import path_of
from tfgen.support import atomic_files, kept_epochs

_PARTS = (64, 16, 4)  # of the first epoch, in which most is learned


class KeepEpochs(keras.callbacks.Callback):
    """Keeps the weights of a network before training, in the first epoch, and after epochs 1, 2, 4, 8 and so on.

    They are few, however long a run is, and lie evenly on the way that is learned. Each is a file of Keras' own,
    `network.load_weights` reads it; a page shows them, see `tfgen.page`.
    """

    of_chief = True  # of several workers

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        """Take the directory that they are kept in; those of an earlier run there are removed when this one begins.

        Raises:
            InputError: It is no path.
        """
        super().__init__()
        self._directory = path_of("directory", directory)
        self._first = False

    def on_train_begin(self, logs: Any = None) -> None:
        """Keep the weights that training begins with, but not those of a run that goes on."""
        if not int(self.model.optimizer.iterations):
            kept_epochs.clear(self._directory)
            self._keep(0)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """See whether it is the first one."""
        self._first = not epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Keep the weights after parts of the first epoch."""
        batches = self.params["steps"]
        if self._first and batches and batch + 1 in {math.ceil(batches / part) for part in _PARTS} - {batches}:
            self._keep((batch + 1) / batches)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Keep the weights if it is the turn of this epoch."""
        if not (epoch + 1) & epoch:
            self._keep(epoch + 1)

    def _keep(self, epochs: float) -> None:
        self._directory.mkdir(exist_ok=True)
        network: Any = getattr(self.model, "network", self.model)
        with atomic_files.file(kept_epochs.place(self._directory, epochs)) as new:
            named = new.with_name("new.weights.h5")  # Keras wants this ending
            network.save_weights(named)
            named.rename(new)
