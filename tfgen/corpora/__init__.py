"""Where text comes from: files, folders, columns, standard input and named corpora, read strictly, cleaned on request.

| module | its one idea |
|---|---|
| `corpus` | the value `Corpus`: documents and their provenance |
| `at_hand` | texts that are in Python already |
| `loading` | `load_corpus`, from what a user names to a `Corpus`, and `open_source`, to a `TextSource` |
| `pairs` | a source and a text of each row: the value `Pairs`, `load_pairs`, and `open_pairs` |
| `text_source` | text of any size, read in pieces |
| `sources` | which files (or named corpora) a user means |
| `compressed` | files to bytes, decompressed on the way |
| `files` | bytes to text, nothing dropped |
| `encodings` | what a file may be encoded in, for advice |
| `line_ends` | what ends a line |
| `columns` | columns of a CSV or TSV file |
| `json_rows` | rows of JSON |
| `cleaning` | HTML entities, Project Gutenberg's frame |
| `forms` | Unicode normalisation and lower case, which belong to a vocabulary too |
| `ag_news` | what is peculiar to AG News as it was published |
| `named` | the corpora that have names |
| `downloads` | fetched once, verified, kept in the Keras cache |

None of them imports TensorFlow or Keras. The names are imported when they are asked for: a vocabulary, which takes the
mark of the end of a text from here, must not wait for what reads the network.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfgen.corpora.corpus import Corpus
    from tfgen.corpora.loading import load_corpus, open_source
    from tfgen.corpora.named import NAMED_CORPORA
    from tfgen.corpora.pairs import Pairs, load_pairs, open_pairs
    from tfgen.corpora.text_source import TextSource

# Public name: the module it lives in.
_PUBLIC = {
    "NAMED_CORPORA": "named",
    "Corpus": "corpus",
    "Pairs": "pairs",
    "TextSource": "text_source",
    "load_corpus": "loading",
    "load_pairs": "pairs",
    "open_pairs": "pairs",
    "open_source": "loading",
}

__all__ = ["NAMED_CORPORA", "Corpus", "Pairs", "TextSource", "load_corpus", "load_pairs", "open_pairs", "open_source"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'tfgen.corpora' has no attribute {name!r}")
    return getattr(importlib.import_module(f"tfgen.corpora.{_PUBLIC[name]}"), name)


def __dir__() -> list[str]:
    return __all__
