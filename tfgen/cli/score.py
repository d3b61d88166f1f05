"""`tfgen score`: how likely a model finds a text, and where it was surprised."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from tfgen import model_files
from tfgen.cli import engines, heat, options, terminal
from tfgen.cli import sources as of_model
from tfgen.errors import InputError, read_each
from tfgen.support import interrupts
from tfgen.vocabulary import splitting
from tfgen.vocabulary.vocabulary import END, Vocabulary

if TYPE_CHECKING:
    from rich.text import Text

    from tfgen.terms.scores import Score

_SURPRISES = 5
_CONTEXT = 20


@click.command(
    epilog=options.examples(
        'tfgen score romeo.keras "But soft! What light through yonder window breaks?"',
        "tfgen score names.keras candidates.txt --lines",
    )
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("text")
@options.unknown
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write one JSON object, with the numbers of each token; infinity is a string.",
)
@click.option("--lines", "ranked", is_flag=True, help="TEXT is a file; rank its lines, the least surprising first.")
@click.option("--adapt", is_flag=True, help="Let MODEL learn from what it reads, each part after it was scored.")
@of_model.given(
    "Score TEXT as written from this one, where MODEL has an encoder.",
    'The same from a file of one line; "-" reads standard input.',
)
@engines.option
def score(
    model: Path,
    text: str,
    unknown: Any,
    as_json: bool,
    ranked: bool,
    adapt: bool,
    sources: tuple[str, ...],
    sources_file: Path | None,
    engine: str | None,
) -> None:
    """Tell how likely MODEL finds TEXT ("-" reads it from standard input): nats and bits per character.

    With --lines TEXT is a file of candidates, one a line: the fewer bits per character, the earlier.

    A terminal with colours shows the whole text first, the hotter the less MODEL expected it.
    """
    read = ranked or text == "-"
    text = terminal.read_text(Path(text)) if read else text
    if not text:
        raise InputError("there is no text to score.")
    config = model_files.read_config(model)
    text = of_model.as_read_by(config, text) if read else text
    lines = of_model.read(model, config, sources, sources_file)
    if lines is not None and len(lines) > 1:
        raise InputError(f"a text is scored under one source; received {len(lines)}: give one.")
    with interrupts.deferred():
        generator = engines.load(model, config, engine, len(text), {"adapt": adapt})
        under: dict[str, Any] = {} if lines is None else {"source": lines[0]}
        if adapt:
            under["adapt"] = True
        if ranked:
            candidates = _scored(generator, text, unknown, under)
            if as_json:
                protocol = {"protocol": "adapted" if adapt else "static"}
                click.echo(terminal.as_json({"model": str(model), **protocol, "ranking": candidates}))
            else:
                _show_ranking(candidates)
            return
        result = generator.score(text, unknown=unknown, **under)
    totals = _totals(result)
    if as_json:
        tokens = {
            "tokens": result.tokens,
            "log_probabilities": result.log_probabilities.tolist(),
            "bits": result.bits.tolist(),
            "ranks": result.ranks.tolist(),
        }
        protocol = {"protocol": "adapted" if adapt else "static"}
        click.echo(terminal.as_json({"model": str(model), **protocol, **totals, **tokens}))
        return
    _show(result, generator.vocabulary, unknown, adapt)


def _totals(result: Score) -> dict[str, Any]:
    return {
        "characters": result.characters,
        "nats": result.nats,
        "nats_per_character": result.nats_per_character,
        "bits_per_character": result.bits_per_character,
        "perplexity": result.perplexity,
    }


def _scored(generator: Any, text: str, unknown: Any, under: dict[str, Any]) -> list[dict[str, Any]]:
    """Score the lines of a text, and give what there is to say of each, the least surprising first."""
    lines = terminal.lines_of(text, "the file of candidates")
    # All at first: a file may take long, and a character in its last line would undo what was done for the others.
    vocabulary = generator.vocabulary
    read_each("line", lines, lambda line: vocabulary.encode(vocabulary.normalized(line), unknown))
    found = []
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            result = generator.score(line, unknown=unknown, **under)
        except InputError as error:
            raise error.within(f"in line {number:,}") from None
        found.append({"line": number, "text": line, **_totals(result)})
    return sorted(found, key=lambda each: each["bits_per_character"])


def _show_ranking(candidates: list[dict[str, Any]]) -> None:
    console = terminal.console()
    console.print("bits per character  perplexity  text")
    for each in candidates:
        numbers = f"{each['bits_per_character']:18.3f}  {each['perplexity']:10.2f}"
        console.print(f"{numbers}  {terminal.on_one_line(each['text'])}")


def _show(result: Score, vocabulary: Vocabulary, unknown: str, adapted: bool) -> None:
    console = terminal.console()
    if terminal.has_colours(console):
        console.print(heat.legend(), end="\n\n")
        # Wrapped here, for some terminals fill the rest of a line that they wrap with its last background.
        console.print(coloured(result, vocabulary, unknown), end="\n\n", soft_wrap=False)
    console.print(
        f"{result.bits_per_character:.3f} bits, {result.nats_per_character:.3f} nats per character; "
        f"perplexity {result.perplexity:.2f}; {result.characters:,} characters"
        + (", each part scored before it was learned from" if adapted else "")
    )
    console.print("\nThe greatest surprises:")
    for place in np.argsort(result.log_probabilities, kind="stable")[:_SURPRISES]:
        before = "".join(result.tokens[max(place - _CONTEXT, 0) : place])
        console.print(
            f"  {result.tokens[place]!r} after {before!r}: "
            f"probability {math.exp(result.log_probabilities[place]):.2g}, rank {result.ranks[place]}"
        )


def coloured(result: Score, vocabulary: Vocabulary, unknown: str) -> Text:
    """Colour the text of a score; what was skipped, being unknown, is dim."""
    text = result.text
    pieces = list(text if vocabulary.split == "character" else splitting.words(text))
    skipped = set(pieces).difference(vocabulary.tokens[END:]) if unknown == "skip" else set()
    bits = iter(result.bits.tolist())
    return heat.coloured(pieces, [None if piece in skipped else next(bits) for piece in pieces])
