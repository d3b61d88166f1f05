"""Text of any size as ids on disk.

| module | its one idea |
|---|---|
| `corpus` | a prepared corpus: what it holds, and whether it is whole |
| `preparing` | how it is made, in passes over pieces |
| `workspace` | where it is made, for a run that goes on where another was stopped |
| `ids_file` | the file of ids while it is written |
"""

from tfgen.prepared.corpus import Prepared, is_prepared, open_prepared
from tfgen.prepared.preparing import prepare_corpus

__all__ = ["Prepared", "is_prepared", "open_prepared", "prepare_corpus"]
