"""`tfgen demo`: the whole story in about two minutes, on text that ships with Python."""

from pathlib import Path

import click

from tfgen import plots
from tfgen.cli import options, terminal
from tfgen.cli.jobs import job_of
from tfgen.cli.outputs import check_output
from tfgen.cli.terminal import quote
from tfgen.cli.training_run import TrainingRun
from tfgen.corpora import load_corpus
from tfgen.page import files

_TEMPERATURES = (0.3, 0.8, 1.0, 1.3, 1.8)
_PROMPT = "The "


@click.command(epilog=options.examples("tfgen demo", "tfgen demo --epochs 1 --directory /tmp/demo"))
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("demo"),
    show_default=True,
    help="Where the model, the page and the picture go; an earlier demo there is replaced.",
)
@click.option("--epochs", type=options.whole(1, 100), default=6, show_default=True, help="Times through the text.")
def demo(directory: Path, epochs: int) -> None:
    """Train on the documentation that ships with Python, write at five temperatures, and make a page of the model."""
    console = terminal.console()
    plots.check_installed()
    directory.mkdir(parents=True, exist_ok=True)
    model, picture = directory / "python-docs.keras", directory / "learning-curve.png"
    check_output(model, overwrite=True)
    page = directory / "python-docs.html"
    files.check(page, overwrite=True)
    corpus = load_corpus("python-docs")
    job = job_of(corpus, {"epochs": epochs, "patience": None})
    TrainingRun(
        console=console,
        job=job,
        output=model,
        continue_command=f"tfgen train python-docs --init-from {quote(model)} -o {quote(model)}",
        prompts=(_PROMPT,),
        last=_TEMPERATURES,
        plot=picture,
        baselines={
            "xz -9": plots.compressed_bits(corpus.documents),
        },
    ).run(corpus)
    job.generator.export(page, "html", overwrite=True)
    console.print(
        f"\nThe model is {model}, the learning curve {picture}. Try:\n"
        f'  tfgen generate {quote(model)} "A class " --temperature 0.5\n'
        f'  tfgen score {quote(model)} "The function returns a lits of strings."\n'
        f"  tfgen train YOUR-TEXT.txt -o mine.keras\n"
        f"\n{page} is the model as a page: open it in a browser, and send it to whom you like; it writes by itself."
    )
