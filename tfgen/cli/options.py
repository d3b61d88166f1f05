"""Options that several commands share, with the range of each number."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import click

from tfgen.corpora.text_source import Reading


def group(*decorators: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make one decorator of several, in the order they are listed in the help."""

    def decorate(function: Any) -> Any:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def examples(*commands: str) -> str:
    """Give the end of a command's help: two ways to use it."""
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])


class Real(click.FloatRange):
    """A number in a range; NaN is in none."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it."""
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number


class _Whole(click.IntRange):
    """A whole number in a range."""

    name = "integer"


def whole(least: int, most: int) -> click.IntRange:
    """Give the type of a whole number in a range, both ends included."""
    return _Whole(least, most)


share = Real(0, 1, max_open=True)


def _delimiter(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    return "\t" if value in ("tab", "\\t") else value


corpus = group(
    click.option("--column", help="Take this column of a CSV, TSV or JSON-lines file, one document a row."),
    click.option("--lines", is_flag=True, help="Take one document a line."),
    click.option("--paragraphs", is_flag=True, help="Take what lies between blank lines as a document."),
    click.option("--split-on", metavar="REGEX", help="Take what lies between matches of this as a document."),
    click.option("--encoding", default="utf-8", show_default=True, help="Encoding of the files."),
    click.option(
        "--errors",
        type=click.Choice(["strict", "replace", "ignore"]),
        default="strict",
        show_default=True,
        help="What to do with bytes that are not of the encoding.",
    ),
    click.option("--unescape", is_flag=True, help="Turn HTML entities into characters."),
    click.option("--strip-gutenberg", is_flag=True, help="Cut off Project Gutenberg's header and licence."),
    click.option("--normalize", type=click.Choice(["NFC", "NFD", "NFKC", "NFKD"]), help="Unicode normalisation."),
    click.option("--lower", is_flag=True, help="Make the text lower case, and each prompt."),
    click.option(
        "--control",
        type=click.Choice(["error", "replace"]),
        default="error",
        show_default=True,
        help="What to do with NUL and U+0003 in a text.",
    ),
    click.option("--delimiter", help="What stands between the cells of a table; 'tab' for a tab.", callback=_delimiter),
    click.option("--quoting", type=click.Choice(["rfc4180", "none"]), help="Quotes of a table.  [TSV: none]"),
    click.option("--keep-line-ends", is_flag=True, help="Leave \\r\\n and \\r as they are: they become \\n."),
)

# These are keywords of `load_corpus`.
READING = tuple(field.name for field in dataclasses.fields(Reading) if field.name != "beside")


def as_source(corpus: tuple[str, ...]) -> str | list[str]:
    """Give the texts that a command was given as `load_corpus` takes them."""
    return list(corpus) if len(corpus) > 1 else corpus[0]


pairs = group(
    click.option("--source", metavar="COLUMN", help="Learn to write each text of --column from this column."),
    click.option("--encoder-units", type=whole(1, 16384), help="Units of its reader, in each direction.  [half]"),
    click.option(
        "--attention/--no-attention", default=None, help="Whether each token looks at the source.  [--attention]"
    ),
)

# These, and each of the settings, are fields of training.Settings; None there means "suited to the corpus".
VOCABULARY = ("split", "max_tokens", "min_count")
NETWORK = ("cell", "units", "layers", "dropout", "weight_drop", "embedding", "heads", "window")
ENCODER = ("encoder_units", "attention")
vocabulary = group(
    click.option("--split", type=click.Choice(["character", "word"]), help="What a token is.  [character]"),
    click.option("--max-tokens", type=whole(4, 10**6), help="Largest vocabulary.  [words: 10000]"),
    click.option("--min-count", type=whole(1, 10**9), help="Leave rarer tokens out.  [1]"),
)
settings = group(
    vocabulary,
    click.option(
        "--cut",
        type=click.Choice(["streams", "windows", "documents"]),
        help="How text becomes batches.  [documents if they are short, else streams; transformer: windows]",
    ),
    click.option(
        "--cell",
        type=click.Choice(["lstm", "gru", "rnn", "transformer", "ngram"]),
        help="What is trained, or ngram to count.  [lstm]",
    ),
    click.option("--order", type=whole(1, 32), help="With --cell ngram: tokens of an n-gram.  [7]"),
    click.option("--units", type=whole(1, 16384), help="Units of each layer.  [256; transformer: 128]"),
    click.option("--layers", type=whole(1, 128), help="Layers, or blocks.  [1; transformer: 4]"),
    click.option("--heads", type=whole(1, 1024), help="Heads of a transformer.  [4]"),
    click.option("--window", type=whole(2, 10**5), help="Tokens that a transformer sees at most.  [64]"),
    click.option("--dropout", type=share, help="Dropped share of each layer's outputs.  [0]"),
    click.option("--weight-drop", type=share, help="Dropped share of the recurrent weights.  [0]"),
    click.option("--embedding", type=whole(1, 16384), help="Size of an embedding.  [one-hot; words: 128]"),
    click.option("--batch-size", type=whole(1, 65536), help="Rows of a batch.  [32; 64 with --source]"),
    click.option("--length", type=whole(1, 10**5), help="Tokens of a row.  [streams 32, windows 64, documents 500]"),
    click.option("--epochs", type=whole(1, 10**6), help="Times through the text.  [6 million tokens' worth, 3 to 50]"),
    click.option(
        "--learning-rate",
        type=Real(0, 10, min_open=True),
        help="Peak rate.  [0.008; --source: 0.003; transformer: 0.002]",
    ),
    click.option("--validation", type=share, help="Share kept for validation; 0 for none.  [0.1]"),
    click.option("--patience", type=whole(1, 10**6), help="Epochs without progress before stopping.  [4]"),
    click.option("--seed", type=whole(0, 2**31 - 1), help="Makes a run repeatable.  [0]"),
)

# Each is a setting of sampling.default_chain.
unknown = click.option(
    "--unknown",
    type=click.Choice(["error", "skip", "unknown"]),
    default="error",
    show_default=True,
    help="What to do with characters that the model has never seen.",
)
temperature = click.option("--temperature", type=Real(0), default=0.8, show_default=True, help="0 takes the likeliest.")


def temperatures(of: str = "") -> Callable[[Any], Any]:
    """Make the option that may be given several times, of what it says."""
    about = f"Of {of}; 0 takes the likeliest; repeatable." if of else "0 takes the likeliest; repeatable."
    kind: dict[str, Any] = {"type": Real(0), "multiple": True, "default": (0.8,), "show_default": True}
    return click.option("--temperature", "temperatures", help=about, **kind)


sampling = group(
    click.option("--top-k", type=whole(1, 10**6), help="Draw among the k likeliest."),
    click.option("--top-p", type=Real(0, 1, min_open=True), help="Draw among the likeliest that sum to p."),
    click.option("--min-p", type=Real(0, 1), help="Drop what is less than p times as likely as the likeliest."),
    click.option("--typical-p", type=Real(0, 1, min_open=True), help="Draw among the most typical that sum to p."),
    click.option("--repetition-penalty", type=Real(0, min_open=True), help="Above 1: shun what has occurred."),
)

# Each is a transform of its own.
transforms = group(
    click.option("--pattern", help="Write only what this regular expression matches."),
    click.option("--dry", type=Real(0), help="Penalise passages that the text already has; 0.8 is usual."),
    click.option("--mirostat", type=Real(0, 64, min_open=True), help="Keep the surprise at so many bits."),
    click.option(
        "--top-n-sigma", type=Real(0, 1e6, min_open=True), help="Draw this many deviations below the best, at most."
    ),
    click.option("--xtc-probability", type=Real(0, 1), help="Leave top choices out so often; 0.5 is usual."),
    click.option("--xtc-threshold", type=Real(0, 1), help="What is a top choice: its least probability.  [0.1]"),
    click.option("--adaptive-target", type=Real(0, 1), help="Prefer tokens near this probability; cut with --min-p."),
    click.option("--adaptive-decay", type=Real(0, 0.99), help="How long that remembers what was drawn.  [0.9]"),
)
TRANSFORMS = (
    *("pattern", "dry", "mirostat", "top_n_sigma"),
    *("xtc_probability", "xtc_threshold", "adaptive_target", "adaptive_decay"),
)

steering = group(
    click.option("--stop", multiple=True, help="Stop at this text, also before --min-length; repeatable."),
    click.option(
        "--min-length", type=whole(0, 10**8), default=0, help="Do not end by itself before so many new tokens."
    ),
    click.option("--max-time", type=Real(0, min_open=True), help="Stop after so many seconds."),
)
