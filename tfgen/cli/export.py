"""`tfgen export`: a model as a directory that writes the same text without tfgen."""

from pathlib import Path

import click

from tfgen import export as exporting
from tfgen import model_files
from tfgen.cli import options, tensorflow_log
from tfgen.cli.terminal import quote
from tfgen.export import directories
from tfgen.support import interrupts

# What shows that it works, for a format that a command can run.
_TRY = {
    "saved-model": "saved_model_cli run --tag_set serve --signature_def generate --dir {directory} \\\n"
    "    --input_exprs '{source}prompts=[\"\"];length=200;temperature=0.8;seed=1'"
}


@click.command(
    epilog=options.examples("tfgen export romeo.keras romeo", "tfgen export romeo.keras romeo-onnx --format onnx")
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(exporting.FORMATS)),
    default="saved-model",
    show_default=True,
    help="What to write.",
)
@click.option("--overwrite", is_flag=True, help="Replace an earlier export.")
def export(model: Path, directory: Path, format_: str, overwrite: bool) -> None:
    """Write MODEL, a .keras file, into DIRECTORY, for a machine without tfgen.

    A SavedModel takes strings and gives strings; TensorFlow alone runs it, here or in a server. ONNX and LiteRT hold
    one step with its state as arguments, and an encoder if there is one, for runtimes of some megabytes.
    """
    model_files.read_config(model)  # says at once what is wrong with the file
    directories.check(directory, overwrite)
    tensorflow_log.import_tensorflow()
    with interrupts.deferred():
        generator = model_files.load(model)
        interrupts.check()
        with tensorflow_log.sifted():
            generator.export(directory, format_, overwrite)
    files = {path.relative_to(directory): path.stat().st_size for path in directory.rglob("*") if path.is_file()}
    click.echo(f"{directory}: {format_}, {sum(files.values()):,} bytes")
    for name, size in sorted(files.items()):
        click.echo(f"  {size:>13,}  {name}")
    reads_texts = getattr(generator.writer.model, "source_ids", None)
    if format_ in _TRY and (reads_texts or not generator.writer.model.context):  # no line of a shell holds a picture
        source = 'sources=[""];' if reads_texts else ""
        click.echo(f"\nTry:\n  {_TRY[format_].format(directory=quote(directory), source=source)}")
