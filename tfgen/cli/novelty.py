"""`tfgen novelty`: how much of a sample is copied from the corpus."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tfgen.cli import noticed, options, terminal
from tfgen.corpora import Corpus, line_ends, load_corpus
from tfgen.novelty import passages
from tfgen.novelty.copies import Copies, copies
from tfgen.support.wording import listing, number, shorten
from tfgen.vocabulary import separators

_LENGTHS = (4, 8, 12, 16, 24, 32, 48, 64, 100)
_BAR = 40
_SHOWN = 100


@click.command(
    epilog=options.examples("tfgen novelty sample.txt romeo.txt", "tfgen novelty written.txt names.txt --lines --json")
)
@click.argument("sample", type=click.Path(path_type=Path, allow_dash=True))
@click.argument("corpus", nargs=-1, required=True)
@options.corpus
@click.option("--separator", metavar="LINE", help="This line stands between texts of SAMPLE.  [as generate has it]")
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object, with the share of every length.")
def novelty(sample: Path, corpus: tuple[str, ...], separator: str | None, as_json: bool, **reading: Any) -> None:
    """Tell how much of SAMPLE, a file or "-" for standard input, is copied from CORPUS, named as for `tfgen train`.

    For each length: the share of the sample's substrings of so many characters that occur in the corpus. Short ones
    always do; compare with a text of the same kind that is not in the corpus. SAMPLE is UTF-8, as tfgen writes it.

    If CORPUS is of documents that end, such as names, also: which whole texts of SAMPLE are documents of CORPUS.
    """
    if str(sample) == "-" and "-" in corpus:
        raise click.UsageError("standard input is either the sample or the corpus: give a file for one of them.")
    text = terminal.read_text(sample)
    text = text if reading["keep_line_ends"] else line_ends.unified(text)
    source = load_corpus(options.as_source(corpus), **reading)
    report = passages.report(text, source)
    whole = _whole(text, source, separator)
    longest = len(report.longest[0].text) if report.longest else 0
    if as_json:
        facts = {
            "sample": str(sample),
            "characters": len(text),
            "corpus": source.summary(),
            "lengths": report.lengths[: longest + 1].tolist(),
            "copied": report.copied[: longest + 1].tolist(),
            **({} if whole is None else {"texts": _facts(whole)}),
            "longest": [{"length": len(passage.text), **passage._asdict()} for passage in report.longest],
        }
        click.echo(terminal.as_json(facts))
        return
    console = terminal.console()
    console.print(f"{number(len(text), 'character')}, compared with {source.source}: {source.characters:,} characters")
    for line in noticed.described(source.noticed):
        console.print(line)
    if whole is not None:
        console.print(f"\n{_described(whole)}")
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


def _whole(sample: str, corpus: Corpus, separator: str | None) -> Copies | None:
    """Tell which texts are documents; None where the corpus has none that end."""
    if not corpus.ends:
        if separator is not None:
            raise click.UsageError("--separator is for a CORPUS of documents that end: say how it is cut into them.")
        return None
    by_itself = separators.split(sample, corpus.documents) if separator is None else separators.cut(sample, separator)
    return copies(by_itself, corpus) if by_itself else None


def _facts(whole: Copies) -> dict[str, Any]:
    return {
        "texts": whole.texts,
        "copied": whole.copied,
        "different": whole.different,
        "different_copied": len(whole.different_copied),
        "copies": list(whole.different_copied),
    }


def _described(whole: Copies) -> str:
    few = len(whole.different_copied)
    named = f": {listing(whole.different_copied)}" if few else ""
    return (
        f"{number(whole.texts, 'whole text')}, of which {whole.copied:,} ({whole.share:.1%}) are documents of the "
        f"corpus; of {whole.different:,} different ones {few:,} ({whole.share_of_different:.1%}){named}"
    )


def _lengths_shown(longest: int) -> Iterator[int]:
    """Give the lengths of the table: round numbers below the longest, and that."""
    length = 0
    for length in _LENGTHS:
        if length < longest:
            yield length
    while (length := 2 * length) < longest:
        yield length
    yield longest
