"""From ids to `tf.data` batches.

| module | its one idea |
|---|---|
| `cuts` | three ways to cut text: streams, windows, documents; training and validation |
| `pairing` | sources and the texts that are written from them |
| `pair_sources` | sources: arrays, or other texts |
| `shares` | the rows of a batch that one of several workers reads |
| `course` | batches as a function of epoch and step, and the dataset of them |
| `document_rows` | where rows of documents lie, without holding them |
| `permutation` | a random order, looked up place by place and never held |
| `memory_map` | pages of mapped files are let go |
"""

from tfgen.datasets.course import Course, course_of
from tfgen.datasets.cuts import documents, joined_ids, streams, windows
from tfgen.datasets.pairing import pairs

__all__ = ["Course", "course_of", "documents", "joined_ids", "pairs", "streams", "windows"]


def __dir__() -> list[str]:
    return __all__
