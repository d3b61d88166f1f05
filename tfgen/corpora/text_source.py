"""Text as it is read: from what a user names to pieces, cut and cleaned, of which only one is held at a time."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias

from tfgen.corpora import cleaning, columns, compressed, encodings, files, line_ends
from tfgen.corpora.corpus import (
    BLANK_ROWS,
    EMPTY_FILES,
    END_OF_TEXT,
    Corpus,
    Document,
    find_forbidden,
    replace_forbidden,
)
from tfgen.corpora.forms import FORMS, Form, in_form
from tfgen.corpora.named import NamedCorpus
from tfgen.corpora.sources import TextFile, size_of
from tfgen.errors import InputError, check_choice
from tfgen.support import wording
from tfgen.support.pieces import gathered

Control: TypeAlias = Literal["error", "replace"]

_CONTROLS = ("error", "replace")
_QUOTINGS = ("rfc4180", "none")

PIECE = 1 << 20  # characters that are worked on together
_MOST_IN_MEMORY = 1 << 30  # characters; a small compressed file may hold any number


@dataclasses.dataclass(frozen=True)
class Reading:
    """How files are read; `tfgen.corpora.load_corpus` describes each.

    Attributes:
        beside: Another column, see `tfgen.corpora.open_pairs`: of a row both cells are read and cleaned, and that of
            `column` is a document if text is left in both. So of two columns, each read beside the other, one has a
            document exactly where the other has one.

    Raises:
        InputError: One is not among those allowed.
    """

    column: str | None = None
    lines: bool = False
    encoding: str = "utf-8"
    unescape: bool = False
    strip_gutenberg: bool = False
    normalize: Form | None = None
    control: Control = "error"
    beside: str | None = None
    keep_line_ends: bool = False
    delimiter: str | None = None
    quoting: columns.Quoting | None = None
    paragraphs: bool = False
    split_on: str | None = None
    errors: encodings.Errors = "strict"
    lower: bool = False

    def __post_init__(self) -> None:
        """Check."""
        if self.normalize is not None:
            check_choice("normalize", self.normalize, FORMS)
        check_choice("control", self.control, _CONTROLS)
        check_choice("errors", self.errors, tuple(encodings.HANDLERS))
        files.check_encoding(self.encoding)
        self._check_table()
        if not isinstance(self.column, str | None):
            raise InputError(f"column must be a str such as 'title' or '2'; received {wording.shown(self.column)}.")
        self._check_document()

    def _check_document(self) -> None:
        if not isinstance(self.split_on, str | None):
            raise InputError(f"split_on must be a str; received {wording.shown(self.split_on)}.")
        ways = ("column", "lines", "paragraphs", "split_on")
        given = [name for name in ways if getattr(self, name) not in (None, False)]
        if len(given) > 1:
            first, second = (f"--{name.replace('_', '-')} ({name}=)" for name in given[:2])
            raise InputError(f"a document is one thing, not what both {first} and {second} say; remove one of them.")
        if self.split_on is not None:
            try:
                re.compile(self.split_on, re.MULTILINE)
            except (re.error, TypeError, OverflowError, RecursionError) as error:
                raise InputError(
                    f"split_on must be a regular expression; received {wording.shown(self.split_on)}: "
                    f"{wording.clause(error)}."
                ) from error

    @property
    def cleans(self) -> bool:
        """Whether more is done to a text than to its ends of lines."""
        return bool(self.unescape or self.normalize or self.lower)

    @property
    def cuts(self) -> bool:
        """Whether a text is cut into documents."""
        return self.lines or self.paragraphs or self.split_on is not None

    def cut(self, pieces: Iterable[str], place: str) -> Iterator[str]:
        """Cut a text into documents."""
        if self.lines:
            yield from files.split_lines(pieces, place)
        elif self.paragraphs:
            yield from files.split_paragraphs(pieces, place)
        elif self.split_on is not None:
            yield from _split(re.compile(self.split_on, re.MULTILINE), files.whole(pieces, place))
        else:
            yield from pieces

    def _check_table(self) -> None:
        if self.quoting is not None:
            check_choice("quoting", self.quoting, _QUOTINGS)
        delimiter = self.delimiter
        is_one = isinstance(delimiter, str) and len(delimiter) == 1 and delimiter not in '"\r\n'
        if delimiter is not None and not is_one:
            raise InputError(
                f"delimiter must be one character, such as ';', and no quote; received {wording.shown(delimiter)}."
            )
        for name in ("delimiter", "quoting"):
            if getattr(self, name) is not None and self.column is None:
                raise InputError(
                    f"{name} is that of a table", [("column", "name a column of it too (column=, --column)")]
                )

    def clean(self, text: str) -> str:
        """Clean a text, or as many of its lines as there are."""
        text = cleaning.unescape(text) if self.unescape else text
        text = text if self.keep_line_ends else line_ends.unified(text)
        return in_form(text, self.normalize, self.lower)


@dataclasses.dataclass(frozen=True)
class TextSource:
    """Texts that are read as often as wanted (standard input: once), a piece at a time.

    Attributes:
        texts: The files and named corpora, in order; at least one.
        reading: How to read them.
        label: What to call them all.
        passed_over: What was found and is not read, by name, and how often.
        noticed: What the last reading came across and did not leave as it was; begins with what is passed over.
    """

    texts: tuple[TextFile | NamedCorpus, ...]
    reading: Reading
    label: str
    passed_over: Counter[str] = dataclasses.field(default_factory=Counter, compare=False)
    noticed: Counter[str] = dataclasses.field(default_factory=Counter, compare=False)

    @property
    def ends(self) -> bool:
        """Whether each document ends by itself."""
        only = self.texts[0]
        by_itself = isinstance(only, NamedCorpus) and only.ends
        return self.reading.column is not None or self.reading.cuts or len(self.texts) > 1 or by_itself

    def pieces(self) -> Iterator[str]:
        """Read the text.

        Yields:
            Strings of about a million characters; U+0003 stands after each document that ends.

        Raises:
            InputError: As for `load_corpus`, but for a source without text.
        """
        self.noticed.clear()
        self.noticed.update(self.passed_over)
        return gathered(self._pieces(), PIECE)

    def bytes_on_disk(self) -> int:
        """Give the size of the files, as they would be without compression: a guess, and 0 for all else."""
        paths = [text.path for text in self.texts if isinstance(text, TextFile) and text.path is not None]
        return sum((4 if compressed.is_compressed(path) else 1) * size_of(path) for path in paths)

    def load(self) -> Corpus:
        """Hold the text in memory."""
        text = "".join(self._fitting(self.pieces()))
        documents = text.split(END_OF_TEXT)[:-1] if self.ends else [text]
        if not text:
            raise InputError(self.no_text())
        return Corpus(tuple(documents), self.ends, self.label, dataclasses.asdict(self.reading), dict(self.noticed))

    def _fitting(self, pieces: Iterator[str]) -> Iterator[str]:
        characters = 0
        for piece in pieces:
            characters += len(piece)
            if characters > _MOST_IN_MEMORY:
                function = "prepare_corpus" if self.reading.beside is None else "prepare_pairs"
                raise InputError(
                    f"{self.label!r} has more than {_MOST_IN_MEMORY:,} characters, too many to hold in memory; turn it "
                    f"into ids first (tfgen.{function}, tfgen prepare)."
                )
            yield piece

    def no_text(self) -> str:
        """Say why there is no text."""
        if self.reading.beside is not None:
            both = f"{self.reading.beside!r} and {self.reading.column!r}"
            return f"{self.label!r} holds no pairs: no row has text in both {both}; choose other columns."
        if self.reading.column is not None:
            return f"{self.label!r} holds no text: there are no rows, or the column is empty in each; choose another."
        if self.reading.cuts:
            return f"{self.label!r} holds no text: every line is blank; give a file with some text in it."
        return f"{self.label!r} is empty; give a file with some text in it."

    def _pieces(self) -> Iterator[str]:
        for text in self.texts:
            if self.reading.beside is not None:
                yield from self._cells_beside_others(text, self.reading.beside)
            elif isinstance(text, NamedCorpus) or self.reading.column is not None or self.reading.strip_gutenberg:
                for document in self._documents(text):
                    yield from self._closed_each(self._cut(_checked(document, self.reading)))
            elif self.reading.cuts:
                pieces = self._checked_pieces(text) if self.reading.lines else self._decoded(text)
                yield from self._closed_each(self.reading.cut(pieces, text.place))
            else:
                yield from self._closed(self._running(text))

    def _cells_beside_others(self, text: TextFile | NamedCorpus, beside: str) -> Iterator[str]:
        """Clean both cells of each row, and give the first where both still have text: cleaning may leave a space."""
        for row in self._rows(text, beside):
            cell, other = (self._clean(_checked(each, self.reading).text) for each in row)
            if cell.strip() and other.strip():
                yield cell + END_OF_TEXT
            else:
                self.noticed[BLANK_ROWS] += 1

    def _closed_each(self, documents: Iterable[str]) -> Iterator[str]:
        """Clean documents, and put the end after each that has text."""
        end = END_OF_TEXT if self.ends else ""
        is_plain = not self.reading.cleans
        for document in documents:
            cleaned = document if is_plain and "\r" not in document else self._clean(document)
            if cleaned:
                yield cleaned + end

    def _clean(self, document: str) -> str:
        """Clean a document, which is held whole."""
        if not self.reading.keep_line_ends and "\r" in document:
            self.noticed[line_ends.CHANGED] += document.count("\r")
        return self.reading.clean(document)

    def _closed(self, pieces: Iterable[str]) -> Iterator[str]:
        """Put the end after one document, if it has text."""
        text = ""
        for text in pieces:
            yield text
        if not text:
            self.noticed[EMPTY_FILES] += 1
        elif self.ends:
            yield END_OF_TEXT

    def _documents(self, text: TextFile | NamedCorpus) -> Iterator[Document]:
        """Yield documents that are held whole."""
        reading = self.reading
        if reading.column is not None:
            for (cell,) in self._rows(text):
                yield cell
        elif isinstance(text, NamedCorpus):
            yield from text.read()
        else:
            yield Document(files.whole(self._decoded(text), text.place), text.place)

    def _rows(self, text: TextFile | NamedCorpus, *beside: str) -> Iterator[tuple[Document, ...]]:
        """Yield the cells of the column, and of those beside it, of each row in which none of them is blank."""
        if isinstance(text, NamedCorpus):
            wrong = "source and column, or give a table" if beside else "column"
            raise InputError(f"{text.name!r} is a named corpus and has no columns; remove {wrong}.")
        ending = columns.table_ending(text.path, text.place)
        table = files.decode(text.read(), text.place, self.reading.encoding, self.reading.errors, self.noticed)
        assert self.reading.column is not None
        names, dialect = [self.reading.column, *beside], columns.Dialect(self.reading.delimiter, self.reading.quoting)
        yield from columns.read_rows(table, ending, text.place, names, dialect=dialect, noticed=self.noticed)

    def _cut(self, document: Document) -> Iterable[str]:
        text = document.text
        if self.reading.strip_gutenberg:  # before lines are cut, for its markers are lines themselves
            text = cleaning.strip_gutenberg(text, document.place)
        pieces: Iterable[str] = [text]
        if self.reading.cuts and not (self.reading.lines or self.reading.keep_line_ends):
            pieces = line_ends.unified_pieces(pieces, self.noticed)
        return self.reading.cut(pieces, document.place)

    def _running(self, text: TextFile) -> Iterator[str]:
        """Yield a file as one document, cleaned some lines at a time: no cleaning looks across a newline."""
        pieces = self._decoded(text)
        if not self.reading.cleans:
            yield from pieces
            return
        before = ""  # so that the beginning of a line is not taken for the beginning of the text
        for lines in _whole_lines(pieces, text.place):
            yield self.reading.clean(before + lines)[len(before) :]
            before = "\n"

    def _decoded(self, text: TextFile) -> Iterator[str]:
        """Yield a file, checked, with the ends of its lines as they are wanted."""
        pieces = self._checked_pieces(text)
        return pieces if self.reading.keep_line_ends else line_ends.unified_pieces(pieces, self.noticed)

    def _checked_pieces(self, text: TextFile) -> Iterator[str]:
        offset = 0
        for piece in files.decode(text.read(), text.place, self.reading.encoding, self.reading.errors, self.noticed):
            yield _checked(Document(piece, text.place), self.reading, offset).text
            offset += len(piece)


def _split(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    """Give what lies between the matches, without ends of lines around it, unless it is blank."""
    begin = 0
    ends = [*(match.span() for match in pattern.finditer(text)), (len(text), len(text))]
    for end, next_begin in ends:
        document = text[begin:end].strip("\r\n")
        if document.strip():
            yield document
        begin = next_begin


def _checked(document: Document, reading: Reading, offset: int = 0) -> Document:
    found = find_forbidden(document.text, offset)
    if not found:
        return document
    if reading.control == "replace":
        return document._replace(text=replace_forbidden(document.text))
    if not offset and (advice := encodings.unmarked_advice(document.text)):
        raise InputError(f"{document.place} holds {found}", advice)
    raise InputError(
        f"{document.place} holds {found}",
        [("", "remove it"), ("control", "have it replaced by U+FFFD (control='replace', --control replace)")],
    )


def _whole_lines(pieces: Iterator[str], place: str) -> Iterator[str]:
    rest: list[str] = []
    waiting = 0
    for piece in pieces:
        cut = max(piece.rfind("\n"), piece.rfind("\r")) + 1
        if cut:
            yield "".join([*rest, piece[:cut]])
            rest, waiting = [], 0
        rest.append(piece[cut:])
        waiting += len(piece) - cut
        if waiting > files.LONGEST_RECORD:
            raise InputError(
                f"{place} has a line of more than {files.LONGEST_RECORD:,} characters, too long to clean; split it."
            )
    if waiting:
        yield "".join(rest)
