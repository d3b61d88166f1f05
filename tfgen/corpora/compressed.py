"""Files as pieces of bytes, decompressed on the way where their name says so: never more than a piece in memory."""

from __future__ import annotations

import bz2
import gzip
import importlib
import io
import lzma
import pathlib
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO

from tfgen.errors import InputError

PIECE = 1 << 20  # bytes
ENDINGS = (".gz", ".bz2", ".xz", ".zst")

# Bytes that an .xz file may ask for; the strongest of xz's presets asks for 65 MiB. zstandard's own limit is 128 MiB.
_DICTIONARY = 160 << 20
_FED = 1 << 10  # bytes: they become 32 MiB at most


def uncompressed_name(path: pathlib.Path) -> pathlib.Path:
    """Give the name without the ending of its compression.

    >>> uncompressed_name(pathlib.PurePosixPath("news.csv.gz")).name
    'news.csv'
    """
    return path.with_suffix("") if is_compressed(path) else path


def is_compressed(path: pathlib.Path) -> bool:
    """Whether a file is compressed, by its name."""
    return path.suffix.lower() in ENDINGS


def read_pieces(path: pathlib.Path) -> Iterator[bytes]:
    """Read a file.

    Args:
        path: A file; `.gz`, `.bz2`, `.xz` and `.zst` are decompressed.

    Yields:
        Its bytes, a piece at a time.

    Raises:
        InputError: The operating system refuses, the file is damaged, or it is `.zst` and nothing here reads that.
    """
    ending = path.suffix.lower()
    try:
        with path.open("rb") as file:
            yield from _READERS.get(ending, _plain)(file)
    except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, EOFError) as error:
        raise InputError(_damaged(path, ending, error)) from error
    except OSError as error:
        if ending in ENDINGS and error.errno is None:  # so does bz2 report damage
            raise InputError(_damaged(path, ending, error)) from error
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}; check the path") from error


def _damaged(path: pathlib.Path, ending: str, error: Exception) -> str:
    return f"{str(path)!r} is damaged or cut short, or no {ending} file ({error}); compress the text again"


def standard_input_pieces() -> Iterator[bytes]:
    """Read standard input to its end, a piece at a time.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise InputError("there is no standard input to read; give a file instead of '-'")
    try:
        yield from _plain(stream)
    except OSError as error:
        raise InputError(f"standard input cannot be read: {error.strerror or error}; give a file instead") from error


def _plain(file: IO[bytes] | io.BufferedIOBase) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _gzip(file: BinaryIO) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file) as decompressed:
        yield from _plain(decompressed)


def _bzip2(file: BinaryIO) -> Iterator[bytes]:
    with bz2.BZ2File(file) as decompressed:
        yield from _plain(decompressed)


def _xz(file: BinaryIO) -> Iterator[bytes]:
    return _frames(file, lambda: lzma.LZMADecompressor(memlimit=_DICTIONARY))  # `lzma.open` knows no limit of memory


def _zstandard(file: BinaryIO) -> Iterator[bytes]:
    try:
        zstandard = importlib.import_module("zstandard")
    except ImportError as error:
        raise InputError(
            "a .zst file needs another package: pip install 'tfgen[zst]', or decompress it first (unzstd)"
        ) from error
    try:  # its `stream_reader` says nothing of a file that is cut short
        yield from _frames(file, lambda: zstandard.ZstdDecompressor().decompressobj())
    except zstandard.ZstdError as error:
        raise EOFError(str(error)) from error


def _frames(file: BinaryIO, decompressor: Callable[[], Any]) -> Iterator[bytes]:
    """Decompress frames that follow on one another, fed so little at once that no bomb fills the memory."""
    data = file.read(_FED)
    while data:
        frame = decompressor()
        while not frame.eof:
            yield frame.decompress(data)
            if not frame.eof and not (data := file.read(_FED)):
                raise EOFError("it ends too early")
        data = (frame.unused_data or file.read(_FED)).lstrip(b"\0")  # xz pads with zeros


_READERS = {".gz": _gzip, ".bz2": _bzip2, ".xz": _xz, ".zst": _zstandard}
