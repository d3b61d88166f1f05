"""Progress of a training run: a live bar on a terminal, one plain line an epoch anywhere else."""

import math
import time
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class TrainingProgress(keras.callbacks.Callback):
    """Shows losses in nats and bits, characters per second, and the time left."""

    of_chief = True  # of several workers

    def __init__(self, console: Console, characters: int, floor: float | None = None) -> None:
        """Take the console to show it on, how many characters an epoch trains on, and the nats of counts if known."""
        super().__init__()
        self._console = console
        self._characters = characters
        self._floor = floor
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._epoch = 0
        self._begun = self._epoch_begun = 0.0
        # Where this process began: a run may have been taken up in the middle of an epoch.
        self._first: float | None = None
        self._skipped = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        """Put up the bar."""
        self._begun = time.monotonic()
        if not self._console.is_terminal:
            return
        self._bar = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.fields[status]}"),
            TimeRemainingColumn(compact=True),
            console=self._console,
            transient=True,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=self.params["epochs"] * self.params["steps"], status="compiling")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock of the epoch."""
        self._epoch = epoch
        self._epoch_begun = time.monotonic()
        self._skipped = 0.0
        if self._bar:
            self._bar.update(self._task, description=f"epoch {epoch + 1}/{self.params['epochs']}")

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """See where the run begins."""
        if self._first is None:
            self._skipped = batch / self.params["steps"]
            self._first = self._epoch + self._skipped

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Move the bar."""
        if self._bar:
            share = (batch + 1) / self.params["steps"]
            status = f"{_losses(logs or {}, '')} · {self._rate(share):,.0f} characters/s"
            done = self._epoch * self.params["steps"] + batch + 1
            self._bar.update(self._task, completed=done, status=status)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the line of the epoch."""
        logs = logs or {}
        parts = [f"epoch {epoch + 1}/{self.params['epochs']}", f"training {_losses(logs, '')}"]
        if "val_nats" in logs:
            parts.append(f"validation {_losses(logs, 'val_')}")
        if self._floor is not None:
            parts.append(f"n-grams {self._floor / math.log(2):.3f} bits")
        parts.append(f"{self._rate(1):,.0f} characters/s")
        done = epoch + 1 - (self._first or 0)
        left = (time.monotonic() - self._begun) / done * (self.params["epochs"] - epoch - 1)
        if not self._bar:
            parts.append(f"{math.ceil(left)} s left")
        self._console.print(" · ".join(parts))

    def on_train_end(self, logs: Any = None) -> None:
        """Take the bar down."""
        self.close()

    def close(self) -> None:
        """Take the bar down, also after an interruption."""
        if self._bar:
            self._bar.stop()
            self._bar = None

    def _rate(self, share_of_epoch: float) -> float:
        return self._characters * (share_of_epoch - self._skipped) / max(time.monotonic() - self._epoch_begun, 1e-9)


def _losses(logs: dict[str, float], prefix: str) -> str:
    return f"{logs.get(prefix + 'nats', math.nan):.3f} nats ({logs.get(prefix + 'bits', math.nan):.3f} bits)"
