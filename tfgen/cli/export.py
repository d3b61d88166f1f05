"""`tfgen export`: a model as a directory, or as a page, that writes the same text without tfgen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfgen import export as exporting
from tfgen import model_files
from tfgen.cli import options, tensorflow_log, terminal
from tfgen.cli.terminal import quote
from tfgen.errors import InputError
from tfgen.export import directories
from tfgen.page import files
from tfgen.support import interrupts, kept_epochs
from tfgen.support.standard_error import sifted

if TYPE_CHECKING:
    from tfgen.page.contents import Weights

# What shows that it works, for a format that a command can run.
_TRY = {
    "saved-model": "saved_model_cli run --tag_set serve --signature_def generate --dir {directory} \\\n"
    "    --input_exprs '{source}prompts=[\"\"];length=200;temperature=0.8;seed=1'"
}


@click.command(
    epilog=options.examples("tfgen export romeo.keras romeo", "tfgen export romeo.keras romeo-onnx --format onnx")
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("place", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice([*exporting.FORMATS, exporting.PAGE]),
    default="saved-model",
    show_default=True,
    help="What to write.",
)
@click.option("--float16", "weights", flag_value="float16", help="Of a page: keep weights as 16 bits, not 8.")
@click.option("--float32", "weights", flag_value="float32", help="Of a page: keep weights as they are.")
@click.option("--no-epochs", is_flag=True, help="Of a page: leave out what `tfgen train --keep-epochs` has kept.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier export.")
def export(model: Path, place: Path, format_: str, weights: Weights | None, no_epochs: bool, overwrite: bool) -> None:
    """Write MODEL, a .keras file, into the directory PLACE, for a machine without tfgen.

    A SavedModel takes strings and gives strings; TensorFlow alone runs it, here or in a server. ONNX and LiteRT hold
    one step with its state as arguments, and an encoder if there is one, for runtimes of some megabytes. html is one
    file, PLACE.html, which writes in any browser and asks no server for anything; where training has kept epochs
    beside MODEL, it shows the network on its way too.
    """
    config = model_files.read_config(model)  # says at once what is wrong with the file
    if format_ == exporting.PAGE:
        _export_page(model, config, files.place_of(place), weights, not no_epochs, overwrite)
        return
    if weights or no_epochs:
        raise click.UsageError(f"--{weights or 'no-epochs'} is for --format {exporting.PAGE}.")
    directories.check(place, overwrite)
    generator = _exported(model, place, format_, None, overwrite)
    found = {path.relative_to(place): path.stat().st_size for path in place.rglob("*") if path.is_file()}
    terminal.say(f"{place}: {format_}, {sum(found.values()):,} bytes")
    for name, size in sorted(found.items()):
        terminal.say(f"  {size:>13,}  {name}")
    reads_texts = getattr(generator.writer.model, "source_ids", None)
    if format_ in _TRY and (reads_texts or not generator.writer.model.context):  # no line of a shell holds a picture
        source = 'sources=[""];' if reads_texts else ""
        terminal.say(f"\nTry:\n  {_TRY[format_].format(directory=quote(place), source=source)}")


def _exported(model: Path, place: Path, format_: str, weights: Weights | None, overwrite: bool) -> Any:
    """Export a model by TensorFlow, and give it."""
    tensorflow_log.import_tensorflow()
    with interrupts.deferred():
        generator = model_files.load(model)
        interrupts.check()
        with sifted():
            generator.export(place, format_, overwrite, weights)
    return generator


def _export_page(
    model: Path, config: dict[str, Any], place: Path, weights: Weights | None, epochs: bool, overwrite: bool
) -> None:
    """Write a page at once where the file can be read without TensorFlow; else TensorFlow reads or refuses it."""
    from tfgen.instant import reading
    from tfgen.page import assembling
    from tfgen.portable import stored

    files.check(place, overwrite)
    kept = kept_epochs.found(kept_epochs.directory(model)) if epochs else []
    shown: list[tuple[float, Path]] = []
    try:
        vocabulary, layers = reading.read(model, config)
    except InputError:
        _exported(model, place, exporting.PAGE, weights, overwrite)
    else:
        size = sum(array.size for layer in layers for array in layer.arrays.values())
        shown = assembling.chosen_epochs(kept, size, weights or "int8")
        on_the_way = [(number, stored.read_weights(path, layers)) for number, path in shown]
        provenance = config.get("provenance")
        page = assembling.assembled(vocabulary, layers, place.stem, weights or "int8", provenance, epochs=on_the_way)
        files.write(page, place, overwrite)
    told = f", with {len(shown)} of {len(kept)} checkpoints of its training" if kept else ""
    terminal.say(f"{place}: {exporting.PAGE}, {place.stat().st_size:,} bytes{told}\n\nOpen it in any browser.")
