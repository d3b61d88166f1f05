"""Text to ids and back.

| module | its one idea |
|---|---|
| `vocabulary` | which tokens a model knows, in which order |
| `splitting` | where one token ends and the next begins |
| `counting` | the tokens of a corpus counted, and what a vocabulary of them covers |
| `counted` | the tokens that were counted so far, noted on disk |
| `separators` | what stands between texts, so that none is taken for a part of another |
| `counts_on_disk` | words counted exactly, however many there are |
| `keras_layers` | the same in a graph, as Keras layers |
"""

from tfgen.corpora.corpus import END_OF_TEXT
from tfgen.vocabulary.counting import Coverage
from tfgen.vocabulary.splitting import Split
from tfgen.vocabulary.vocabulary import (
    END,
    PADDING,
    PADDING_TOKEN,
    RESERVED,
    UNKNOWN,
    UNKNOWN_TOKEN,
    Documents,
    OnUnknown,
    Vocabulary,
    default_max_tokens,
)

__all__ = [
    "END",
    "END_OF_TEXT",
    "PADDING",
    "PADDING_TOKEN",
    "RESERVED",
    "UNKNOWN",
    "UNKNOWN_TOKEN",
    "Coverage",
    "Documents",
    "OnUnknown",
    "Split",
    "Vocabulary",
    "default_max_tokens",
]
