"""How much of a sample is copied from the corpus, rather than written.

Short substrings of any text occur in a large corpus; a model that has learned by heart is known by long ones.
What is usual for a length shows a report on text of the same kind that is not in the corpus.

Axis letters: T the sample's characters, K the lengths looked at, N bytes in UTF-8.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.corpora.corpus import Corpus
from tfgen.errors import InputError, check_instance
from tfgen.novelty.suffix_automaton import SuffixAutomaton
from tfgen.support import pages, wording
from tfgen.vocabulary.vocabulary import Documents

MOST_BYTES = 1_000_000
"""The longest sample in UTF-8, which takes a gigabyte of memory to look for, and more if many characters differ."""

_PASSAGES = 5
_LENGTHS_SHOWN = (5, 10, 20, 30, 50, 100, 200, 500)  # in a notebook
_LENGTH_TOLD = 10  # characters, in one line: much shorter passages are in any text
_BORDER = b"\xff"  # occurs in no UTF-8


class Passage(NamedTuple):
    """A part of the sample that occurs in the corpus, and would not with one more character on either side.

    Attributes:
        text: Its characters.
        begin: The place in the sample of the first, counted from 0.
    """

    text: str
    begin: int


@dataclasses.dataclass(frozen=True, eq=False)
class Report:
    """What of a sample occurs in the corpus.

    Attributes:
        lengths: int (K,), every length from 1 to that of the sample.
        copied: float64 (K,), for each the share of the sample's substrings of that length that occur in a document of
            the corpus. A substring counts at each place where it stands in the sample. It never rises with the length.
        longest: The longest copied passages that do not overlap, the longest first, the earlier first among equals.
    """

    lengths: npt.NDArray[np.int_]
    copied: npt.NDArray[np.float64]
    longest: tuple[Passage, ...]

    def __repr__(self) -> str:
        """Say in one line how much of it was copied."""
        passages = [f"the longest is {wording.shorten(repr(each.text))}" for each in self.longest[:1]]
        length = min(_LENGTH_TOLD, len(self.lengths))
        shares = f"{self.copied[length - 1]:.1%} of its passages of {wording.number(length, 'character')} are copied"
        return f"<Report on {wording.number(len(self.lengths), 'character')}: {'; '.join([shares, *passages])}>"

    def _repr_html_(self) -> str:
        """Show the shares and the passages in a notebook."""
        lengths = [length for length in _LENGTHS_SHOWN if length <= len(self.lengths)]
        shares = [(f"{length:,}", f"{self.copied[length - 1]:.1%}") for length in lengths]
        passages = [(f"{len(each.text):,}", f"{each.begin:,}", each.text) for each in self.longest]
        return pages.table(("passages of", "copied"), shares) + pages.table(("characters", "at", "copied"), passages)


def report(sample: str, corpus: Documents) -> Report:
    """Measure how much of a sample is copied from a corpus, which is read once: about 30 MB a second.

    Args:
        sample: The text, such as a model has written; without the prompt, if that is from the corpus.
        corpus: What the model has learned, a `Corpus`; the sample is brought into its form. A match never
            goes over the border of two documents.

    Returns:
        The shares copied by length, and the longest copied passages.

    Raises:
        InputError: The sample is empty, or longer than `MOST_BYTES`; or an argument is something else.

    >>> from tfgen.corpora import Corpus
    >>> found = report("the cat sat", Corpus.from_texts(["the cat", "a mat"]))
    >>> found.lengths[:4].tolist(), found.copied[:4].round(2).tolist()
    ([1, 2, 3, 4], [0.91, 0.7, 0.56, 0.5])
    >>> found.longest[:2]
    (Passage(text='the cat', begin=0), Passage(text='at', begin=9))
    """
    check_instance("the sample", sample, str, "a str")
    check_instance("the corpus", corpus, Documents, "what tfgen.load_corpus gives")
    if not sample:
        raise InputError("the sample is empty; use a text of at least one character.")
    if isinstance(corpus, Corpus):
        sample = corpus.normalized(sample)
    data = sample.encode("utf-8", "surrogatepass")
    if len(data) > MOST_BYTES:
        raise InputError(f"the sample has {len(data):,} bytes in UTF-8; use a part of at most {MOST_BYTES:,} bytes.")
    matches = _longest_ending(data, corpus)
    lengths = np.arange(1, len(sample) + 1)
    # Substrings of length k that occur end where at least k characters do.
    occurring = np.bincount(matches, minlength=len(sample) + 1)[::-1].cumsum()[::-1][1:]
    return Report(lengths, occurring / lengths[::-1], _longest_passages(sample, matches))


def _longest_ending(data: bytes, corpus: Documents) -> npt.NDArray[np.int_]:
    """Give for each character of a sample in UTF-8 how many, up to and with it, occur together: int (T,)."""
    automaton = SuffixAutomaton.build(data)
    in_bytes = automaton.longest_ending(_BORDER.join(document.encode() for document in corpus.documents))
    # A match may begin inside a character: then it counts from the next.
    begins = np.flatnonzero((np.frombuffer(data, np.uint8) & 0xC0) != 0x80)
    ends = np.append(begins[1:], len(data))
    return np.arange(1, len(begins) + 1) - np.searchsorted(begins, ends - in_bytes[ends - 1])


def _longest_passages(sample: str, matches: npt.NDArray[np.int_]) -> tuple[Passage, ...]:
    goes_on = np.append(matches[1:] == matches[:-1] + 1, False)
    ends = np.flatnonzero((matches > 0) & ~goes_on)
    taken = np.zeros(len(sample), bool)
    passages: list[Passage] = []
    for end in ends[np.argsort(-matches[ends], kind="stable")].tolist():
        place = slice(end + 1 - int(matches[end]), end + 1)
        if len(passages) < _PASSAGES and not taken[place].any():
            taken[place] = True
            passages.append(Passage(sample[place], place.start))
    return tuple(passages)
