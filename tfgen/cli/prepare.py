"""`tfgen prepare`: text of any size to ids on disk, which training maps into memory."""

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from tfgen import model_files
from tfgen.cli import options, prepared_texts, terminal
from tfgen.corpora import Corpus
from tfgen.prepared import preparing
from tfgen.prepared.corpus import Prepared
from tfgen.vocabulary.vocabulary import RESERVED, Vocabulary


@click.command()
@click.argument("corpus", nargs=-1)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new directory.  [in ~/.keras/tfgen/prepared]")
@click.option("--init-from", type=click.Path(path_type=Path), help="Take the vocabulary of this model.")
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
    text = preparing.prepare_corpus(options.as_source(corpus), output, show=console.print, **given, **settings)
    console.print(
        f"{described(text, text.vocabulary, was_counted(text))}\n"
        f"ids: {len(text.ids):,} of {text.ids.itemsize} bytes in {text.path}\n\n"
        f"Try:\n  tfgen train {terminal.quote(text.path)}"
    )


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
    documents = f" in {text.number_of_documents:,} documents" if text.ends else ""
    tokens = "words" if vocabulary.split == "word" else "characters"
    covers = f"; {vocabulary.coverage()}" if counted else ""
    return (
        f"{text.source}: {text.characters:,} characters{documents}\n"
        f"vocabulary: {len(vocabulary) - len(RESERVED)} {tokens}{covers}"
    )


def vocabulary_of(model: Path) -> Vocabulary:
    """Read the vocabulary of a model file, without TensorFlow."""
    return Vocabulary.from_config(model_files.read_config(model)["vocabulary"])
