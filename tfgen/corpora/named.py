"""The corpora that have names: two that ship with any Python, and four classics that are downloaded once."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import re
import sys
import types
import unicodedata
from collections.abc import Callable, Iterator, Mapping

from tfgen.corpora import cleaning, columns, downloads, files
from tfgen.corpora.corpus import Document
from tfgen.errors import InputError


@dataclasses.dataclass(frozen=True)
class NamedCorpus:
    """A corpus known by its name; `read` gives its documents."""

    name: str
    description: str
    ends: bool
    read: Callable[[], Iterator[Document]]


def _python_docs() -> Iterator[Document]:
    """Yield the topics of Python's `help()`, in the order of their names, as one running text."""
    try:
        topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    except ImportError as error:
        message = "'python-docs' is missing, for this Python came without it; use 'unicode-names' or a file."
        raise InputError(message) from error
    pages = (topics[key].strip("\n") for key in sorted(topics))
    yield Document("\n\n\n".join(pages) + "\n", "'python-docs'")


def _unicode_names() -> Iterator[Document]:
    """Yield the names of characters that somebody thought of, in the order of their code points."""
    for code in range(sys.maxunicode + 1):
        name = unicodedata.name(chr(code), "")
        if name and not _is_algorithmic(name, code):
            yield Document(name, f"'unicode-names', U+{code:04X}")


_CATALOGUE_NUMBER = re.compile(r"[0-9]{2}[A-Z]?$")


def _is_algorithmic(name: str, code: int) -> bool:
    """Whether a name is made by rule: from the code point, by spelling a Hangul syllable, or by counting on.

    >>> _is_algorithmic("CJK UNIFIED IDEOGRAPH-4E00", 0x4E00), _is_algorithmic("EGYPTIAN HIEROGLYPH A005A", 0x13005)
    (True, True)
    >>> _is_algorithmic("GREEK SMALL LETTER ALPHA", 0x3B1)
    False
    """
    return (
        name.endswith((f"-{code:04X}", f" {code:04X}"))
        or name.startswith("HANGUL SYLLABLE ")
        or _CATALOGUE_NUMBER.search(name) is not None
    )


def _downloaded_text(name: str) -> Iterator[Document]:
    yield Document("".join(files.decode([downloads.fetch(name)], repr(name), "utf-8")), repr(name))


def _ag_news_titles() -> Iterator[Document]:
    text = files.decode([downloads.fetch("ag-news")], "'ag-news'", "utf-8")
    for title in columns.read_column(text, ".csv", "'ag-news'", "title"):
        yield title._replace(text=cleaning.unescape(title.text))


_CORPORA = (
    NamedCorpus("python-docs", "the language reference behind Python's help(); no network", False, _python_docs),
    NamedCorpus("unicode-names", "the names of Unicode's characters, one each; no network", True, _unicode_names),
    NamedCorpus(
        "shakespeare",
        "40,000 lines of his plays (tiny Shakespeare), downloaded once",
        False,
        functools.partial(_downloaded_text, "shakespeare"),
    ),
    NamedCorpus(
        "alice",
        "Alice's Adventures in Wonderland, with Project Gutenberg's header and licence, downloaded once",
        False,
        functools.partial(_downloaded_text, "alice"),
    ),
    NamedCorpus(
        "nietzsche",
        "Nietzsche in English, as in the Keras example, downloaded once",
        False,
        functools.partial(_downloaded_text, "nietzsche"),
    ),
    NamedCorpus("ag-news", "7,600 news titles (AG News, test set), unescaped, downloaded once", True, _ag_news_titles),
)

BY_NAME: Mapping[str, NamedCorpus] = types.MappingProxyType({corpus.name: corpus for corpus in _CORPORA})

NAMED_CORPORA: Mapping[str, str] = types.MappingProxyType({corpus.name: corpus.description for corpus in _CORPORA})
"""The names that `load_corpus` knows, with a short description of each."""
