"""Where text comes from: files, folders, columns, standard input and named corpora, read strictly, cleaned on request.

| module | its one idea |
|---|---|
| `corpus` | the value `Corpus`: documents and their provenance |
| `loading` | `load_corpus`, from what a user names to a `Corpus` |
| `sources` | which files (or named corpora) a user means |
| `files` | bytes to text, nothing dropped |
| `columns` | one column of a CSV, TSV or JSON-lines file |
| `cleaning` | HTML entities, Project Gutenberg's frame, Unicode normalisation |
| `named` | the corpora that have names |
| `downloads` | fetched once, verified, kept in the Keras cache |

None of them imports TensorFlow or Keras, except to download, when asked to.
"""

from tfgen.corpora.corpus import Corpus
from tfgen.corpora.loading import load_corpus
from tfgen.corpora.named import NAMED_CORPORA

__all__ = ["NAMED_CORPORA", "Corpus", "load_corpus"]
