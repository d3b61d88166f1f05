"""`tfgen train`: from a corpus to a model file, watched."""

from __future__ import annotations

import contextlib
import glob
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfgen import plots
from tfgen.cli import counting, options, stopped_runs, terminal, texts
from tfgen.cli import prompts as of_prompts
from tfgen.cli.given import options_given
from tfgen.cli.jobs import job_of
from tfgen.cli.outputs import check_name, check_output
from tfgen.cli.prepare import vocabulary_of
from tfgen.cli.stopped_runs import StoppedRun
from tfgen.cli.terminal import quote
from tfgen.cli.training_run import TrainingRun
from tfgen.corpora.pairs import Pairs
from tfgen.prepared.pairs import PreparedPairs
from tfgen.support import interrupts
from tfgen.support.checkpoints import Checkpoints

if TYPE_CHECKING:
    from tfgen.training.jobs import Job
    from tfgen.training.settings import Text
    from tfgen.workers import Workers


@click.command(
    epilog=options.examples(
        'tfgen train romeo.txt --prompt "ROMEO:"', "tfgen train news.csv --column title --unescape -o titles.keras"
    )
)
@click.argument("corpus", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The model file.  [named after the corpus]")
@click.option("--overwrite", is_flag=True, help="Replace a model file, or a run that was stopped.")
@click.option("--resume", is_flag=True, help="Go on where the same command was stopped, if it was.")
@click.option(
    "--checkpoint-every", type=options.whole(1, 10**9), default=200, show_default=True, help="So many batches."
)
@click.option(
    "--retry", type=options.whole(0, 20), default=0, help="Go on so often at half the rate if the loss diverges.  [0]"
)
@click.option("--init-from", type=click.Path(path_type=Path), help="Go on from this model, with its shape.")
@click.option("--grow-vocabulary", "grow", is_flag=True, help="With --init-from: learn the text's new characters too.")
@click.option(
    "--unknown",
    type=click.Choice(["error", "skip", "unknown"]),
    help="What to do with characters of CORPUS that the model to go on from lacks.  [error]",
)
@click.option("--prompt", "prompts", multiple=True, help="Show what it writes from here after each epoch; repeatable.")
@click.option("--sample/--no-sample", default=True, help="Whether to show what it writes after each epoch.")
@options.temperatures("the samples")
@click.option("--ngrams", type=options.whole(1, 32), help="Mix it with n-grams of so many tokens, 7 for example.")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw the learning curve as this picture."
)
@click.option("--keep-epochs", is_flag=True, help="Keep some weights of the way, which a page then shows.")
@click.option("--workers", type=options.whole(1, 10**4), help="Train in so many processes, which share each batch.")
@click.option("--address", metavar="HOST:PORT", help="With --workers: in this Ray, on its machines.")
@options.corpus
@options.pairs
@options.settings
def train(
    corpus: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
    resume: bool,
    checkpoint_every: int,
    retry: int,
    init_from: Path | None,
    grow: bool,
    prompts: tuple[str, ...],
    sample: bool,
    temperatures: tuple[float, ...],
    plot: Path | None,
    source: str | None,
    ngrams: int | None,
    keep_epochs: bool,
    workers: int | None,
    address: str | None,
    **settings: Any,
) -> None:
    """Train a model on CORPUS: files, folders, globs, "-" for standard input, or a name;
    or a directory that `tfgen prepare` has written. Large texts are prepared first, by themselves.

    With --source and --column, two columns of a table, it learns to write the one from the other.

    \b
    Names: python-docs and unicode-names come with Python;
    shakespeare, alice, nietzsche and ag-news are downloaded once.
    """
    output = output or Path(f"{_name(corpus[0])}.keras")
    check_name(output)
    together: Workers | None = click.get_current_context().obj
    found = _to_resume(output, overwrite, resume, init_from, together)
    if plot:
        plots.check_path(plot)
    _check_beginning(init_from, grow, settings)
    _check_workers(corpus, settings, workers, address)
    command = _command(corpus, output)
    how = {name: settings.pop(name) for name in options.READING}
    if init_from:
        known = vocabulary_of(init_from)
        how |= {"normalize": how["normalize"] or known.normalize, "lower": how["lower"] or known.lower}
    vocabulary = {name: settings[name] for name in options.VOCABULARY}
    shown = (prompts or ("",)) if sample else ()
    with contextlib.ExitStack() as record:
        if together is None:
            record.enter_context(stopped_runs.begun(output))
        given = (how, {**vocabulary, "unknown": settings["unknown"]}, init_from, grow)
        text = texts.read_pairs(corpus, source, *given) if source else texts.read(corpus, *given)
        _check_kind(text, settings, prompts, ngrams)
        if workers is not None and together is None:
            with interrupts.deferred():
                _in_processes(output, workers, address, found, command)
            return
        if settings["cell"] == "ngram":
            with interrupts.deferred():
                counting.count(text, settings, output, shown)
        else:
            job = _job(text, settings, init_from, found, vocabulary if grow else None, together)
            of_prompts.check(prompts, job.generator.vocabulary)  # better known now than after an hour
            TrainingRun(
                console=terminal.console(),
                job=job,
                output=output,
                continue_command=f"{command} --resume",
                prompts=shown,
                temperatures=temperatures,
                plot=plot,
                checkpoints=Checkpoints(stopped_runs.directory(output)),
                every=checkpoint_every,
                found=found,
                retry=retry,
                ngrams=ngrams,
                keep_epochs=keep_epochs,
                is_chief=together is None or together.is_chief,
            ).run(text)
    beginning = quote(_first(prompts))
    if isinstance(text, Pairs | PreparedPairs):
        beginning = f"--source {quote(texts.example(text))}"
    terminal.say(f"\nThe model is {output}. Try:\n  tfgen generate {quote(output)} {beginning}")


