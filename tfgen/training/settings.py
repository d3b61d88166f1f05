"""What a training should be: settings, and how they suit themselves to a corpus."""

import dataclasses
from typing import Any, Literal, get_args

import numpy as np

from tfgen.corpora import Corpus
from tfgen.corpora.pairs import Pairs
from tfgen.errors import InputError, check_choice, real_number, whole_number
from tfgen.layers.stepping import TRANSFORMER
from tfgen.networks.building import usual
from tfgen.prepared.corpus import Prepared
from tfgen.prepared.pairs import PreparedPairs
from tfgen.support import keywords, wording
from tfgen.vocabulary.vocabulary import OnUnknown, Split, checked_limits

Text = Corpus | Prepared | Pairs | PreparedPairs
Cut = Literal["streams", "windows", "documents", "pairs"]

# Documents longer than this, on average, are read as streams: the state is carried through them.
_LONG_DOCUMENT = 400
_BATCH_SIZE = 32
# A short row is many updates; the state is carried through streams, and not from window to window.
_LENGTHS = {"streams": 32, "windows": 64, "documents": 500, "pairs": None}
_BATCH_SIZE_OF_PAIRS = 64
_RATE, _RATE_OF_PAIRS = 8e-3, 3e-3
_RATE_OF_TRANSFORMER = 2e-3
# So many updates an epoch, at least, before a larger batch is worth its speed.
_UPDATES = 30
# So many tokens are read in all, if the number of epochs is left open.
_TOKENS = 6_000_000


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to train, and how; None leaves a choice to `prepare`, which suits it to the corpus.

    Attributes:
        split: "character", or "word" for tokens that are words.
        max_tokens: The largest vocabulary; None for no limit (10,000 for words).
        min_count: Rarer tokens are left out of the vocabulary.
        unknown: What a token of the corpus outside the vocabulary does, see `Vocabulary.encode`; None: it is an error,
            but where the vocabulary has left tokens out and knows what the unknown one means.
        cut: "streams", "windows" or "documents", see `tfgen.datasets`; None: documents if they are short, else streams,
            and windows for a transformer, which has no state to carry.
            Texts that have sources are "pairs", and nothing else.
        cell: "lstm", "gru", "rnn" or "transformer"; or "ngram" for counts, see `count`.
        order: How many tokens the n-grams of counts have at most; None: 7.
        units: U, of each layer; None: 256, and 128 of a transformer.
        layers: How many layers; None: 1, and 4 of a transformer.
        dropout: Share of each layer's outputs that is dropped while training.
        weight_drop: Share of the recurrent weights of an LSTM or GRU that is dropped while training.
        embedding: Size of the tokens' embedding; None: one-hot characters, and 128 for words.
        heads: Of a transformer; None: 4.
        window: How many tokens a transformer sees at most; None: 64.
        encoder_units: U of the encoder of sources, in each direction; None: half the units.
        attention: Whether each token looks at the places of its source; None: it does, where there are sources.
        batch_size: B; None: 32, less for a small corpus, and 64 for pairs.
        length: T; None: 32 for streams, 64 for windows and the window of a transformer, for documents the longest row,
            500, and pairs of any length.
        epochs: None: as many as read 6 million tokens, at least 3 and at most 50.
        learning_rate: The peak of the schedule; None: 0.008, 0.003 for pairs, 0.002 for a transformer.
        validation: Share of the corpus that is kept from training.
        patience: Stop after so many epochs without a better validation; None never stops early. The best weights are
            kept either way.
        seed: Of weights, order and dropout.
    """

    def __new__(cls, *args: Any, **settings: Any) -> "Settings":
        """Check the names of the settings."""
        if message := keywords.unexpected(settings, [field.name for field in dataclasses.fields(cls)]):
            raise TypeError(message)
        return super().__new__(cls)

    split: Split = "character"
    max_tokens: int | None = None
    min_count: int = 1
    unknown: OnUnknown | None = None
    cut: Cut | None = None
    cell: str = "lstm"
    order: int | None = None
    units: int | None = None
    layers: int | None = None
    dropout: float = 0.0
    weight_drop: float = 0.0
    embedding: int | None = None
    heads: int | None = None
    window: int | None = None
    encoder_units: int | None = None
    attention: bool | None = None
    batch_size: int | None = None
    length: int | None = None
    epochs: int | None = None
    learning_rate: float | None = None
    validation: float = 0.1
    patience: int | None = 4
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what no corpus could make right; the rest is checked where it is used."""
        max_tokens, min_count = checked_limits(self.split, self.max_tokens, self.min_count)
        checked: dict[str, Any] = {
            "max_tokens": max_tokens,
            "min_count": min_count,
            "seed": whole_number("seed", self.seed, 0, most=2**63 - 1),
            "validation": real_number("validation", self.validation, at_least=0, below=1),
        }
        if self.learning_rate is not None:
            checked["learning_rate"] = real_number("learning_rate", self.learning_rate, above=0)
        whole = ("order", "batch_size", "length", "embedding", "heads", "window", "encoder_units", "epochs", "patience")
        for name in whole:
            if (value := getattr(self, name)) is not None:
                checked[name] = whole_number(name, value, 1)
        for name, value in checked.items():  # as Python's own numbers, which a model's provenance can hold
            object.__setattr__(self, name, value)
        if self.cut is not None:
            check_choice("cut", self.cut, get_args(Cut))
        if self.unknown is not None:
            check_choice("unknown", self.unknown, get_args(OnUnknown))
        if self.attention is not None and not isinstance(self.attention, bool):
            raise InputError(f"attention is True, False or None; received {wording.shown(self.attention)}.")

    def suited_to(self, corpus: Text, tokens: int) -> "Settings":
        """Fill in what was left open, for a corpus of so many tokens."""
        of_pairs = isinstance(corpus, Pairs | PreparedPairs)
        if self.cut is not None and (self.cut == "pairs") != of_pairs:
            raise InputError(f"texts with sources are cut into pairs, and no others are; received cut={self.cut!r}.")
        if not of_pairs and (self.encoder_units or self.attention):
            raise InputError("encoder_units and attention are for texts with sources; this corpus has none: omit them.")
        transformer = self.cell == TRANSFORMER
        if transformer and self.cut == "streams":
            raise InputError("a transformer carries no state through streams: cut the text into windows or documents.")
        texts = texts_of(corpus)
        short = texts.ends and texts.characters / texts.number_of_documents < _LONG_DOCUMENT
        sizes: dict[str, Any] = {k: size for k, size in usual(self.cell).items() if getattr(self, k) is None}
        units, window = (sizes.get(name, getattr(self, name)) for name in ("units", "window"))
        long = "windows" if transformer else "streams"
        cut = "pairs" if of_pairs else ("documents" if short else long) if self.cut is None else self.cut
        usual_length = window if transformer and cut == "windows" else _LENGTHS[cut]
        length = usual_length if self.length is None else self.length
        of_training = tokens * (1 - self.validation)
        if cut == "streams" and self.length is None and length is not None:
            length = int(np.clip(of_training - 2, 1, length))  # a text of a line or two is one short row
        row = tokens / texts.number_of_documents if cut in ("documents", "pairs") else tokens
        row = row if length is None else min(row, length)
        most = _BATCH_SIZE_OF_PAIRS if of_pairs else _BATCH_SIZE
        suited: dict[str, Any] = {
            "cut": cut,
            "length": length,
            "batch_size": int(np.clip(of_training / (_UPDATES * row), 1, most)),
            "embedding": 128 if self.split == "word" and not transformer else None,
            "epochs": int(np.clip(round(_TOKENS / of_training), 3, 50)),
            "learning_rate": _RATE_OF_TRANSFORMER if transformer else _RATE_OF_PAIRS if of_pairs else _RATE,
            "encoder_units": max(units // 2, 1) if of_pairs else None,
            "attention": True if of_pairs else None,
        }
        left_open = {name: value for name, value in suited.items() if getattr(self, name) is None}
        return dataclasses.replace(self, **left_open, **sizes)


def texts_of(corpus: Text) -> Corpus | Prepared:
    """Give what is written: of pairs, their texts."""
    return corpus.texts if isinstance(corpus, Pairs | PreparedPairs) else corpus
