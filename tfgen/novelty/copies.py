"""How many whole texts are documents of the corpus, such as names that are there already.

A text of a few characters may be made anew and be in the corpus all the same: this says how often it is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from tfgen.corpora.corpus import Corpus
from tfgen.errors import InputError, check_instance
from tfgen.support import wording
from tfgen.vocabulary.vocabulary import Documents


@dataclasses.dataclass(frozen=True)
class Copies:
    """Whole texts that are documents of a corpus.

    Attributes:
        texts: How many texts there are.
        copied: How many of them are documents of the corpus.
        different: How many different texts there are.
        different_copied: Those of these that are documents of the corpus, in the order in which they first occur.
    """

    texts: int
    copied: int
    different: int
    different_copied: tuple[str, ...]

    @property
    def share(self) -> float:
        """The share of texts that are copies, from 0 to 1."""
        return self.copied / self.texts

    @property
    def share_of_different(self) -> float:
        """The share of different texts that are copies, from 0 to 1."""
        return len(self.different_copied) / self.different


def copies(texts: Iterable[str], corpus: Documents) -> Copies:
    """Tell which texts are whole documents of a corpus.

    Args:
        texts: What a model has written, text by text; each is brought into the corpus's form.
        corpus: What the model has learned, a `Corpus`; its documents are read once, one by one.

    Raises:
        InputError: There is no text, or an argument is something else.

    >>> from tfgen.corpora import Corpus
    >>> found = copies(["Rain", "Sun", "Rain"], Corpus.from_texts(["Rain", "Snow"]))
    >>> found.copied, found.different, found.different_copied
    (2, 2, ('Rain',))
    """
    if isinstance(texts, str):
        raise InputError("copies takes several texts; received one str: put it in a list, [text].")
    check_instance("texts", texts, Iterable, "an iterable of texts")
    check_instance("the corpus", corpus, Documents, "what tfgen.load_corpus gives")
    in_form = corpus.normalized if isinstance(corpus, Corpus) else str
    counts: dict[str, int] = {}
    for text in texts:
        if not isinstance(text, str):
            raise InputError(f"texts must be an iterable of str; received {wording.shown(text)} in it.")
        text = in_form(text)
        counts[text] = counts.get(text, 0) + 1
    if not counts:
        raise InputError("there are no texts; give at least one.")
    known = {document for document in corpus.documents if document in counts}
    found = tuple(text for text in counts if text in known)
    return Copies(sum(counts.values()), sum(counts[text] for text in found), len(counts), found)
