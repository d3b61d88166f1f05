"""One line that says how far a run is: redrawn in a terminal and in a notebook, once an epoch anywhere else.

Keras' own bar goes back over what it wrote with backspaces, which logs keep and notebooks show slowly.
"""

from __future__ import annotations

import io
import math
import time
from collections.abc import Callable
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from tfgen.callbacks import losses
from tfgen.errors import check_instance, whole_number
from tfgen.fitting import callback_lists
from tfgen.support import notebooks

_WIDTH = 150  # of the line in a notebook, which scrolls it
_SECONDS = 0.25  # between two lines of a notebook


class Progress(keras.callbacks.ProgbarLogger):
    """Shows how far a run is, what it costs, how fast it is and how long it takes; Keras leaves its own bar out then.

    On a terminal and in a notebook there is one line that changes, and it ends as the line of its epoch; in a pipe, or
    a file, there is that line alone. A time left is "at most" so much where `EarlyStopping` may end the run.
    """

    def __init__(self, *, console: Console | None = None, characters: int | None = None, beside: str = "") -> None:
        """Say where to show it, and what is known of the run.

        Args:
            console: Of `rich`; None: standard output, or the notebook.
            characters: How many characters an epoch trains on, for the speed; None: batches are counted.
            beside: What the line of each epoch says too, such as what it is to be compared with.

        Raises:
            InputError: One of them is something else.
        """
        super().__init__()
        check_instance("console", console, Console | None, "a rich.console.Console")
        check_instance("beside", beside, str, "a str")
        self._characters = None if characters is None else whole_number("characters", characters, 0, most=2**63 - 1)
        self._console = console or Console(markup=False, highlight=False, soft_wrap=True, emoji=False)
        self._in_notebook = console is None and notebooks.is_one()
        self._beside = beside
        self._may_end_early = False
        self._bar: Bar | None = None
        self._place = notebooks.Place()
        self._shown = 0.0
        self._epoch = 0
        self._begun = self._epoch_begun = 0.0
        # Where this process began: a run may have been taken up in the middle of an epoch.
        self._first: float | None = None
        self._skipped = 0.0

    # Keras' bar does something in these.
    set_params = keras.callbacks.Callback.set_params
    on_test_begin = on_test_end = keras.callbacks.Callback.on_test_begin
    on_test_batch_end = on_predict_batch_end = keras.callbacks.Callback.on_test_batch_end
    on_predict_begin = on_predict_end = keras.callbacks.Callback.on_predict_begin

    def run_around_fit(self, fit: Callable[..., Any], model: Any, **arguments: Any) -> Any:
        """Call `fit`, and see whether it may end early; see `TextGenerator.fit`."""
        every = callback_lists.every(arguments["callbacks"])
        epochs = arguments.get("epochs", 1)
        self._may_end_early = any(
            isinstance(each, keras.callbacks.EarlyStopping) and each.patience < epochs for each in every
        )
        return fit(**arguments)

    def on_train_begin(self, logs: Any = None) -> None:
        """Put up the bar."""
        self._begun, self._first = time.monotonic(), None
        if not self._in_notebook and not self._console.is_terminal:
            return
        plain = Console(file=io.StringIO(), width=_WIDTH, color_system=None, force_jupyter=False)
        self._bar = Bar(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=20 if self._in_notebook else 30),
            TextColumn("{task.fields[status]}", markup=False),
            console=plain if self._in_notebook else self._console,
            auto_refresh=not self._in_notebook,
            transient=True,
        )
        self._bar.add_task("", total=None, status="compiling")
        if not self._in_notebook:
            self._bar.start()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Start the clock of the epoch."""
        self._epoch = epoch
        self._epoch_begun = time.monotonic()
        self._skipped = 0.0
        if self._bar:
            total, done = self.params["steps"], self.params["epochs"]
            status = "compiling" if self._first is None else ""
            task = self._bar.task_ids[0]
            self._bar.update(task, description=f"epoch {epoch + 1}/{done}", total=total, completed=0, status=status)
            self._place, self._shown = notebooks.Place(), 0.0
            self._draw()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """See where the run begins."""
        if self._first is None:
            self._skipped = batch / (self.params["steps"] or batch + 1)
            self._first = self._epoch + self._skipped

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Move the bar."""
        if self._bar and (not self._in_notebook or time.monotonic() - self._shown > _SECONDS):
            steps = self.params["steps"]
            share = (batch + 1) / steps if steps else 0
            parts = [self._losses(logs or {}, ""), self._speed(batch + 1, share), self._left(self._epoch + share)]
            status = " · ".join(part for part in parts if part)
            self._bar.update(self._bar.task_ids[0], completed=batch + 1, status=status)
            self._draw()
        self._batches = batch + 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the line of the epoch."""
        parts = [f"epoch {epoch + 1}/{self.params['epochs']}", f"training {self._losses(logs or {}, '')}"]
        if validation := self._losses(logs or {}, "val_"):
            parts.append(f"validation {validation}")
        # Where there is a bar it says what is left, and this line stays when that has passed.
        parts += [self._beside, self._speed(self._batches, 1), "" if self._bar else self._left(epoch + 1)]
        line = " · ".join(part for part in parts if part)
        if self._in_notebook:
            self._place.show(line)
        else:
            self._console.print(line)

    def on_train_end(self, logs: Any = None) -> None:
        """Take the bar down."""
        self.close()

    def close(self) -> None:
        """Take the bar down, also after an interruption."""
        if self._bar and not self._in_notebook:
            self._bar.stop()
        self._bar = None

    def _draw(self) -> None:
        """Show the bar in a notebook; on a terminal `rich` does so by itself."""
        if not self._in_notebook or self._bar is None:
            return
        with self._bar.console.capture() as captured:
            self._bar.console.print(self._bar.make_tasks_table(self._bar.tasks))
        self._place.show(captured.get().rstrip())
        self._shown = time.monotonic()

    def _speed(self, batches: int, share_of_epoch: float) -> str:
        seconds = max(time.monotonic() - self._epoch_begun, 1e-9)
        if self._characters is None:
            skipped = self._skipped * (self.params["steps"] or 0)
            return f"{(batches - skipped) / seconds:,.1f} batches/s"
        return f"{self._characters * (share_of_epoch - self._skipped) / seconds:,.0f} characters/s"

    def _left(self, epochs_done: float) -> str:
        """Say how long the rest takes if it is as fast as what was done here, which also compiled."""
        done, rest = epochs_done - (self._first or 0), self.params["epochs"] - epochs_done
        if done <= 0:
            return ""
        seconds = math.ceil((time.monotonic() - self._begun) / done * rest)
        return f"{'at most ' if self._may_end_early and rest else ''}{duration(seconds)} left"

    def _losses(self, logs: dict[str, float], prefix: str) -> str:
        return losses.said(self.model, logs, prefix)


def duration(seconds: float) -> str:
    """Give a time to a digit or two: "90 s", "12 min", "3.5 h".

    >>> duration(90), duration(721), duration(12_600)
    ('90 s', '12 min', '3.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