def _to_resume(
    output: Path, overwrite: bool, resume: bool, init_from: Path | None, together: Workers | None
) -> StoppedRun | None:
    """Find the run that goes on, if one does, and refuse to replace what was not meant to be."""
    if together:  # where the command was given all this was looked at, and a run that was killed goes on
        return stopped_runs.found_by_chief(output, together)
    found = stopped_runs.to_resume(output, resume, overwrite)
    goes_on = found is not None or (resume and stopped_runs.ended(output) is False)
    check_output(output, overwrite or output == init_from or goes_on)
    return found


def _job(
    text: Text,
    settings: dict[str, Any],
    init_from: Path | None,
    found: StoppedRun | None,
    growing: dict[str, Any] | None,
    together: Workers | None,
) -> Job:
    """Build the job of one process, or of one of several that train together."""
    wanted = {name: value for name, value in settings.items() if value is not None}
    if together is None:
        return job_of(text, wanted, init_from, found, growing)
    with together.agreeing():
        job = job_of(text, wanted, init_from, found, growing)
        job.generator.workers = together
    return job


def _command(corpus: tuple[str, ...], output: Path) -> str:
    """Give the command that was given, without what says what becomes of an earlier run."""
    given = options_given(but=("corpus", "output", "overwrite", "resume"))
    read = [quote(name if name == "-" else Path(name)) for name in corpus]  # "-" alone is standard input
    return " ".join(["tfgen train", *map(quote, given), *read, "-o", quote(output)])


def _check_beginning(init_from: Path | None, grow: bool, settings: dict[str, Any]) -> None:
    """Refuse options that do not suit a model to go on from, or its absence."""
    if grow and not init_from:
        raise click.UsageError("--grow-vocabulary goes with --init-from: name the model to start from.")
    shape = (*(("split",) if grow else options.VOCABULARY), *options.NETWORK, *options.ENCODER)
    if init_from and (wrong := [name for name in shape if settings[name] is not None]):
        raise click.UsageError(f"with --init-from the model has its shape: remove --{wrong[0].replace('_', '-')}.")


def _check_workers(corpus: tuple[str, ...], settings: dict[str, Any], workers: int | None, address: str | None) -> None:
    """Refuse what several processes cannot do."""
    if workers is None:
        if address:
            raise click.UsageError("--address is where --workers run: give that too, or omit it.")
        return
    if "-" in corpus:
        raise click.UsageError("each of --workers reads the text, and standard input is read once: give a file.")
    if settings["cell"] == "ngram":
        raise click.UsageError("--cell ngram counts in one process: omit --workers.")


def _in_processes(output: Path, workers: int, address: str | None, found: StoppedRun | None, command: str) -> None:
    """Give the same command to several processes, which train together."""
    from tfgen.cli import worker
    from tfgen.machines import group

    checkpoints = Checkpoints(stopped_runs.directory(output))
    try:
        if not found:
            checkpoints.clear()
            stopped_runs.directory(output).mkdir(exist_ok=True)
        folder = (stopped_runs.directory(output) / "ray").resolve()
        group.train_together(worker.work, sys.argv[1:], workers=workers, folder=folder, address=address)
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            terminal.say(f"\nAll workers have ended. To go on:\n  {command} --resume", err=True)
        raise


def _first(prompts: tuple[str, ...]) -> str:
    """Give the first of the prompts that is not read as an option."""
    return next((prompt for prompt in prompts if not prompt.startswith("-")), "")


def _check_kind(text: Text, settings: dict[str, Any], prompts: tuple[str, ...], ngrams: int | None) -> None:
    """Refuse options that do not suit the kind of text, or of model."""
    is_paired = isinstance(text, Pairs | PreparedPairs)
    if prompts and is_paired:
        raise click.UsageError("with --source, samples are written from sources that are held out: omit --prompt.")
    if settings["cell"] == "ngram":
        counting.check_options()
    elif settings["order"] is not None:
        raise click.UsageError("--order is the length of the n-grams of --cell ngram: give that too, or omit it.")
    if ngrams and (is_paired or settings["validation"] == 0):
        raise click.UsageError("--ngrams needs a text without sources, and a validation part to fit the weights on.")


def _name(corpus: str) -> str:
    """Name a model after its corpus; a glob and standard input name none."""
    stem = Path(corpus).resolve().stem
    return "model" if corpus == "-" or not stem or glob.has_magic(stem) else stem
