"""`tfgen train`: from a corpus to a model file, watched."""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tfgen import model_files, plots
from tfgen.cli import endings, options, stopped_runs, tensorflow_log, terminal
from tfgen.cli.options import as_source
from tfgen.cli.prepare import described, reading_of_pairs, source_vocabulary_of, vocabulary_of, was_counted
from tfgen.cli.stopped_runs import StoppedRun
from tfgen.cli.terminal import quote
from tfgen.corpora import Corpus, open_source
from tfgen.corpora.pairs import Pairs, load_pairs, open_pairs
from tfgen.errors import InputError
from tfgen.prepared import preparing
from tfgen.prepared.corpus import Prepared, is_prepared, open_prepared
from tfgen.prepared.pairs import PreparedPairs, are_prepared_pairs, open_prepared_pairs, prepare_pairs
from tfgen.support import interrupts, kept_epochs, wording
from tfgen.support.checkpoints import Checkpoints
from tfgen.terms.costs import cost
from tfgen.vocabulary import separators
from tfgen.vocabulary.vocabulary import Vocabulary

if TYPE_CHECKING:
    from rich.console import Console

    from tfgen.callbacks import LearningCurve
    from tfgen.text_generator import TextGenerator
    from tfgen.training import Floor, Job, Text
    from tfgen.workers import Workers

# Where training can be stopped.
_BORDERS = ("on_train_begin", "on_train_batch_end", "on_test_batch_end", "on_epoch_end")

