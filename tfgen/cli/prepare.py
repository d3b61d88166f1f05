"""`tfgen prepare`: text of any size to ids on disk, which training maps into memory."""

from pathlib import Path
from typing import Any

import click

from tfgen import model_files
from tfgen.cli import options, terminal
from tfgen.corpora import Corpus
from tfgen.prepared import preparing
from tfgen.prepared.corpus import Prepared
from tfgen.vocabulary.vocabulary import RESERVED, Vocabulary


@click.command()
@click.argument("corpus", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new directory.  [in ~/.keras/tfgen/prepared]")
@click.option("--init-from", type=click.Path(path_type=Path), help="Take the vocabulary of this model.")
@options.corpus
@options.vocabulary
def prepare(corpus: tuple[str, ...], output: Path | None, init_from: Path | None, **settings: Any) -> None:
    """Turn CORPUS, text of any size, into ids on disk, for `tfgen train` to read from there.

    It takes the same texts as `tfgen train`, which does this by itself where they are large. The memory it needs does
    not grow with the text. Text that was prepared before is found again by its content.
    """
    counting = {name: settings.pop(name) for name in options.VOCABULARY}
    if init_from:
        if wrong := [name for name in options.VOCABULARY if counting[name] is not None]:
            raise click.UsageError(f"with --init-from the model has its vocabulary: leave away --{wrong[0]}.")
        counting = {"vocabulary": vocabulary_of(init_from)}
    given = {name: value for name, value in counting.items() if value is not None}
    console = terminal.console()
    text = preparing.prepare_corpus(options.as_source(corpus), output, show=console.print, **given, **settings)
    console.print(
        f"{described(text, text.vocabulary, was_counted(text))}\n"
        f"ids: {len(text.ids):,} of {text.ids.itemsize} bytes in {text.path}\n\n"
        f"Try:\n  tfgen train {terminal.quote(text.path)}"
    )


def was_counted(text: Prepared) -> bool:
    """Tell whether a vocabulary was counted on this text, or comes from elsewhere."""
    return sum(text.vocabulary.counts) == len(text.ids) - text.ends  # the end of text before the first is not counted


def described(text: Corpus | Prepared, vocabulary: Vocabulary, counted: bool) -> str:
    """Say how much text there is, and how much of it a vocabulary covers that was counted on it."""
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
