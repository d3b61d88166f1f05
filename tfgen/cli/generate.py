"""`tfgen generate`: text from a model file, shown while it is written."""

import json
import secrets
import sys
from pathlib import Path
from typing import Any

import click

from tfgen import model_files, quiet
from tfgen.cli import options, terminal


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("prompt", default="")
@click.option("-n", "count", type=options.whole(1, 10**5), default=1, show_default=True, help="How many texts.")
@click.option(
    "--length", type=options.whole(1, 10**8), default=300, show_default=True, help="New tokens of a text, at most."
)
@options.sampling
@click.option("--seed", type=options.whole(0, 2**62), help="The same seed writes the same text.")
@click.option(
    "--unknown",
    type=click.Choice(["error", "skip", "unknown"]),
    default="error",
    show_default=True,
    help="What to do with characters of the prompt that the model has never seen.",
)
@click.option("--echo/--no-echo", default=True, help="Whether to begin with the prompt.")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object, with the seed and the settings.")
def generate(
    model: Path,
    prompt: str,
    count: int,
    length: int,
    seed: int | None,
    unknown: Any,
    echo: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Write on from PROMPT ("-" reads it from standard input) with MODEL, a .keras file.

    Each text ends where such texts end, or after --length tokens.
    """
    prompt = terminal.read_standard_input() if prompt == "-" else prompt
    model_files.read_config(model)  # says at once what is wrong with the file
    quiet.import_tensorflow()
    generator = model_files.load(model)
    seed = secrets.randbits(32) if seed is None else seed
    call = {"length": length, "seed": seed, "unknown": unknown, **_given(settings)}
    if as_json:
        texts = generator.generate(prompt, n=count, echo=echo, **call)
        click.echo(json.dumps({"model": str(model), "prompt": prompt, **call, "texts": texts}, ensure_ascii=False))
    elif count == 1:
        pieces = generator.stream(prompt, **call)  # first, for it checks the prompt
        _write(prompt if echo else "")
        for piece in pieces:
            _write(piece)
        _write("\n")
    else:
        separator = "\n" if generator.vocabulary.ends else "\n\n"
        _write(separator.join(generator.generate(prompt, n=count, echo=echo, **call)) + "\n")


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has what it wants
        raise click.exceptions.Exit(0) from None