_LARGE = 64 << 20  # bytes: a smaller text is read faster than a cache would be looked through


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
@options.temperatures
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
    if together is None:
        found = stopped_runs.to_resume(output, resume, overwrite)
        goes_on = found is not None or (resume and stopped_runs.ended(output) is False)
        check_output(output, overwrite or output == init_from or goes_on)
    else:  # one of several: where the command was given all this was looked at, and a run that was killed goes on
        found = stopped_runs.found_by_chief(output, together)
    if plot:
        plots.check_path(plot)
    if grow and not init_from:
        raise click.UsageError("--grow-vocabulary goes with --init-from: name the model to start from.")
    shape = (*(("split",) if grow else options.VOCABULARY), *options.NETWORK, *options.ENCODER)
    if init_from and (wrong := [name for name in shape if settings[name] is not None]):
        raise click.UsageError(f"with --init-from the model has its shape: remove --{wrong[0].replace('_', '-')}.")
    options_given = _given("corpus", "output", "overwrite", "resume")
    texts = [quote(name if name == "-" else Path(name)) for name in corpus]  # "-" alone is standard input
    again = [*map(quote, options_given), *texts]
    how = {name: settings.pop(name) for name in options.READING}
    if init_from:
        known = vocabulary_of(init_from)
        how |= {"normalize": how["normalize"] or known.normalize, "lower": how["lower"] or known.lower}
    counting = {name: settings[name] for name in options.VOCABULARY}
    shown = (prompts or ("",)) if sample else ()
    if workers is not None:
        _check_workers(corpus, settings)
    elif address:
        raise click.UsageError("--address is where --workers run: give that too, or omit it.")
    with contextlib.ExitStack() as record:
        if together is None:
            record.enter_context(stopped_runs.begun(output))
        given = (how, {**counting, "unknown": settings["unknown"]}, init_from, grow)
        text = _read_pairs(corpus, source, *given) if source else _read(corpus, *given)
        _check_kind(text, settings, prompts, ngrams)
        if workers is not None and together is None:
            with interrupts.deferred():
                _in_processes(output, workers, address, found, f"tfgen train {' '.join(again)} -o {quote(output)}")
            return
        if settings["cell"] == "ngram":
            with interrupts.deferred():
                count(text, settings, output, shown)
            click.echo(f"\nThe model is {output}. Try:\n  tfgen generate {quote(output)} {quote(_first(prompts))}")
            return
        with together.agreeing() if together else contextlib.nullcontext():
            wanted = {name: value for name, value in settings.items() if value is not None}
            job = job_of(text, wanted, init_from, found, counting if grow else None)
            if together:
                job.generator.workers = together
        for prompt in prompts:
            job.generator.vocabulary.encode(prompt)  # an unknown character is better known now than after an hour
        TrainingRun(
            console=terminal.console(),
            job=job,
            output=output,
            continue_command=f"tfgen train {' '.join(again)} -o {quote(output)} --resume",
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
        beginning = f"--source {quote(_example(text))}"
    click.echo(f"\nThe model is {output}. Try:\n  tfgen generate {quote(output)} {beginning}")


def _check_workers(corpus: tuple[str, ...], settings: dict[str, Any]) -> None:
    """Refuse what several processes cannot do."""
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
            click.echo(f"\nAll workers have ended. To go on:\n  {command} --resume", err=True)
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
        options_of_counts()
    elif settings["order"] is not None:
        raise click.UsageError("--order is the length of the n-grams of --cell ngram: give that too, or omit it.")
    if ngrams and (is_paired or settings["validation"] == 0):
        raise click.UsageError("--ngrams needs a text without sources, and a validation part to fit the weights on.")


def options_of_counts() -> None:
    """Refuse options that have no meaning where nothing is trained.

    Raises:
        UsageError: Names the first of them.
    """
    meant = {"corpus", "output", "overwrite", "prompts", "sample", "cell", "order", "cut", "validation", "seed"}
    meant |= {"unknown"}
    meant |= {*options.VOCABULARY, *options.READING}
    if given := _given(*meant):
        raise click.UsageError(f"--cell ngram counts, and trains nothing: remove {given[0]}.")


def count(text: Text, settings: dict[str, Any], output: Path, prompts: tuple[str, ...]) -> None:
    """Count a text, say how well it is predicted, and save the model."""
    tensorflow_log.import_tensorflow()
    from tfgen import training

    if isinstance(text, Pairs | PreparedPairs):
        raise InputError("counts read no source; give a corpus without sources, or another cell.")
    wanted = {name: value for name, value in settings.items() if value is not None}
    generator = training.count(text, training.Settings(**wanted))
    for prompt in prompts:
        generator.vocabulary.encode(prompt)  # before anything is said
    known, result = generator.provenance, generator.provenance["result"]
    console = terminal.console()
    console.print(described(text, generator.vocabulary, not isinstance(text, Prepared) or was_counted(text)))
    console.print(
        f"counts: {known['ngrams']:,} n-grams of up to {known['settings']['order']} {generator.vocabulary.split}s, in "
        f"{result['seconds']:.1f} s"
    )
    if "val_nats" in result:
        split = generator.vocabulary.split
        console.print(f"validation {cost(result['val_nats'], split, result['val_bits'])}")
    generator.save(output)
    if prompts:
        texts = generator.generate(list(prompts), temperature=0.8, seed=0)
        shown = separators.between(generator.vocabulary, prompts).join(texts)
        console.out(f"\n--- temperature 0.8 ---\n{shown}")


def _read(
    corpus: tuple[str, ...], how: dict[str, Any], counting: dict[str, Any], init_from: Path | None, grow: bool
) -> Text:
    """Hold the text in memory, or its ids on disk where it is large or was prepared before."""
    if len(corpus) == 1 and (is_prepared(corpus[0]) or are_prepared_pairs(corpus[0])):
        if given := _given(*(option.name for option in train.params if option.name not in {*how, *counting})):
            raise click.UsageError(f"{corpus[0]!r} was prepared, with a vocabulary: remove {given[0]}.")
        return open_prepared(corpus[0]) if is_prepared(corpus[0]) else open_prepared_pairs(corpus[0])
    text = open_source(as_source(corpus), **how)
    if text.bytes_on_disk() <= _LARGE:
        return text.load()
    known = counting
    if init_from:
        vocabulary = vocabulary_of(init_from)
        if grow:
            counted = (vocabulary.split, counting["max_tokens"], counting["min_count"] or 1)
            vocabulary = vocabulary.extended(Vocabulary.from_pieces(text.pieces(), text.ends, *counted))
        known = {"vocabulary": vocabulary, "unknown": counting["unknown"]}
    known = {name: value for name, value in known.items() if value is not None}
    return preparing.prepare_corpus(as_source(corpus), show=lambda stage: click.echo(stage, err=True), **known, **how)


def _read_pairs(
    corpus: tuple[str, ...],
    source: str,
    how: dict[str, Any],
    counting: dict[str, Any],
    init_from: Path | None,
    grow: bool,
) -> Pairs | PreparedPairs:
    """Hold two columns of a table in memory, or their ids on disk where it is large or was prepared before."""
    if len(corpus) == 1 and (is_prepared(corpus[0]) or are_prepared_pairs(corpus[0])):
        raise click.UsageError(
            f"{corpus[0]!r} was prepared, with its sources: omit --source."
            if are_prepared_pairs(corpus[0])
            else f"{corpus[0]!r} was prepared without sources: omit --source, or prepare the table with --source."
        )
    columns = {"source": source, **reading_of_pairs(how)}
    if open_pairs(as_source(corpus), **columns)[0].bytes_on_disk() <= _LARGE:
        return load_pairs(as_source(corpus), **columns)
    known: dict[str, Any] = counting
    if init_from:
        known = {"vocabulary": vocabulary_of(init_from), "source_vocabulary": source_vocabulary_of(init_from)}
        known["unknown"] = counting["unknown"]
    if grow:
        raise click.UsageError(f"a table of more than {_LARGE:,} bytes is prepared: omit --grow-vocabulary.")
    known = {name: value for name, value in known.items() if value is not None}
    return prepare_pairs(as_source(corpus), show=lambda stage: click.echo(stage, err=True), **known, **columns)


def _example(pairs: Pairs | PreparedPairs) -> str:
    """Give the first of the sources."""
    if isinstance(pairs, Pairs):
        return pairs.sources.documents[0]
    from tfgen.datasets import document_rows

    _, begins, ends = next(document_rows.documents(pairs.sources.ids))
    return pairs.sources.vocabulary.decode(pairs.sources.ids[begins[0] + 1 : ends[0]])


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


def check_name(output: Path) -> None:
    """Refuse a name that no model file can have."""
    if output.is_dir() or output.suffix != ".keras":
        raise click.UsageError(f"the output must be a file whose name ends in .keras; received {str(output)!r}.")


def check_output(output: Path, overwrite: bool) -> None:
    """Refuse a place that cannot be written now, rather than after an hour of training."""
    check_name(output)
    if output.exists() and not overwrite:
        raise click.UsageError(f"{str(output)!r} exists: choose another --output, or replace it with --overwrite.")
    folder = Path(os.path.realpath(output)).parent if output.is_symlink() else output.parent
    shown = f"{str(folder)!r}, where the link {str(output)!r} leads" if output.is_symlink() else repr(str(folder))
    another = [("output", "choose another --output"), ("directory", "choose another --directory")]
    if not folder.is_dir():
        raise InputError(f"there is no directory {shown}", [("", "make it"), *another])
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise InputError(f"{shown} cannot be written to ({error.strerror or error})", another) from None


def job_of(
    corpus: Text,
    settings: dict[str, Any],
    init_from: Path | None = None,
    found: StoppedRun | None = None,
    growing: dict[str, Any] | None = None,
) -> Job:
    """Import TensorFlow and build vocabulary, batches and generator, which grows by what is counted with `growing`."""
    if init_from:
        model_files.read_config(init_from)  # says at once what is wrong with the file
    tensorflow_log.import_tensorflow()
    with interrupts.deferred():
        from tfgen import training

        generator = model_files.load(init_from) if init_from else None
        if generator is not None and growing is not None:
            generator = _grown(generator, corpus, growing)
        return training.prepare(corpus, training.Settings(**settings), generator, found.retried if found else ())


def _grown(generator: TextGenerator, corpus: Text, counting: dict[str, Any]) -> TextGenerator:
    """Give a generator that knows the tokens of a corpus too, and say how many are new."""

    def extended(known: Vocabulary, text: Corpus | Prepared) -> Vocabulary:
        if isinstance(text, Prepared):
            return text.vocabulary
        limits = {"max_tokens": counting["max_tokens"], "min_count": counting["min_count"] or 1}
        return known.extended(Vocabulary.from_corpus(text, known.split, **limits))

    known, of_sources = generator.vocabulary, None
    new_of_sources: tuple[str, ...] = ()
    vocabulary = extended(known, corpus.texts if isinstance(corpus, Pairs | PreparedPairs) else corpus)
    read = getattr(getattr(generator.network, "encoder", None), "vocabulary", None)
    if isinstance(corpus, Pairs | PreparedPairs) and read is not None:
        of_sources = extended(read, corpus.sources)
        new_of_sources = of_sources.tokens[len(read) :]
    new = vocabulary.tokens[len(known) :] + new_of_sources
    click.echo(f"new {known.split}s: {wording.listing(dict.fromkeys(new))}")
    return generator.with_vocabulary(vocabulary, of_sources) if new else generator


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
        from tfgen import training

        floor = training.floor(corpus, self.job, self.ngrams or 7) if self.is_chief else None
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
                job = training.retry(job)
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
            self.console.print(_against(_counts(self.ngrams), floor, job))
        if self.ngrams:
            self._mix(floor)
        if self.prompts:
            source = _example(corpus) if isinstance(corpus, Pairs | PreparedPairs) else None
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
        from tfgen import training

        if floor is None:
            raise InputError(
                f"the text was not counted, for it has sources or is too large: {self.output} has the network alone."
            )
        mixed, nats = training.mix(self.job, floor)
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

        from tfgen import callbacks, training

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
            training.run(job, watching)
        except KeyboardInterrupt:
            kept = self._keep_interrupted(existed)
            with contextlib.suppress(OSError):  # the terminal may be gone
                bar.close()
                click.echo(f"\nInterrupted. {kept}To go on:\n  {self.continue_command}", err=True)
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
        longest = "" if settings.length is None else f" of up to {settings.length} tokens each"
        self.console.print(
            f"network: {generator.provenance['parameters']:,} parameters\n"
            f"training: {settings.epochs} epochs of {len(self.job.train):,} batches, "
            f"{settings.batch_size} {settings.cut}{longest}"
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


def _against(counts: str, floor: Floor, job: Job) -> str:
    """Say whether a network predicts the validation part better than counts do."""
    reached = job.generator.provenance.get("result", {}).get("val_nats")
    unit = "nats" if job.settings.split == "character" else f"nats per {job.settings.split}"
    if reached is not None and reached < floor.nats:
        return f"validation {reached:.3f} {unit}: better than {counts}, {floor.nats:.3f} {unit}"
    said = "" if reached is None else f"{reached:.3f} {unit} against "
    return f"the network has not beaten {counts} yet, {said}{floor.nats:.3f} {unit}: train it for more epochs"


def _warn(message: str) -> None:
    click.echo(f"tfgen: {message}", err=True)


def _identity(path: Path) -> tuple[int, int] | None:
    """Tell one file of a name from the next: a saved model is a new file, renamed."""
    return (path.stat().st_ino, path.stat().st_mtime_ns) if path.exists() else None


def _unformatted(path: Path) -> str:
    """Protect braces, which Keras would fill in as it does in `{epoch}.keras`."""
    return str(path).replace("{", "{{").replace("}", "}}")
