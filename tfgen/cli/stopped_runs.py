"""A training run that did not end: its checkpoints, beside the model file that it was to give."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from tfgen.errors import InputError
from tfgen.support.checkpoints import Checkpoints


@dataclasses.dataclass(frozen=True)
class Unfinished:
    """Where a run stands.

    Attributes:
        epoch: How many epochs are complete.
        step: How many batches of the next one are.
        steps: How many batches an epoch has.
        epochs: How many epochs were wanted.
        retried: The learning rates at which it was gone on with after it diverged.
    """

    epoch: int
    step: int
    steps: int
    epochs: int
    retried: tuple[float, ...]

    def __str__(self) -> str:
        """Say it."""
        if self.epoch >= self.epochs:
            return f"all {self.epochs} epochs are done"
        return f"epoch {self.epoch + 1} of {self.epochs}, after batch {self.step:,} of {self.steps:,}"


def directory(output: Path) -> Path:
    """Give the place of the checkpoints of a run that writes a model there."""
    return output.with_name(f"{output.name}.checkpoints")


def find(output: Path) -> Unfinished | None:
    """Look for a run, changing nothing and without TensorFlow.

    Raises:
        InputError: The last checkpoint is none of ours.
    """
    found = Checkpoints(directory(output)).latest(warn=lambda message: None)  # training itself says what is damaged
    if found is None:
        return None
    try:
        position = {name: int(found.state[name]) for name in ("epoch", "step", "steps", "epochs")}
        retried = [float(rate) for name, rate in found.state["identity"].items() if name.startswith("retried.")]
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        raise InputError(f"{str(found.path)!r} is no checkpoint of a run; remove {str(found.path.parent)!r}.") from None
    return Unfinished(**position, retried=tuple(retried))


def to_go_on_with(output: Path, resume: bool, overwrite: bool) -> Unfinished | None:
    """Give the run to go on with, None to begin one; never forget one in silence.

    Raises:
        click.UsageError: There is one, and the command does not say what becomes of it.
        click.exceptions.Exit: There is none to resume but a model, which is then ready.
        InputError: See `find`; or another process trains it now.
    """
    Checkpoints(directory(output)).check_free()
    found = find(output)
    if resume:
        if found is None and output.exists() and not overwrite:
            # A script that is started again after all is done has nothing to do.
            click.echo(f"{output} is there, and no run beside it was stopped. To train anew: --overwrite.")
            click.get_current_context().exit()
        return found
    if found and not overwrite:
        raise click.UsageError(
            f"{str(directory(output))!r} holds a run that has not ended ({found}): go on with --resume, or begin anew "
            "with --overwrite."
        )
    return None
