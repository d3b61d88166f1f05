"""Many texts at once: a prompt a row in, a text or a score a row out, in as many processes as one likes.

| module | its one idea |
|---|---|
| `tables` | rows of text in .txt, .jsonl, .csv and Parquet files |
| `requests` | what is asked of a model for each row, and what it answers |
| `parts` | answers on disk, part by part, so that what is written is not written again |
| `runs` | a file of rows to a file of answers, in this process or in several |
| `ray_data` | the same over a Dataset of Ray |

A row's draws have a seed of its own, and rows are answered in the same groups whoever does it: the number of processes
changes nothing.
"""

from tfgen.bulk.ray_data import generate, score
from tfgen.bulk.requests import Request
from tfgen.bulk.runs import answer

__all__ = ["Request", "answer", "generate", "score"]


def __dir__() -> list[str]:
    return __all__
