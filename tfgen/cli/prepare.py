"""`tfgen prepare`: text of any size to ids on disk, which training maps into memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tfgen import model_files
from tfgen.cli import options, prepared_texts, terminal
from tfgen.corpora import Corpus
from tfgen.errors import InputError
from tfgen.prepared import preparing
from tfgen.prepared.corpus import Prepared
from tfgen.prepared.pairs import prepare_pairs
from tfgen.vocabulary.vocabulary import RESERVED, Vocabulary

if TYPE_CHECKING:
    from rich.console import Console


@click.command()
@click.argument("corpus", nargs=-1)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new directory.  [in ~/.keras/tfgen/prepared]")
@click.option("--init-from", type=click.Path(path_type=Path), help="Take the vocabulary of this model.")
@options.corpus
@options.source
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
    source: str | None,
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
    if source:
        _prepare_pairs(console, corpus, output, source, init_from, {**given, **settings})
        return
    text = preparing.prepare_corpus(options.as_source(corpus), output, show=console.print, **given, **settings)
    console.print(
        f"{described(text, text.vocabulary, was_counted(text))}\n"
        f"ids: {len(text.ids):,} of {text.ids.itemsize} bytes in {text.path}\n\n"
        f"Try:\n  tfgen train {terminal.quote(text.path)}"
    )


def _prepare_pairs(
    console: Console,
    corpus: tuple[str, ...],
    output: Path | None,
    source: str,
    init_from: Path | None,
    how: dict[str, Any],
) -> None:
    """Prepare two columns of a table, and say what there is."""
    if output is None:
        raise click.UsageError("--source goes with --output, a directory for both columns.")
    how = columns_of_a_table(corpus, how)
    if init_from:
        how["source_vocabulary"] = source_vocabulary_of(init_from)
    both = prepare_pairs(corpus[0], output, source=source, show=console.print, **how)
    for text in (both.sources, both.texts):
        console.print(described(text, text.vocabulary, was_counted(text)))
    ids = len(both.sources.ids) + len(both.texts.ids)
    console.print(f"ids: {ids:,} in {output}\n\nTry:\n  tfgen train {terminal.quote(output)}")


def columns_of_a_table(corpus: tuple[str, ...], how: dict[str, Any]) -> dict[str, Any]:
    """Give how two columns of one table are read, of how a corpus is read, but for the column of sources.

    Raises:
        UsageError: It is no such table, or it is read in another way.
    """
    if how["column"] is None:
        raise click.UsageError("--source COLUMN goes with --column COLUMN, which is what is written from it.")
    if len(corpus) != 1:
        raise click.UsageError(f"--source reads one table; received {len(corpus)}.")
    for name in ("lines", "strip_gutenberg"):
        if how[name]:
            raise click.UsageError(f"--source reads columns: omit --{name.replace('_', '-')}.")
    return {name: value for name, value in how.items() if name not in ("lines", "strip_gutenberg")}


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


def source_vocabulary_of(model: Path) -> Vocabulary:
    """Read the vocabulary of the encoder of a model file, without TensorFlow.

    Raises:
        InputError: It has no encoder of texts.
    """
    encoder = (model_files.read_config(model).get("network") or {}).get("config", {}).get("encoder") or {}
    if encoder.get("class_name") != "TextEncoder":
        raise InputError(f"{str(model)!r} has no encoder that reads texts: omit --source, or choose another model.")
    return Vocabulary.from_config(encoder["config"]["vocabulary"])


def vocabulary_of(model: Path) -> Vocabulary:
    """Read the vocabulary of a model file, without TensorFlow."""
    return Vocabulary.from_config(model_files.read_config(model)["vocabulary"])
