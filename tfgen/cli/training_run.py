"""A training run on the console: described, watched, saved, drawn, also where it is interrupted or diverges."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfgen import model_files, plots
from tfgen.cli import endings, stopped_runs, terminal
from tfgen.cli.prepare import described, was_counted
from tfgen.cli.stopped_runs import StoppedRun
from tfgen.cli.texts import example
from tfgen.corpora.pairs import Pairs
from tfgen.errors import InputError
from tfgen.prepared.corpus import Prepared
from tfgen.prepared.pairs import PreparedPairs
from tfgen.support import interrupts, kept_epochs, wording
from tfgen.support.checkpoints import Checkpoints
from tfgen.terms.costs import cost

if TYPE_CHECKING:
    from rich.console import Console

    from tfgen.callbacks import LearningCurve
    from tfgen.training.counting import Floor
    from tfgen.training.jobs import Job
    from tfgen.training.settings import Text

# Where training can be stopped.
_BORDERS = ("on_train_begin", "on_train_batch_end", "on_test_batch_end", "on_epoch_end")


@dataclasses.dataclass(frozen=True)
class TrainingRun:
    """One training run on the console, whose model is saved also when it is interrupted or diverges.

    Attributes:
        console: Where to show it.
        job: What to run.
        output: The model file; the best epoch so far is always in it.
        continue_command: The command that continues.
        prompts: What samples are written from, after each epoch and of the saved model; none for no samples.
        temperatures: Of the samples after each epoch.
        last: Of those of the saved model; None for the same.
        plot: The picture of the learning curve, if one is wanted.
        baselines: Bits per token of other models of the text, to be drawn beside it.
        checkpoints: Of this run, removed when it has ended well; None keeps none.
        every: How many batches lie between two of them.
        found: The run to resume; None begins anew.
        retry: How often to continue at half the learning rate if the loss diverges.
        ngrams: Mix the network with n-grams of so many tokens, counted on the training part; None does not.
        keep_epochs: Whether weights of the way are kept beside the model file.
        is_chief: Whether this process, of several that train together, shows, draws and writes.
    """

    console: Console
    job: Job
    output: Path
    continue_command: str
    prompts: tuple[str, ...]
    temperatures: tuple[float, ...] = (0.8,)
    last: tuple[float, ...] | None = None
    plot: Path | None = None
    baselines: dict[str, float] = dataclasses.field(default_factory=dict)
    checkpoints: Checkpoints | None = None
    every: int = 200
    found: StoppedRun | None = None
    retry: int = 0
    ngrams: int | None = None
    keep_epochs: bool = False
    is_chief: bool = True

    def run(self, corpus: Text) -> None:
        """Describe the job, train, save, draw.

        Raises:
            InputError: The loss diverged; the file has the last good weights.
            KeyboardInterrupt: The user interrupted; the file has the best epoch, or what there is of the first.
        """
        with interrupts.deferred():
            self._run(corpus)

    def _run(self, corpus: Text) -> None:
        from tfgen.training import counting, jobs

        floor = counting.floor(corpus, self.job, self.ngrams or 7) if self.is_chief else None
        self._describe(corpus, floor)
        alone = self.job.generator.workers.size == 1
        if self.checkpoints and not self.found and alone:
            self.checkpoints.clear()
        if self.is_chief and not self.found:
            kept_epochs.clear(kept_epochs.directory(self.output))  # which would be of another model
        job, existed = self.job, _identity(self.output)
        message, curve = self._attempt(job, existed, False, floor)
        for _ in range(self.retry):
            if message:
                job = jobs.retry(job)
                self.console.print(f"{message} Going on from the last good checkpoint, with {job.rate:g} at the peak.")
                message, curve = self._attempt(job, existed, True, floor)
        if not self.is_chief:
            return
        job.generator.save(self.output)
        if message:
            command = f"{self.continue_command} --retry 1"
            advice = f" To continue at half the rate, run `{command}`." if self.checkpoints else ""
            raise InputError(f"{message} It is {self.output}.{advice}")
        if self.plot:
            self._draw(job, curve, floor)
        self.console.print(f"\n{endings.ending(job.generator.provenance)}")
        if floor:
            known, mixed = job.generator.provenance, bool(self.ngrams)
            self.console.print(endings.beside_counts(_counts(self.ngrams), floor.nats, known, mixed))
        if self.ngrams:
            self._mix(floor)
        if self.prompts:
            source = example(corpus) if isinstance(corpus, Pairs | PreparedPairs) else None
            written = endings.samples(self.output, self.prompts, self.last or self.temperatures, source)
            self.console.out(f"\nThe saved model writes:\n\n{written}")
        if self.checkpoints:
            stopped_runs.complete(self.output)
            self.checkpoints.clear()

    def _draw(self, job: Job, curve: LearningCurve, floor: Floor | None) -> None:
        """Draw the learning curve, beside at least one other model of the text."""
        assert self.plot is not None
        vocabulary, settings = job.generator.vocabulary, job.settings
        levels = {**({_counts(self.ngrams): floor.nats / math.log(2)} if floor else {}), **self.baselines}
        if not levels and any(vocabulary.counts):
            levels = {f"frequencies of {settings.split}s alone": vocabulary.entropy() / math.log(2)}
        cell = settings.cell if settings.cell == "transformer" else settings.cell.upper()
        title = f"{cell} of {settings.units} units on {job.characters:,} characters"
        plots.learning_curve(curve.training, curve.validation, levels, title=title, unit=settings.split, path=self.plot)

    def _mix(self, floor: Floor | None) -> None:
        """Mix the network with counts, in the same file."""
        from tfgen.training import mixing

        if floor is None:
            raise InputError(
                f"the text was not counted, for it has sources or is too large: {self.output} has the network alone."
            )
        mixed, nats = mixing.mix(self.job, floor)
        mixed.save(self.output)
        network, counted = mixed.provenance["shares"]
        self.console.print(
            f"mixed with n-grams of up to {self.ngrams} tokens: {self._cost(nats)} on the validation part, each half "
            f"of it with weights fitted on the other; {network:.2f} for the network, {counted:.2f} for the counts"
        )

    def _cost(self, nats: float) -> str:
        """Say a loss on the validation part."""
        return cost(nats, self.job.settings.split, self.job.bits_per_character(nats))

    def _attempt(
        self, job: Job, existed: tuple[int, int] | None, new_rate: bool, floor: Floor | None
    ) -> tuple[str | None, LearningCurve]:
        """Train until the end, and say what is wrong if that came too early."""
        import keras

        from tfgen import callbacks
        from tfgen.training import runs

        unit = "bits" if job.settings.split == "character" else "bits per character"
        beside = f"n-grams {floor.bits:.3f} {unit}" if floor else ""
        bar = callbacks.Progress(console=self.console, characters=job.characters, beside=beside)
        curve = callbacks.LearningCurve(job.characters)
        stop_on_nan = callbacks.StopOnNaN(show=lambda message: None)  # it is shown by `run`
        monitor = "nats" if job.validation is None else "val_nats"
        watching = [
            stop_on_nan,
            keras.callbacks.ModelCheckpoint(
                _unformatted(self.output), monitor=monitor, mode="min", save_best_only=True
            ),
            bar,
            curve,
            keras.callbacks.LambdaCallback(**dict.fromkeys(_BORDERS, _stop_if_asked)),
        ]
        if self.prompts:
            watching.append(self._samples())
        if self.keep_epochs:
            watching.append(callbacks.KeepEpochs(kept_epochs.directory(self.output)))
        if self.checkpoints:
            directory = self.checkpoints.directory
            watching.append(callbacks.Resume(directory, self.every, new_rate=new_rate, warn=_warn))
        if (found := self.found) and not new_rate:  # said when `Resume` has found that it is the same run
            describe = keras.callbacks.LambdaCallback(on_train_begin=lambda logs: self._describe_found(found))
            watching.insert(0, describe)
        try:
            runs.run(job, watching)
        except KeyboardInterrupt:
            kept = self._keep_interrupted(existed)
            with contextlib.suppress(OSError):  # the terminal may be gone
                bar.close()
                terminal.say(f"\nInterrupted. {kept}To go on:\n  {self.continue_command}", err=True)
            raise
        finally:  # a bar that stays up hides the cursor
            with contextlib.suppress(OSError):
                bar.close()
        return stop_on_nan.message, curve

    def _samples(self) -> Any:
        """Give the callback that shows what is written: of pairs, mistakes beside what is right."""
        from tfgen import callbacks

        if self.job.settings.cut == "pairs":
            return callbacks.Mistakes(self.job.validation or self.job.train, show=self.console.out)
        return callbacks.SampleText(self.prompts, temperatures=self.temperatures, show=self.console.out)

    def _keep_interrupted(self, existed: tuple[int, int] | None) -> str:
        """Keep what was learned without spoiling what is better, and say what the file holds."""
        if _identity(self.output) not in (None, existed):
            known = endings.ending(model_files.read_config(self.output).get("provenance") or {})
            sample = endings.samples(self.output, self.prompts, self.temperatures, at_once=True) if self.prompts else ""
            written = f"\n\nThe saved model writes:\n\n{sample}\n\n" if sample else " "
            return f"{self.output} has the best epoch so far. {known}{written}"
        if not self.found and not int(self.job.generator.optimizer.iterations):
            return "Nothing was learned yet, and nothing is saved. "
        if existed:
            return f"No epoch was complete: {self.output} is as it was before. "
        self.job.generator.save(self.output)
        return f"{self.output} has what was learned. "

    def _describe(self, corpus: Text, floor: Floor | None) -> None:
        settings, generator = self.job.settings, self.job.generator
        read: list[tuple[Any, Any]] = [(corpus, generator.vocabulary)]
        if isinstance(corpus, Pairs | PreparedPairs):
            read = [(corpus.sources, generator.network.encoder.vocabulary), (corpus.texts, generator.vocabulary)]
        for text, vocabulary in read:
            counted = was_counted(text) if isinstance(text, Prepared) else "before" not in generator.provenance
            self.console.print(described(text, vocabulary, counted))
        epochs, rows, cut = settings.epochs or 0, settings.batch_size or 0, settings.cut or ""  # nothing is left open
        longest = "" if settings.length is None else f" of up to {wording.number(settings.length, 'token')} each"
        updates = wording.number(len(self.job.train), "batch", "batches")
        self.console.print(
            f"network: {wording.number(generator.provenance['parameters'], 'parameter')}\n"
            f"training: {wording.number(epochs, 'epoch')} of {updates}, "
            f"{wording.number(rows, cut.removesuffix('s'), cut)}{longest}"
        )
        if floor:
            self.console.print(f"to beat: {_counts(self.ngrams)}, {self._cost(floor.nats)} on the validation part")
        elif settings.cut != "pairs" and self.job.validation is not None:
            self.console.print("to beat: not counted, for the text is large; tfgen train --cell ngram counts all of it")
        self.console.print()

    def _describe_found(self, found: StoppedRun) -> None:
        self.console.print(f"going on with the run that was stopped: {found}")
        if found.epochs != self.job.settings.epochs:
            self.console.print(
                f"{self.job.settings.epochs} epochs instead of {found.epochs}: from here on the learning rate follows "
                "the schedule of the new length"
            )


def _stop_if_asked(*of_the_border: Any, **logs: Any) -> None:
    """End at the border of a batch what a signal has asked to end."""
    interrupts.check()


def _counts(order: int | None) -> str:
    return f"counted n-grams of order {order or 7}"


def _warn(message: str) -> None:
    terminal.say(f"tfgen: {message}", err=True)


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell one file of a name from the next: a saved model is a new file, renamed."""
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.exists() else None


def _unformatted(path: Path) -> str:
    """Protect braces, which Keras would fill in as it does in `{epoch}.keras`."""
    return str(path).replace("{", "{{").replace("}", "}}")
