"""A training run that was stopped before its end: its checkpoints, beside the model file that it writes.

Whether a run has ended is said by the run: a record is written into the directory before anything else, completed when
the model has been saved, and removed last. That there is a model file says nothing: it may be an earlier one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tfgen.cli import terminal
from tfgen.errors import InputError
from tfgen.support import atomic_files
from tfgen.support.checkpoints import Checkpoints

if TYPE_CHECKING:
    from tfgen.workers import Workers

_RECORD = "run.json"


@dataclasses.dataclass(frozen=True)
class StoppedRun:
    """How far a run has come.

    Attributes:
        epoch: How many epochs are complete.
        step: How many batches of the next one are.
        steps: How many batches an epoch has.
        epochs: How many epochs were wanted.
        retried: The learning rates at which it was continued after its loss diverged.
    """

    epoch: int
    step: int
    steps: int
    epochs: int
    retried: tuple[float, ...]

    def __str__(self) -> str:
        """Say it in words."""
        if self.epoch >= self.epochs:
            return f"all {self.epochs} epochs are done"
        return f"epoch {self.epoch + 1} of {self.epochs}, after batch {self.step:,} of {self.steps:,}"


def directory(output: Path) -> Path:
    """Give the directory of the checkpoints of a run that writes this model file."""
    return output.with_name(f"{output.name}.checkpoints")


@contextlib.contextmanager
def begun(output: Path) -> Iterator[None]:
    """Write the record of the run that the block does, and remove it in the end.

    A mistake before the first checkpoint leaves none either.

    Raises:
        OSError: It cannot be written.
    """
    directory(output).mkdir(exist_ok=True)
    if ended(output) is not False:  # of a run that goes on it is there
        _write(output, ended=False)
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException:
        if find(output) is None:
            _forget(output)
        raise
    _forget(output)


def complete(output: Path) -> None:
    """Write down that the model of the run has been saved."""
    _write(output, ended=True)


def _forget(output: Path) -> None:
    """Remove the record, and the directory if nothing else is in it."""
    (directory(output) / _RECORD).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        directory(output).rmdir()


def ended(output: Path) -> bool | None:
    """Whether the run that writes this model file has ended, as its record says; None where there is no record."""
    try:
        record = json.loads((directory(output) / _RECORD).read_bytes()[:1000])
    except (OSError, ValueError):
        return None
    return isinstance(record, dict) and record.get("ended") is True


def _write(output: Path, ended: bool) -> None:
    with atomic_files.file(directory(output) / _RECORD) as path:
        path.write_text(json.dumps({"ended": ended}), "utf-8")


def find(output: Path) -> StoppedRun | None:
    """Look for a stopped run, changing nothing and without TensorFlow.

    Raises:
        InputError: The last checkpoint was not written by `tfgen train`.
    """
    found = Checkpoints(directory(output)).latest(warn=lambda message: None)  # training itself says what is damaged
    if found is None:
        return None
    try:
        position = {name: int(found.state[name]) for name in ("epoch", "step", "steps", "epochs")}
        retried = [float(rate) for name, rate in found.state["identity"].items() if name.startswith("retried.")]
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise InputError(f"{str(found.path)!r} is no checkpoint of a run; remove {str(found.path.parent)!r}.") from None
    return StoppedRun(**position, retried=tuple(retried))


def found_by_chief(output: Path, together: Workers) -> StoppedRun | None:
    """Give what the chief of several workers finds to all of them.

    Raises:
        InputError: As `find`.
    """
    with together.agreeing():
        found = find(output) if together.is_chief else None
    text = json.dumps(None if found is None else dataclasses.asdict(found))
    received = json.loads(together.from_chief(text.encode()))
    return None if received is None else StoppedRun(**{**received, "retried": tuple(received["retried"])})


def to_resume(output: Path, resume: bool, overwrite: bool) -> StoppedRun | None:
    """Give the run to resume, or None to begin a new one; a stopped run is never discarded in silence.

    Raises:
        click.UsageError: There is a stopped run, and the command does not say what is to become of it.
        click.exceptions.Exit: There is nothing to resume, but a model: it is complete.
        InputError: As `find`; or another process trains this model now.
    """
    Checkpoints(directory(output)).check_free()
    found = None if ended(output) else find(output)
    if resume:
        if found is None and output.exists() and not overwrite and ended(output) is not False:
            # A script that is started again after its training has ended has nothing to do.
            terminal.say(f"{output} is complete: there is no stopped run beside it. To train it anew: --overwrite.")
            click.get_current_context().exit()
        return found
    if found and not overwrite:
        raise click.UsageError(
            f"{str(directory(output))!r} holds a stopped run ({found}): continue it with --resume, or start anew with "
            "--overwrite."
        )
    return None
