"""Counting in the place of training: what `tfgen train --cell ngram` does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfgen.cli import options, tensorflow_log, terminal
from tfgen.cli import prompts as of_prompts
from tfgen.cli.given import options_given
from tfgen.cli.prepare import described, was_counted
from tfgen.corpora.pairs import Pairs
from tfgen.errors import InputError
from tfgen.prepared.corpus import Prepared
from tfgen.prepared.pairs import PreparedPairs
from tfgen.terms.costs import cost
from tfgen.vocabulary import separators

if TYPE_CHECKING:
    from tfgen.training.settings import Text


def check_options() -> None:
    """Refuse options that have no meaning where nothing is trained.

    Raises:
        UsageError: Names the first of them.
    """
    meant = {"corpus", "output", "overwrite", "prompts", "sample", "cell", "order", "cut", "validation", "seed"}
    meant |= {"unknown"}
    meant |= {*options.VOCABULARY, *options.READING}
    if given := options_given(but=meant):
        raise click.UsageError(f"--cell ngram counts, and trains nothing: remove {given[0]}.")


def count(text: Text, settings: dict[str, Any], output: Path, prompts: tuple[str, ...]) -> None:
    """Count a text, say how well it is predicted, and save the model."""
    tensorflow_log.import_tensorflow()
    from tfgen.training import counting
    from tfgen.training.settings import Settings

    if isinstance(text, Pairs | PreparedPairs):
        raise InputError("counts read no source; give a corpus without sources, or another cell.")
    wanted = {name: value for name, value in settings.items() if value is not None}
    generator = counting.count(text, Settings(**wanted))
    of_prompts.check(prompts, generator.vocabulary)  # before anything is said
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
