"""Is it quoting? How much of a sample is copied from a corpus.

| module | its one idea |
|---|---|
| `copies` | which whole texts are documents of a corpus |
| `passages` | which share of a sample's passages occur in a corpus, and the longest of them |
| `suffix_automaton` | all substrings of a short text, looked up in a long one |
"""

from tfgen.novelty.copies import Copies, copies
from tfgen.novelty.passages import MOST_BYTES, Passage, Report, report

__all__ = ["MOST_BYTES", "Copies", "Passage", "Report", "copies", "report"]


def __dir__() -> list[str]:
    return __all__
