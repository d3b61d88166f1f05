"""`tfgen mix`: several model files of one vocabulary as one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from tfgen import model_files
from tfgen.cli import options, tensorflow_log, terminal
from tfgen.cli.outputs import check_output
from tfgen.cli.terminal import quote
from tfgen.corpora import load_corpus
from tfgen.support import interrupts


@click.command(
    epilog=options.examples(
        "tfgen mix network.keras counts.keras -o both.keras",
        "tfgen mix network.keras counts.keras -o both.keras --on held-out.txt",
    )
)
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The model file of the mixture.")
@click.option("--overwrite", is_flag=True, help="Replace a model file.")
@click.option("--on", "corpus", help="Fit the weights on this text, which no model has learned from.")
@options.corpus
def mix(models: tuple[Path, ...], output: Path, overwrite: bool, corpus: str | None, **reading: Any) -> None:
    """Mix MODELS, at least two .keras files of one vocabulary: each token's probability is their weighted sum.

    Weights are fitted by likelihood with --on; without it networks weigh 0.6 together and counts 0.4.
    """
    check_output(output, overwrite)
    for model in models:
        model_files.read_config(model)  # says at once what is wrong with a file
    on = None if corpus is None else [text for text in load_corpus(corpus, **reading).documents if text]
    tensorflow_log.import_tensorflow()
    with interrupts.deferred():
        from tfgen.networks import mixture
        from tfgen.text_generator import TextGenerator

        members = [model_files.load(model) for model in models]
        mixed = TextGenerator.mix(members, on=on)
        mixed.save(output)
    for model, share in zip(models, mixed.provenance["shares"], strict=True):
        terminal.say(f"{share:.3f} {model}")
    if on is not None:
        known = sum(map(len, on))
        scores = [generator.score(on) for generator in members]
        log_p = [np.concatenate([score.log_probabilities for score in of_member]) for of_member in scores]
        for name, of_model in zip([*models, output], [*log_p, mixture.crossed(log_p)], strict=True):
            terminal.say(f"{-of_model.sum() / known:.3f} nats a character of {corpus}: {name}")
        terminal.say("The mixture's figure is of each half of the text with weights fitted on the other half.")
    terminal.say(f"\nThe model is {output}. Try:\n  tfgen generate {quote(output)} ''")
