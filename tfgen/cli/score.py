"""`tfgen score`: how likely a model finds a text, and where it was surprised."""

import json
import math
from pathlib import Path
from typing import Any

import click
import numpy as np

from tfgen import model_files, quiet
from tfgen.cli import terminal
from tfgen.errors import InputError

_SURPRISES = 5
_CONTEXT = 20


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("text")
@click.option(
    "--unknown",
    type=click.Choice(["error", "skip", "unknown"]),
    default="error",
    show_default=True,
    help="What to do with characters that the model has never seen.",
)
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object, with the numbers of each token.")
def score(model: Path, text: str, unknown: Any, as_json: bool) -> None:
    """Tell how likely MODEL finds TEXT ("-" reads it from standard input): nats and bits per character."""
    text = terminal.read_standard_input() if text == "-" else text
    if not text:
        raise InputError("there is no text to score.")
    model_files.read_config(model)
    quiet.import_tensorflow()
    result = model_files.load(model).score(text, unknown=unknown)
    totals = {
        "characters": len(text),
        "nats": result.nats,
        "nats_per_character": result.nats_per_character,
        "bits_per_character": result.bits_per_character,
        "perplexity": result.perplexity,
    }
    if as_json:
        tokens = {
            "tokens": result.tokens,
            "log_probabilities": result.log_probabilities.tolist(),
            "ranks": result.ranks.tolist(),
        }
        click.echo(json.dumps({"model": str(model), **totals, **tokens}, ensure_ascii=False))
        return
    console = terminal.console()
    console.print(
        f"{result.bits_per_character:.3f} bits, {result.nats_per_character:.3f} nats per character; "
        f"perplexity {result.perplexity:.2f}; {len(text):,} characters"
    )
    console.print("\nThe greatest surprises:")
    for place in np.argsort(result.log_probabilities, kind="stable")[:_SURPRISES]:
        before = "".join(result.tokens[max(place - _CONTEXT, 0) : place])
        console.print(
            f"  {result.tokens[place]!r} after {before!r}: "
            f"probability {math.exp(result.log_probabilities[place]):.2g}, rank {result.ranks[place]}"
        )
