"""`tfgen train`: from a corpus to a model file, watched."""

from __future__ import annotations

import dataclasses
import glob
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tfgen import model_files, plots, quiet
from tfgen.cli import options, terminal
from tfgen.corpora import Corpus, load_corpus
from tfgen.errors import InputError
from tfgen.vocabulary import RESERVED

if TYPE_CHECKING:
    from rich.console import Console

    from tfgen.training import Job


@click.command()
@click.argument("corpus", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The model file.  [named after the corpus]")
@click.option("--overwrite", is_flag=True, help="Replace a model file that exists.")
@click.option("--init-from", type=click.Path(path_type=Path), help="Go on from this model, with its shape.")
@click.option("--prompt", "prompts", multiple=True, help="Show what it writes from here after each epoch; repeatable.")
@click.option("--sample/--no-sample", default=True, help="Whether to show what it writes after each epoch.")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the learning curve as this picture."
)
@options.corpus
@options.settings
def train(
    corpus: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
    init_from: Path | None,
    prompts: tuple[str, ...],
    sample: bool,
    plot: Path | None,
    **settings: Any,
) -> None:
    """Train a model on CORPUS: files, folders, globs, "-" for standard input, or a name.

    \b
    Names: python-docs and unicode-names come with Python;
    shakespeare, alice, nietzsche and ag-news are downloaded once.
    """
    reading = ("column", "lines", "encoding", "unescape", "strip_gutenberg", "normalize", "control")
    output = output or Path(f"{_name(corpus[0])}.keras")
    check_output(output, overwrite or output == init_from)
    if plot:
        plots.check_path(plot)
    shape = ("split", "max_tokens", "min_count", "cell", "units", "layers", "dropout", "embedding")
    if init_from and (wrong := [name for name in shape if settings[name] is not None]):
        raise click.UsageError(f"with --init-from the model has its shape: leave away --{wrong[0].replace('_', '-')}.")
    options_given = _given("corpus", "output", "overwrite", "init_from", *shape)
    how = {name: settings.pop(name) for name in reading}
    text = load_corpus(list(corpus) if len(corpus) > 1 else corpus[0], **how)
    job = prepare(text, {name: value for name, value in settings.items() if value is not None}, init_from)
    for prompt in prompts:
        job.generator.vocabulary.encode(prompt)  # an unknown character is better known now than after an hour
    TrainingRun(
        console=terminal.console(),
        job=job,
        output=output,
        go_on=f"tfgen train {shlex.join([*options_given, *corpus])} --init-from {quote(output)} -o {quote(output)}",
        prompts=(prompts or ("",)) if sample else (),
        plot=plot,
    ).run(text)
    click.echo(
        f"\nThe model is {output}. Try:\n  tfgen generate {quote(output)} {quote(prompts[0] if prompts else '')}"
    )


def _name(corpus: str) -> str:
    """Name a model after its corpus; a glob and standard input name none."""
    stem = Path(corpus).resolve().stem
    return "model" if corpus == "-" or not stem or glob.has_magic(stem) else stem


def _given(*but: str) -> list[str]:
    """Give the options that were given on the command line, as they were given."""
    context = click.get_current_context()
    words: list[str] = []
    for option in context.command.params:
        name = option.name or ""
        if name in but or context.get_parameter_source(name) != ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        for each in value if option.multiple else [value]:
            switch = (option.opts if each or not option.secondary_opts else option.secondary_opts)[-1]
            words += [switch] if isinstance(each, bool) else [switch, str(each)]
    return words


def quote(argument: str | Path) -> str:
    """Give an argument as one can paste it into a shell."""
    return shlex.quote(str(argument))


def check_output(output: Path, overwrite: bool) -> None:
    """Refuse a place that cannot be written now, rather than after an hour of training."""
    if output.is_dir() or output.suffix != ".keras":
        raise click.UsageError(f"the output must be a file whose name ends in .keras; received {str(output)!r}.")
    if output.exists() and not overwrite:
        raise click.UsageError(f"{str(output)!r} exists: choose another --output, or replace it with --overwrite.")
    if not output.parent.is_dir():
        raise click.UsageError(f"there is no directory {str(output.parent)!r}: make it, or choose another --output.")
    try:
        tempfile.TemporaryFile(dir=output.parent).close()
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{str(output.parent)!r} cannot be written to ({reason}): choose another --output.") from None


