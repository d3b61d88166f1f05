"""Losses against what was read, remembered while a network learns, and drawn in a notebook meanwhile."""

import time
import warnings
from collections.abc import Mapping
from typing import Any

import keras

from tfgen.callbacks import losses
from tfgen.errors import check_instance, whole_number
from tfgen.plots.curves import learning_curve
from tfgen.plots.pictures import is_installed
from tfgen.support import notebooks

_SECONDS = 3.0  # between two pictures in a notebook


class LearningCurve(keras.callbacks.Callback):
    """Remembers losses against the number of characters read, to be drawn with `tfgen.plots.learning_curve`.

    In a notebook it draws them itself, in one picture that changes. They are those of the first of tfgen's metrics that
    the model was compiled with, whichever it is, as nats: of `NatsPerCharacter` if it is among them.

    Attributes:
        training: Pairs of characters read and nats per token, each the mean since the pair before.
        validation: The same on held-out text, at the end of each epoch.
    """

    resumed = ("training", "validation", "_seen", "_done")

    def __init__(self, characters: int, points: int = 50, *, baselines: Mapping[str, float] | None = None) -> None:
        """Say how much an epoch reads.

        Args:
            characters: How many characters an epoch trains on.
            points: How many pairs an epoch gives.
            baselines: Of the picture in a notebook, see `tfgen.plots.learning_curve`.

        Raises:
            InputError: One is no whole number, or below its least; or the baselines are no mapping.
        """
        super().__init__()
        self._characters = whole_number("characters", characters, 0, most=2**63 - 1)
        self._points = whole_number("points", points, 1)
        check_instance("baselines", baselines, Mapping | None, "a mapping of names to bits")
        self._baselines = baselines
        self._seen = (0.0, 0.0)
        self._done = 0
        self.training: list[tuple[float, float]] = []
        self.validation: list[tuple[float, float]] = []
        self._epoch = 0
        self._place = notebooks.Place() if notebooks.is_one() and is_installed() else None
        self._drawn = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin a new picture."""
        self._drawn = time.monotonic()
        self._warned = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begin new sums, as Keras does."""
        self._epoch = epoch
        self._seen = (0.0, 0.0)
        self._done = 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Add a pair if it is time."""
        steps, batches = self.params["steps"], batch + 1
        if (sums := self._sums()) is None:
            self._warn()
            return
        if steps is None:  # not known in the first epoch of a dataset that does not say how long it is
            return
        every = max(steps // self._points, 1)
        due = batches // every > self._done // every or batches == steps
        self._done = batches
        if not due:
            return
        # Both are sums over the epoch so far; their differences are of what lies between.
        nats, targets = (now - before for now, before in zip(sums, self._seen, strict=True))
        self._seen = sums
        if targets:
            self.training.append((self._characters * (self._epoch + batches / steps), nats / targets))
            if time.monotonic() - self._drawn > _SECONDS:
                self._draw()

    def _sums(self) -> tuple[float, float] | None:
        """Give the sum of nats and the number of targets of the epoch so far."""
        for metric in losses.compiled(self.model):
            total, count = (float(variable.numpy()) for variable in metric.variables)
            return total, count
        return None

    def _warn(self) -> None:
        if not self._warned:
            warnings.warn(
                "LearningCurve has nothing to remember, for the model was compiled without a metric of tfgen: compile "
                "it with metrics=[tfgen.metrics.NatsPerCharacter()].",
                stacklevel=2,
            )
        self._warned = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Add the validation."""
        for metric in losses.compiled(self.model)[:1]:
            if (value := (logs or {}).get(f"val_{metric.name}")) is not None:
                self.validation.append((self._characters * (epoch + 1), losses.nats(metric, float(value))))
        self._draw()

    def _draw(self) -> None:
        """Draw the picture anew where the last one was."""
        if self._place is None or not self.training:
            return
        first = losses.compiled(self.model)[0]
        words = getattr(first, "lengths", None) is None
        unit = getattr(getattr(self.model, "vocabulary", None), "split", "character") if words else "character"
        figure: Any = learning_curve(self.training, self.validation, self._baselines, unit=unit)
        self._place.show("learning curve", figure._repr_png_())
        self._drawn = time.monotonic()
