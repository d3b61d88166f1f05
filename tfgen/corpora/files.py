"""Bytes to text, strictly and piece by piece: a byte that is no text is reported with its place, never dropped."""

from __future__ import annotations

import codecs
import io
from collections import Counter
from collections.abc import Iterable, Iterator

from tfgen.corpora import encodings, line_ends
from tfgen.errors import InputError
from tfgen.support import wording

LONGEST_RECORD = 1 << 24
"""Characters of the longest line, row or eBook, which are held in memory while they are read."""

MARKS_WITHIN = "marks_within"
"""Under this name it is counted how many byte order marks stand within a text, as where files were joined."""


def check_encoding(encoding: str) -> None:
    """Refuse an encoding that Python does not know, before any file is read.

    Raises:
        InputError: The name is unknown, or names no encoding of text.

    >>> check_encoding("utf-9")
    Traceback (most recent call last):
    tfgen.errors.InputError: unknown encoding 'utf-9'; use one that Python knows, such as 'utf-8' or 'latin-1'.
    """
    try:
        " ".encode(encoding)
        codecs.getincrementaldecoder(encoding)
    except (LookupError, ValueError, TypeError) as error:
        raise InputError(
            f"unknown encoding {wording.shown(encoding)}; use one that Python knows, such as 'utf-8' or 'latin-1'."
        ) from error


