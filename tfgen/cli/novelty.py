"""`tfgen novelty`: how much of a sample is copied from the corpus."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tfgen.cli import noticed, options, terminal
from tfgen.corpora import line_ends, load_corpus
from tfgen.novelty import passages
from tfgen.support.wording import number, shorten

_LENGTHS = (4, 8, 12, 16, 24, 32, 48, 64, 100)
_BAR = 40
_SHOWN = 100


@click.command()
@click.argument("sample", type=click.Path(path_type=Path, allow_dash=True))
@click.argument("corpus", nargs=-1, required=True)
@options.corpus
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object, with the share of every length.")
def novelty(sample: Path, corpus: tuple[str, ...], as_json: bool, **reading: Any) -> None:
    """Tell how much of SAMPLE, a file or "-" for standard input, is copied from CORPUS, named as for `tfgen train`.

    For each length: the share of the sample's substrings of so many characters that occur in the corpus. Short ones
    always do; compare with a text of the same kind that is not in the corpus. SAMPLE is UTF-8, as tfgen writes it.
    """
    if str(sample) == "-" and "-" in corpus:
        raise click.UsageError("standard input is either the sample or the corpus: give a file for one of them.")
    text = terminal.read_text(sample)
    text = text if reading["keep_line_ends"] else line_ends.unified(text)
    source = load_corpus(options.as_source(corpus), **reading)
    report = passages.report(text, source)
    longest = len(report.longest[0].text) if report.longest else 0
    if as_json:
        facts = {
            "sample": str(sample),
            "characters": len(text),
            "corpus": source.summary(),
            "lengths": report.lengths[: longest + 1].tolist(),
            "copied": report.copied[: longest + 1].tolist(),
            "longest": [{"length": len(passage.text), **passage._asdict()} for passage in report.longest],
        }
        click.echo(terminal.as_json(facts))
        return
    console = terminal.console()
    console.print(f"{number(len(text), 'character')}, compared with {source.source}: {source.characters:,} characters")
    for line in noticed.described(source.noticed):
        console.print(line)
    if not longest:
        console.print("None of them occurs there.")
        return
    console.print("\nlength  copied")
    for length in _lengths_shown(longest):
        share = float(report.copied[length - 1])
        console.print(f"{length:6,} {100 * share:6.3g}%  {'█' * round(_BAR * share)}".rstrip())
    console.print("\nThe longest copied passages:")
    for passage in report.longest:
        place = f"at character {passage.begin + 1:,}"
        console.print(f"  {number(len(passage.text), 'character')} {place}: {shorten(passage.text, _SHOWN)!r}")


def _lengths_shown(longest: int) -> Iterator[int]:
    """Give the lengths of the table: round numbers below the longest, and that."""
    length = 0
    for length in _LENGTHS:
        if length < longest:
            yield length
    while (length := 2 * length) < longest:
        yield length
    yield longest