def prepare(corpus: Corpus, settings: dict[str, Any], init_from: Path | None = None) -> Job:
    """Import TensorFlow and build vocabulary, batches and generator."""
    if init_from:
        model_files.read_config(init_from)  # says at once what is wrong with the file
    quiet.import_tensorflow()
    from tfgen import training

    generator = model_files.load(init_from) if init_from else None
    return training.prepare(corpus, training.Settings(**settings), generator)


@dataclasses.dataclass(frozen=True)
class TrainingRun:
    """One training run on the console, whose model is saved also when it is interrupted or diverges.

    Attributes:
        console: Where to show it.
        job: What to run.
        output: The model file; the best epoch so far is always in it.
        go_on: The command that continues from the file.
        prompts: What samples are written from, after each epoch; none for no samples.
        plot: The picture of the learning curve, if one is wanted.
        baselines: Bits per character of other models of the text, to be drawn beside it.
    """

    console: Console
    job: Job
    output: Path
    go_on: str
    prompts: tuple[str, ...]
    plot: Path | None = None
    baselines: dict[str, float] = dataclasses.field(default_factory=dict)

    def run(self, corpus: Corpus) -> None:
        """Describe the job, train, save, draw.

        Raises:
            InputError: The loss diverged; the file has the last good weights.
            KeyboardInterrupt: The user interrupted; the file has the best epoch, or what there is of the first.
        """
        import keras

        from tfgen import callbacks, progress, training

        self._describe(corpus)
        bar = progress.TrainingProgress(self.console, self.job.characters)
        curve = callbacks.LearningCurve(self.job.characters)
        stop_on_nan = callbacks.StopOnNaN(show=lambda message: None)  # it is raised below
        monitor = "nats" if self.job.validation is None else "val_nats"
        save_best = keras.callbacks.ModelCheckpoint(
            _unformatted(self.output), monitor=monitor, mode="min", save_best_only=True
        )
        sample = [callbacks.SampleText(self.prompts, show=self.console.out)] if self.prompts else []
        existed = _identity(self.output)
        try:
            training.run(self.job, [stop_on_nan, save_best, bar, curve, *sample])
        except KeyboardInterrupt:
            bar.close()
            click.echo(f"\n{self._keep_interrupted(existed)} To go on:\n  {self.go_on}", err=True)
            raise
        self.job.generator.save(self.output)
        if stop_on_nan.message:
            raise InputError(f"{stop_on_nan.message} It is {self.output}.")
        if self.plot:
            unit = self.job.settings.split
            plots.learning_curve(self.plot, curve.training, curve.validation, self.baselines, str(self.output), unit)

    def _keep_interrupted(self, existed: tuple[int, int] | None) -> str:
        """Keep what was learned without spoiling what is better, and say what the file holds."""
        if _identity(self.output) not in (None, existed):
            return f"{self.output} has the best epoch so far."
        if existed:
            return f"No epoch was complete: {self.output} is as it was before."
        self.job.generator.save(self.output)
        return f"{self.output} has what was learned."

    def _describe(self, corpus: Corpus) -> None:
        settings, generator = self.job.settings, self.job.generator
        documents = f" in {len(corpus.documents):,} documents" if corpus.ends else ""
        tokens = "words" if settings.split == "word" else "characters"
        self.console.print(
            f"{corpus.source}: {corpus.characters:,} characters{documents}\n"
            f"vocabulary: {len(generator.vocabulary) - len(RESERVED)} {tokens}; {generator.vocabulary.coverage()}\n"
            f"network: {generator.provenance['parameters']:,} parameters\n"
            f"training: {settings.epochs} epochs of {len(self.job.train):,} batches, "
            f"{settings.batch_size} {settings.cut} of up to {settings.length} tokens each\n"
        )


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell one file of a name from the next: a saved model is a new file, renamed."""
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.exists() else None


def _unformatted(path: Path) -> str:
    """Protect braces, which Keras would fill in as it does in `{epoch}.keras`."""
    return str(path).replace("{", "{{").replace("}", "}}")
