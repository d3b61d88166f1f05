"""Text of any size as ids on disk.

| module | its one idea |
|---|---|
| `corpus` | a prepared corpus: what it holds, and whether it is whole |
| `pairs` | two of them side by side: sources and texts |
| `preparing` | how it is written, in passes over pieces |
| `pairs` | two of them side by side: sources, and the texts that depend on them |
| `workspace` | where it is written, with notes, so that a run can continue where another was stopped |
| `ids_file` | the file of ids while it is written |
| `cache` | the prepared texts that are kept, and the removal of old ones |
"""

from tfgen.prepared.corpus import Prepared, is_prepared, open_prepared
from tfgen.prepared.pairs import PreparedPairs, are_prepared_pairs, open_prepared_pairs, prepare_pairs
from tfgen.prepared.preparing import prepare_corpus

__all__ = [
    "Prepared",
    "PreparedPairs",
    "are_prepared_pairs",
    "is_prepared",
    "open_prepared",
    "open_prepared_pairs",
    "prepare_corpus",
    "prepare_pairs",
]
