"""Bytes to text, strictly: a byte that is no text is reported with its place, never dropped."""

from __future__ import annotations

import codecs
import pathlib
import sys
from collections.abc import Iterator

from tfgen.corpora.corpus import Document
from tfgen.errors import InputError


def read_file(path: pathlib.Path) -> bytes:
    """Read a file whole.

    Raises:
        InputError: The operating system refuses.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}; check the path") from error


def read_standard_input() -> bytes:
    """Read standard input to its end.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise InputError("there is no standard input to read; give a file instead of '-'")
    try:
        return stream.read()
    except OSError as error:
        raise InputError(f"standard input cannot be read: {error.strerror or error}; give a file instead") from error


def check_encoding(encoding: str) -> None:
    """Refuse an encoding that Python does not know, before any file is read.

    Raises:
        InputError: The name is unknown, or names no encoding of text.

    >>> check_encoding("utf-9")
    Traceback (most recent call last):
    tfgen.errors.InputError: unknown encoding 'utf-9'; give one that Python knows, such as 'utf-8' or 'latin-1'
    """
    try:
        " ".encode(encoding)
    except (LookupError, ValueError, TypeError) as error:
        message = f"unknown encoding {encoding!r}; give one that Python knows, such as 'utf-8' or 'latin-1'"
        raise InputError(message) from error


def decode(data: bytes, place: str, encoding: str) -> str:
    """Decode a text as it is, newlines of every kind included, save a byte order mark at its beginning.

    Args:
        data: The file's bytes.
        place: Where they come from, for the message.
        encoding: Their encoding, already known to exist.

    Returns:
        The text.

    Raises:
        InputError: A byte that the encoding does not allow, named with its offset.

    >>> decode("Grüße\\r\\n".encode("latin-1"), "'a.txt'", "latin-1")
    'Grüße\\r\\n'
    """
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        message = f"{place}: byte 0x{error.object[error.start]:02x} at offset {error.start} is not {encoding}"
        raise InputError(f"{message}; {_advice(data)}") from error
    except UnicodeError as error:
        raise InputError(f"{place} cannot be read as {encoding}; {_advice(data)}") from error
    # Not the "utf-8-sig" codec: the offsets it reports do not count the mark.
    if codecs.lookup(encoding).name == "utf-8":
        return text.removeprefix("\ufeff")
    return text


def _advice(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "it begins as UTF-16 does: give its encoding (encoding='utf-16', --encoding utf-16)"
    if b"\0" in data:
        return "it looks like a binary file: give a text file"
    return "if it is a text and no binary file, give its encoding (encoding='latin-1', --encoding latin-1)"


def split_lines(document: Document) -> Iterator[Document]:
    r"""Make a document of each line that is not blank.

    A line ends with `\n`, or `\r\n`; every other separator of Unicode belongs to the text.

    >>> [line.text for line in split_lines(Document("one\r\n\ntwo\u2028three", "a.txt"))]
    ['one', 'two\u2028three']
    """
    for number, line in enumerate(document.text.split("\n"), start=1):
        if line.strip():
            yield Document(line.removesuffix("\r"), f"{document.place}, line {number}")
