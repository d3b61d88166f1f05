"""`tfgen prepare`: text of any size to ids on disk, which training maps into memory."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console

from tfgen import model_files
from tfgen.cli import noticed, options, prepared_texts, terminal
from tfgen.corpora import Corpus
from tfgen.errors import InputError
from tfgen.prepared import pairs, preparing
from tfgen.prepared.corpus import Prepared
from tfgen.support import wording
from tfgen.vocabulary.vocabulary import RESERVED, Vocabulary


@click.command(
    epilog=options.examples(
        "tfgen prepare huge.txt.gz -o huge", "tfgen prepare dates.csv --source written --column iso -o dates.prepared"
    )
)
@click.argument("corpus", nargs=-1)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new directory.  [in ~/.keras/tfgen/prepared]")
@click.option("--init-from", type=click.Path(path_type=Path), help="Take the vocabulary of this model.")
@click.option("--source", metavar="COLUMN", help="Prepare pairs: each text of --column beside what is in this one.")
@options.corpus
@options.vocabulary
@click.option("--list", "list_", is_flag=True, help="List the prepared texts in ~/.keras/tfgen/prepared.")
@click.option("--json", "as_json", is_flag=True, help="With --list: write one JSON object.")
@click.option("--clean", is_flag=True, help="Remove the prepared texts in there that are not in use.")
@click.option(
    "--older-than", type=options.Real(0), metavar="DAYS", help="With --clean: only those not used for so long."
)
def prepare(
    corpus: tuple[str, ...],
    output: Path | None,
    init_from: Path | None,
    source: str | None,
    list_: bool,
    as_json: bool,
    clean: bool,
    older_than: float | None,
    **settings: Any,
) -> None:
    """Turn CORPUS, text of any size, into ids on disk, for `tfgen train` to read from there.

    It takes the same texts as `tfgen train`, which does this by itself where they are large. The memory it needs does
    not grow with the text. Text that was prepared before is found again by its content. In ~/.keras/tfgen/prepared, a
    text that was not used for 30 days is removed when another one is prepared.

    With --source and --column, two columns of a table are prepared: a source, and a text that depends on it.
    """
    console = terminal.console()
    if list_:
        _check_goes_with("--list", "list_", "as_json")
        prepared_texts.show(console, as_json)
        return
    if clean:
        _check_goes_with("--clean", "clean", "older_than")
        prepared_texts.clean(console, older_than)
        return
    if as_json or older_than is not None:
        raise click.UsageError("--json goes with --list." if as_json else "--older-than goes with --clean.")
    if not corpus:
        raise click.UsageError("Missing argument 'CORPUS...'.")
    counting = {name: settings.pop(name) for name in options.VOCABULARY}
    if init_from:
        if wrong := [name for name in options.VOCABULARY if counting[name] is not None]:
            raise click.UsageError(
                f"with --init-from the model has its vocabulary: omit --{wrong[0].replace('_', '-')}."
            )
        counting = {"vocabulary": vocabulary_of(init_from)}
    given = {name: value for name, value in counting.items() if value is not None}
    if source is not None:
        if init_from:
            given["source_vocabulary"] = source_vocabulary_of(init_from)
        _prepare_pairs(console, corpus, output, source, **given, **settings)
        return
    text = preparing.prepare_corpus(options.as_source(corpus), output, show=console.print, **given, **settings)
    console.print(f"{_prepared(text)}\n\nTry:\n  tfgen train {terminal.quote(text.path)}")


def _prepare_pairs(
    console: Console, corpus: tuple[str, ...], output: Path | None, source: str, **settings: Any
) -> None:
    settings = reading_of_pairs(settings)
    found = pairs.prepare_pairs(options.as_source(corpus), output, source=source, show=console.print, **settings)
    console.print(f"{_prepared(found.sources)}\n{_prepared(found.texts)}")
    if output:
        console.print(f"\nTry:\n  tfgen train {terminal.quote(output)}")


def reading_of_pairs(how: dict[str, Any]) -> dict[str, Any]:
    """Give how two columns are read, of how a corpus is read.

    Raises:
        UsageError: An option is missing, or does not go with `--source`.
    """
    if how["column"] is None:
        raise click.UsageError("--source needs --column, which names the column of the texts.")
    alone = ("lines", "paragraphs", "split_on", "strip_gutenberg")
    for switch in alone:
        if how[switch] not in (None, False):
            raise click.UsageError(f"--source goes without --{switch.replace('_', '-')}.")
    return {name: value for name, value in how.items() if name not in alone}


def _prepared(text: Prepared) -> str:
    """Describe a prepared text, and where its ids are."""
    ids = f"ids: {len(text.ids):,} of {text.ids.itemsize} bytes in {text.path}"
    return f"{described(text, text.vocabulary, was_counted(text))}\n{ids}"


def _check_goes_with(switch: str, *names: str) -> None:
    """Refuse a switch together with anything but these arguments."""
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") == ParameterSource.COMMANDLINE
        if given and parameter.name not in names and context.params[parameter.name or ""] != ():
            what = "a CORPUS" if isinstance(parameter, click.Argument) else parameter.opts[-1]
            raise click.UsageError(f"{switch} goes without {what}.")


def was_counted(text: Prepared) -> bool:
    """Whether the vocabulary was counted on this text, and does not come from elsewhere."""
    return sum(text.vocabulary.counts) == len(text.ids) - text.ends  # the end of text before the first is not counted


def described(text: Corpus | Prepared, vocabulary: Vocabulary, counted: bool) -> str:
    """Describe how much text there is, and how much of it is covered by a vocabulary that was counted on it."""
    documents = f" in {wording.number(text.number_of_documents, 'document')}" if text.ends else ""
    tokens = "words" if vocabulary.split == "word" else "characters"
    covers = f"; {vocabulary.coverage()}" if counted else ""
    return (
        f"{terminal.on_one_line(text.source)}: {wording.number(text.characters, 'character')}{documents}\n"
        f"vocabulary: {len(vocabulary) - len(RESERVED)} {tokens}{covers}"
        + "".join(f"\n{line}" for line in noticed.described(text.noticed))
    )


def vocabulary_of(model: Path) -> Vocabulary:
    """Read the vocabulary of a model file, without TensorFlow."""
    return Vocabulary.from_config(model_files.read_config(model)["vocabulary"])


def source_vocabulary_of(model: Path) -> Vocabulary:
    """Read the vocabulary of a model's encoder of texts, without TensorFlow.

    Raises:
        InputError: It has no such encoder.
    """
    encoder = _part(_part(model_files.read_config(model), "network"), "encoder")
    if "vocabulary" not in encoder:
        raise InputError(
            f"{str(model)!r} reads no source texts; give a model trained with --source, or omit --init-from."
        )
    return Vocabulary.from_config(encoder["vocabulary"])


def _part(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Give the configuration of a part that Keras has serialised; an empty one if there is no such part."""
    part = config.get(name)
    inner = part.get("config") if isinstance(part, dict) else None
    return inner if isinstance(inner, dict) else {}
