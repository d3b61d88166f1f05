"""`tfgen bulk`: a text, or a score, for each row of a file."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import click

from tfgen.bulk.requests import Request
from tfgen.bulk.runs import Run
from tfgen.cli import options, tensorflow_log, terminal
from tfgen.support import interrupts, wording


@click.command(
    epilog=options.examples(
        "tfgen bulk romeo.keras prompts.txt -o texts.jsonl --workers 4",
        "tfgen bulk romeo.keras texts.csv -o scores.csv --score",
        "tfgen bulk dates.keras dates.csv -o written.csv --source date",
    )
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("source", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="A .jsonl, .csv or .parquet file.")
@click.option("--score", is_flag=True, help="Tell how likely MODEL finds each text, in the place of writing on.")
@click.option("--column", help="The column that is read.  [prompt; with --score: text; with --source: none]")
@click.option("--source", "of_sources", help="The column with the sources of a model that reads some.")
@click.option("--length", type=options.whole(1, 10**8), default=300, show_default=True, help="New tokens, at most.")
@options.temperature
@options.sampling
@click.option("--stop", multiple=True, help="Stop at this text; repeatable.")
@click.option("--echo/--no-echo", default=True, help="Whether a text begins with its prompt.")
@click.option(
    "--seed", type=options.whole(0, 2**61), default=0, show_default=True, help="Of the first row; then one more."
)
@options.unknown
@click.option("--workers", type=options.whole(1, 10**4), help="Work in so many processes, with Ray.  [in this one]")
@click.option("--address", metavar="HOST:PORT", help="With --workers: in this Ray, on its machines.")
@click.option("--overwrite", is_flag=True, help="Replace the output, or another run that was stopped.")
def bulk(
    model: Path,
    source: Path,
    output: Path,
    score: bool,
    column: str | None,
    of_sources: str | None,
    seed: int,
    unknown: str,
    workers: int | None,
    address: str | None,
    overwrite: bool,
    **settings: Any,
) -> None:
    """Write on from each row of SOURCE with MODEL: a .txt file with a prompt a line, or the column of a .jsonl, .csv or
    .parquet file. A model that reads a source, as one that translates, writes one text from each.

    Rows stay in their order, and have their text and its seed as new columns. A run that was stopped goes on when the
    same command is given again; the number of workers changes nothing in the texts.
    """
    given = click.get_current_context()
    if score:
        names = [name for name in settings if given.get_parameter_source(name).name == "COMMANDLINE"]  # type: ignore[union-attr]
        if names or seed:
            raise click.UsageError(f"--score draws nothing: remove --{(names or ['seed'])[0].replace('_', '-')}.")
    if address and workers is None:
        raise click.UsageError("--address is where --workers run: give that too, or omit it.")
    settings = {name: list(value) if name == "stop" else value for name, value in settings.items() if value}
    settings |= {"echo": given.params["echo"], "temperature": given.params["temperature"]}
    column = column or ("text" if score else None if of_sources else "prompt")
    request = Request(score, column, seed, unknown, {} if score else settings, of_sources)
    with interrupts.deferred():
        run = Run(model, source, output, request, overwrite)
        if workers is None:
            tensorflow_log.import_tensorflow()
        shown = _Progress()
        try:
            count = run.answer(workers, address, shown)
        finally:
            shown.close()
    terminal.say(f"{output} has {wording.number(count, 'row')}.")


class _Progress:
    """Shows how many rows are done: in place on a terminal, else a line for each tenth of them."""

    def __init__(self) -> None:
        self._tenth = -1
        self._open = False

    def __call__(self, done: int, rows: int) -> None:
        """Show it, on standard error."""
        tenth = math.floor(10 * done / rows)
        if sys.stderr.isatty():
            self._open = True
            click.echo(f"\r{done:,} of {rows:,} rows", nl=False, err=True)
        elif tenth > self._tenth:
            terminal.say(f"{done:,} of {rows:,} rows", err=True)
        self._tenth = tenth

    def close(self) -> None:
        """End the line."""
        if self._open:
            click.echo(err=True)
