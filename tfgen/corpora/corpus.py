"""A corpus as a value: its documents, whether each of them ends, and where they came from."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from tfgen.corpora import at_hand
from tfgen.corpora.forms import Form, in_form
from tfgen.errors import InputError, check_instance
from tfgen.support import wording

END_OF_TEXT = "\x03"
"""U+0003 closes a document when it is hashed and when it is learned, so no document may hold it."""

BLANK_ROWS = "blank_rows"
"""Under this name it is counted how many texts were left out because they, or a cell of their row, were blank."""

EMPTY_FILES = "empty_files"
"""Under this name it is counted how many files, of several, had nothing in them."""

# NUL cannot stand in a Keras vocabulary, U+0003 is taken, and a surrogate (half a character) has no UTF-8.
_FORBIDDEN = re.compile("[\x00\x03\ud800-\udfff]")


class Document(NamedTuple):
    """One text on its way into a corpus, with the place it was found, for messages."""

    text: str
    place: str


@dataclasses.dataclass(frozen=True, repr=False)
class Corpus:
    """Text to learn from.

    Args:
        documents: The texts. At least one, with at least one character among them, and none with NUL, U+0003
            (END OF TEXT, which marks where a document ends) or a lone surrogate in it.
        ends: True for separate texts that begin and end (titles, verses, files); False for one running text.
        source: What the user asked for: `"alice.txt"`, `"python-docs"`, `"news.csv[title]"`.
        reading: How it was read, if it was: the options of `load_corpus`, by name.
        noticed: What was changed or passed over on the way, by name, and how often.

    Raises:
        InputError: There is no text, or a text holds a character that cannot be learned.

    >>> corpus = Corpus.from_texts(["Rain", "Sun"], source="weather")
    >>> corpus
    Corpus('weather', 2 documents, 7 characters)
    >>> corpus.documents, corpus.ends
    (('Rain', 'Sun'), True)
    """

    documents: tuple[str, ...]
    ends: bool
    source: str
    reading: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False)
    noticed: Mapping[str, int] = dataclasses.field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        """Check what every later step relies on."""
        if isinstance(self.documents, str):
            raise InputError("documents must be a sequence of texts; received one str: use Corpus.from_text for it.")
        check_instance("documents", self.documents, Sequence, "a sequence of texts")
        for index, text in enumerate(self.documents, start=1):
            place = f"document {index} of {self.source!r}"
            if not isinstance(text, str):
                raise InputError(f"{place} must be a str; received {wording.shown(text)}.")
            if found := find_forbidden(text):
                raise InputError(f"{place} holds {found}; remove it, or put U+FFFD in its place.")
        if not self.characters:
            raise InputError(f"{self.source!r} holds no text; a corpus needs at least one character.")

    @property
    def normalize(self) -> Form | None:
        """The Unicode normalisation form that the texts were brought into, if they were."""
        return cast("Form | None", self.reading.get("normalize"))

    @property
    def lower(self) -> bool:
        """Whether the texts were made lower case."""
        return bool(self.reading.get("lower"))

    def normalized(self, text: str) -> str:
        """Bring a text into the form of the texts."""
        return in_form(text, self.normalize, self.lower)

    @classmethod
    def from_texts(
        cls, texts: Iterable[str | None], source: str = "texts", ends: bool = True, column: str | None = None
    ) -> Corpus:
        """Make a corpus of texts at hand. Empty and missing texts hold nothing to learn: left out and counted.

        Args:
            texts: The documents, in order: a list, or a column of pandas, Polars, Arrow or `datasets`, in which None,
                NaN and the like are missing. With `column`, what has such columns, or rows that are mappings.
            source: What to call them in messages and in the model's provenance.
            ends: False if the texts are pieces of one running text.
            column: Which column of a table `texts` is.

        Returns:
            The corpus.

        Raises:
            InputError: As for `Corpus`, or `texts` is itself one `str`.

        >>> Corpus.from_texts(["one", "", None, "two"]).documents
        ('one', 'two')
        >>> Corpus.from_texts([{"id": 1, "title": "Rain"}], column="title").documents
        ('Rain',)
        """
        if isinstance(texts, str):
            raise InputError("texts must be an iterable of texts; received one str: use Corpus.from_text for it.")
        check_instance("texts", texts, Iterable, "an iterable of texts")
        found = list(at_hand.texts(texts, column))
        documents = tuple(text for text in found if not (text is None or (isinstance(text, str) and not text)))
        blank = len(found) - len(documents)
        return cls(documents, ends, source, noticed={BLANK_ROWS: blank} if blank else {})

    @classmethod
    def from_text(cls, text: str, source: str = "text") -> Corpus:
        """Make a corpus of one running text.

        Args:
            text: The text.
            source: What to call it in messages and in the model's provenance.

        Returns:
            The corpus, with `ends=False`.

        Raises:
            InputError: As for `Corpus`.

        >>> Corpus.from_text("to be or not to be").characters
        18
        """
        return cls((text,), False, source)

    @functools.cached_property
    def characters(self) -> int:
        """The number of characters (code points) in all documents together."""
        return sum(map(len, self.documents))

    @property
    def number_of_documents(self) -> int:
        """How many documents there are."""
        return len(self.documents)

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 in hex over the documents in UTF-8, each closed by U+0003, so that boundaries count."""
        digest = hashlib.sha256()
        for text in self.documents:
            digest.update((text + END_OF_TEXT).encode())
        return digest.hexdigest()

    def summary(self) -> dict[str, Any]:
        """Describe the corpus for a model's provenance, without its text.

        Returns:
            `source`, the number of `documents` and of `characters`, and `sha256`; and if it was read from somewhere,
            `reading` and what was `noticed`.

        >>> Corpus.from_text("abc").summary()["sha256"][:8]
        'e6bbd2f4'
        """
        return {
            "source": self.source,
            "documents": len(self.documents),
            "characters": self.characters,
            "sha256": self.sha256,
            **({"reading": dict(self.reading)} if self.reading else {}),
            **({"noticed": dict(self.noticed)} if self.noticed else {}),
        }

    def __repr__(self) -> str:
        """Name and size; the text itself may be a library."""
        documents = wording.number(len(self.documents), "document")
        size = f"{documents}, {wording.number(self.characters, 'character')}"
        return f"Corpus({self.source!r}, {size})"


def find_forbidden(text: str, offset: int = 0) -> str:
    """Say which character of a text cannot be learned, and where; an empty string if there is none.

    Args:
        text: Any text.
        offset: Where it stands in the whole.

    >>> find_forbidden("ab\\x03")
    'U+0003 (END OF TEXT, which marks where a text ends) at character offset 2'
    """
    # The expression takes fifty times as long as these.
    if "\0" not in text and END_OF_TEXT not in text and not _has_surrogate(text):
        return ""
    match = _FORBIDDEN.search(text)
    assert match is not None
    code = ord(match.group())
    names = {0: "NUL, as binary files do", 3: "END OF TEXT, which marks where a text ends"}
    name = names.get(code, "a lone surrogate, half a character")
    return f"U+{code:04X} ({name}) at character offset {offset + match.start()}"


def _has_surrogate(text: str) -> bool:
    try:
        return not (text.isascii() or text.encode())
    except UnicodeEncodeError:
        return True


def replace_forbidden(text: str) -> str:
    """Put U+FFFD in the place of each character that cannot be learned.

    >>> replace_forbidden("ab\\x03c")
    'ab\ufffdc'
    """
    return _FORBIDDEN.sub("\ufffd", text)
