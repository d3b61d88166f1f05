"""`tfgen compare`: models side by side on one text and one prompt."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from tfgen import comparison, plots
from tfgen.cli import options, tensorflow_log, terminal
from tfgen.corpora import load_corpus
from tfgen.corpora.corpus import find_forbidden
from tfgen.errors import InputError
from tfgen.support import interrupts


@click.command(
    epilog=options.examples(
        'tfgen compare lstm.keras counts.keras --on held-out.txt --prompt "ROMEO:"',
        "tfgen compare *.keras --on held-out.txt --corpus book.txt --plot models.png",
    )
)
@click.argument("models", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--on", required=True, help="Score this text, which no model has learned from, named as for train.")
@click.option("--prompt", default="", help="What each writes on from.")
@click.option("--corpus", help="What the models have learned: tells how much of what they write is copied from it.")
@click.option("--length", type=options.whole(1, 10**8), default=300, show_default=True, help="New tokens of a text.")
@click.option(
    "--sample",
    type=options.whole(1, 200_000),
    default=10_000,
    show_default=True,
    help="Characters to write for speed and copies.",
)
@click.option("--seed", type=options.whole(0, 2**62), default=0, show_default=True, help="Of the first text.")
@click.option("--adapt/--no-adapt", default=True, help="Whether to score models that learn while they read, too.")
@options.temperature
@options.sampling
@options.corpus
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object, with the texts.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="Draw bits against size as this picture.")
def compare(
    models: tuple[Path, ...],
    on: str,
    prompt: str,
    corpus: str | None,
    as_json: bool,
    plot: Path | None,
    **options_: Any,
) -> None:
    """Compare MODELS, .keras files of any kind: bits per character, size, seconds, speed, and what each writes.

    "static" is a model as it was trained, "adapted" one that learns from the text while it reads it: only figures of
    one protocol compare. "copied" are passages of 30 characters that stand in --corpus.
    """
    if plot:
        plots.check_path(plot)
    if found := find_forbidden(prompt):
        raise InputError(f"the prompt holds {found}; remove it.")
    reading = {name: options_.pop(name) for name in options.READING}
    asked = {name: options_.pop(name) for name in ("length", "sample", "seed", "adapt")}
    texts = load_corpus(on, **reading)
    learned = None if corpus is None else load_corpus(corpus, **reading)
    task = comparison.Task(texts.documents, prompt, corpus=learned, settings=options_, **asked)
    for model in models:
        comparison.check(model)  # before TensorFlow begins
    tensorflow_log.import_tensorflow()
    with interrupts.deferred():
        compared = comparison.Comparison(tuple(comparison.measure(model, task) for model in models))
    if plot:
        sizes = {row.model: row.bytes for row in compared.rows}
        static = {row.model: row.bits_per_character for row in compared.rows}
        adapted = {row.model: row.bits_per_character_adapted for row in compared.rows}
        plots.bits_against_size(sizes, {"static": static, "adapted": adapted}, title=texts.source, path=plot)
    if as_json:
        about = {"on": texts.summary(), "corpus": learned and learned.summary(), "prompt": prompt, **asked}
        rows = [dataclasses.asdict(row) for row in compared.rows]
        click.echo(terminal.as_json({**about, **task.settings, "models": rows}))
        return
    _write(f"{compared}\n")
    for row in compared.rows:
        _write(f"\n--- {terminal.on_one_line(row.model)}\n{row.text}\n")


def _write(text: str) -> None:
    terminal.say(text, nl=False)