# How an archive of files begins: of zip, 7z and rar; and where tar says that it is one.
_ARCHIVES = (b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07")
_TAR, _TAR_AT = b"ustar", 257


def decode(
    pieces: Iterable[bytes],
    place: str,
    encoding: str,
    errors: encodings.Errors = "strict",
    noticed: Counter[str] | None = None,
) -> Iterator[str]:
    """Decode a text as it is, newlines of every kind included, save a byte order mark (U+FEFF) at its beginning.

    Args:
        pieces: The file's bytes; a character may lie across the border of two pieces.
        place: Where they come from, for the message.
        encoding: Their encoding, already known to exist.
        errors: What to do with bytes that it does not allow.
        noticed: Counts those that were not reported, as `encodings.REPLACED` or `encodings.IGNORED`, and byte order
            marks that are not at the beginning, as `MARKS_WITHIN`.

    Yields:
        The text in pieces, none of them empty.

    Raises:
        InputError: A byte that the encoding does not allow, named with its offset in the file and its line.

    >>> list(decode(["Grüße".encode()[:3], "Grüße".encode()[3:]], "'a.txt'", "utf-8"))
    ['Gr', 'üße']
    """
    handler = encodings.HANDLERS[errors]
    decoder = codecs.getincrementaldecoder(encoding)(handler)
    begun = False  # the codecs that drop a mark themselves, such as "utf-8-sig", give offsets that do not count it
    offset, newlines, beginning, last, before = 0, 0, b"", "", b""
    for piece in _with_last(pieces):
        if not offset:
            _check_no_archive(piece, place)
        offset += len(piece)
        beginning = beginning + piece[: encodings.LONGEST_MARK - len(beginning)]
        try:
            with encodings.counting(noticed):
                text = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            wrong = error.object[error.start]
            newlines += _newlines(error.object[: error.start], encoding, last)
            at = f"offset {offset - len(error.object) + error.start}"
            message = f"{place}: byte 0x{wrong:02x} at {at} is not {encoding} (line {newlines + 1})"
            raise InputError(message, encodings.advice(beginning, _in_place(error, before), encoding)) from error
        except UnicodeError as error:
            advice = encodings.advice(beginning, None, encoding)
            raise InputError(f"{place} cannot be read as {encoding}", advice) from error
        if text and not begun:
            text, begun = text.removeprefix("\ufeff"), True
        if noticed is not None and "\ufeff" in text:
            noticed[MARKS_WITHIN] += text.count("\ufeff")
        newlines += line_ends.count(text, last)
        if text:
            last = text[-1]
            yield text
        before = piece


def _check_no_archive(beginning: bytes, place: str) -> None:
    """Refuse an archive of files, whose bytes may all be allowed: nothing in it is to be replaced.

    Raises:
        InputError: It begins as one does.
    """
    if beginning.startswith(_ARCHIVES) or beginning[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        raise InputError(f"{place} is an archive of files, and no text; unpack it, and give the folder.")


def _with_last(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Give the pieces that are not empty, and then an empty one, which tells the decoder that it was the last."""
    yield from filter(None, pieces)
    yield b""


def _in_place(error: UnicodeDecodeError, before: bytes) -> UnicodeDecodeError:
    """Give an error with the bytes around it: of one at the end of a text the decoder has kept the last few alone."""
    if len(error.object) >= len(before) or not before.endswith(error.object):
        return error
    shift = len(before) - len(error.object)
    return UnicodeDecodeError(error.encoding, before, error.start + shift, error.end + shift, error.reason)


def _newlines(data: bytes, encoding: str, before: str) -> int:
    try:
        return line_ends.count(data.decode(encoding, errors="ignore"), before)
    except UnicodeError:
        return data.count(b"\n")


def whole(pieces: Iterable[str], place: str) -> str:
    """Hold a text in memory that cannot be worked on in pieces.

    Raises:
        InputError: It is too long for that.
    """
    held: list[str] = []
    length = 0
    for piece in pieces:
        held.append(piece)
        length += len(piece)
        if length > LONGEST_RECORD:
            raise InputError(
                f"{place} has more than {LONGEST_RECORD:,} characters, too many to clean; split it into several files."
            )
    return "".join(held)


class Lines:
    r"""The lines of a text that comes in pieces, each with its end, for the csv module too.

    Attributes:
        budget: How many more characters may be read; whoever begins a new record sets it to LONGEST_RECORD.

    >>> list(Lines(["one\r", "\ntwo", "\n"], "a.txt"))
    ['one\r\n', 'two\n']
    """

    def __init__(self, pieces: Iterable[str], place: str) -> None:
        """Take the pieces, and what to call them; `line_ends` says what ends a line."""
        self.budget = LONGEST_RECORD
        self._place = place
        self._lines = self._cut(pieces)

    def __iter__(self) -> Iterator[str]:
        """Give itself: the lines are read once."""
        return self

    def __next__(self) -> str:
        """Give the next line."""
        line = next(self._lines)
        self.budget -= len(line)
        self._check(0)
        return line

    def _cut(self, pieces: Iterable[str]) -> Iterator[str]:
        held: list[str] = []  # of a line that has not ended: joined once, however many pieces it comes in
        for piece in pieces:
            # A carriage return may be the first half of a line's end.
            ends = "\n" in piece or "\r" in piece or (held and held[-1].endswith("\r"))
            held.append(piece)
            if ends:
                lines = list(io.StringIO("".join(held), newline=""))
                held = [] if lines[-1].endswith("\n") else [lines.pop()]
                yield from lines
            self._check(sum(map(len, held)))
        yield from io.StringIO("".join(held), newline="")

    def _check(self, waiting: int) -> None:
        if waiting > self.budget:
            raise InputError(too_long(self._place))


def split_lines(pieces: Iterable[str], place: str) -> Iterator[str]:
    r"""Give each line that is not blank, without its end; `line_ends` says what that is.

    >>> list(split_lines(["one\r\n\ntw", "o\u2028three"], "a.txt"))
    ['one', 'two\u2028three']
    """
    held: list[str] = []  # of a line that has not ended: joined once, however many pieces it comes in
    for piece in line_ends.unified_pieces(pieces):
        first, *others = piece.split("\n")
        held.append(first)
        if others:
            lines = ["".join(held), *others]
            held = [lines.pop()]
            yield from (line for line in lines if line.strip())
        if sum(map(len, held)) > LONGEST_RECORD:
            raise InputError(too_long(place))
    if (last := "".join(held)).strip():
        yield last


def split_paragraphs(pieces: Iterable[str], place: str) -> Iterator[str]:
    r"""Give what lies between blank lines, without the end of its last line.

    >>> list(split_paragraphs(["one\ntwo\n", " \n\nthree\n"], "a.txt"))
    ['one\ntwo', 'three']
    """
    held: list[str] = []
    lines = Lines(pieces, place)
    for line in lines:
        if line.strip():
            held.append(line)
            continue
        lines.budget = LONGEST_RECORD
        if held:
            yield _joined(held)
            held = []
    if held:
        yield _joined(held)


def _joined(lines: list[str]) -> str:
    return "".join(lines).rstrip("\r\n")


def too_long(place: str) -> str:
    """Say that a line or row has no end."""
    return f"{place} has a line or row of more than {LONGEST_RECORD:,} characters; check the format of the file."
