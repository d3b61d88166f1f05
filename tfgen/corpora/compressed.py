"""Files as pieces of bytes, decompressed on the way where their name says so: never more than a piece in memory.

A compressed file may have several members (streams, frames), one after another, with padding after each where the
format allows it: zeros in .gz and .bz2, zeros by fours in .xz, and skippable frames in .zst. All members are read, and
anything else in the file is an error.
"""

from __future__ import annotations

import bz2
import dataclasses
import importlib
import io
import lzma
import os
import pathlib
import stat
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, BinaryIO

from tfgen.errors import InputError, lacks_memory
from tfgen.support.pieces import gathered

PIECE = 1 << 20  # bytes

# Bytes that an .xz file may ask for; the strongest of xz's presets asks for 65 MiB. zstandard's own limit is 128 MiB.
_DICTIONARY = 160 << 20
_FED = 1 << 10  # bytes that are decompressed at once: they become 32 MiB at most, so that no bomb fills the memory
_GZIP_WINDOW = 16 + zlib.MAX_WBITS  # with the header and the checksum of gzip


@dataclasses.dataclass(frozen=True)
class _Format:
    """A format of compressed files.

    Attributes:
        member: Makes a decompressor of one member.
        padding: How many zeros make a unit of padding after a member; 0 if there is no padding.
    """

    member: Callable[[], Any]
    padding: int


_FORMATS = {
    ".gz": _Format(lambda: zlib.decompressobj(_GZIP_WINDOW), 1),
    ".bz2": _Format(bz2.BZ2Decompressor, 1),
    # By its own format alone: zeros, of which padding consists, begin an old .lzma file, which knows no checksum.
    ".xz": _Format(lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_DICTIONARY), 4),
    ".zst": _Format(lambda: _zstandard().ZstdDecompressor().decompressobj(), 0),  # reads a skippable frame as empty
}
ENDINGS = tuple(_FORMATS)


class _DamagedError(Exception):
    """What is wrong with a compressed file."""


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
            _check_ends(file, repr(str(path)))
            yield from gathered(_members(file, _FORMATS[ending]), PIECE) if ending in _FORMATS else _plain(file)
    except _DamagedError as error:
        raise InputError(
            f"{str(path)!r} is damaged or cut short, or no {ending} file ({error}); compress the text again."
        ) from error
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}; check the path.") from error


def standard_input_pieces() -> Iterator[bytes]:
    """Read standard input to its end, a piece at a time.

    Raises:
        InputError: There is none, or it cannot be read.
    """
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise InputError("there is no standard input to read; give a file instead of '-'.")
    try:
        _check_ends(stream, "standard input")
        yield from _plain(stream)
    except OSError as error:
        raise InputError(f"standard input cannot be read: {error.strerror or error}; give a file instead.") from error


def _check_ends(file: Any, place: str) -> None:
    """Refuse a device such as /dev/zero, which has no end; a terminal has one, and so has the null device.

    Raises:
        InputError: It is one.
    """
    try:
        found = os.fstat(file.fileno())
    except (OSError, ValueError):  # no file of the system, as in a test or a notebook
        return
    is_null = os.path.exists(os.devnull) and os.path.samestat(found, os.stat(os.devnull))  # noqa: PTH110, PTH116
    if stat.S_ISCHR(found.st_mode) and not (is_null or file.isatty()):
        raise InputError(f"{place} is a device, which may have no end; give a file or a pipe.")


def _plain(file: IO[bytes] | io.BufferedIOBase) -> Iterator[bytes]:
    while piece := file.read(PIECE):
        yield piece


def _members(file: BinaryIO, format: _Format) -> Iterator[bytes]:
    """Decompress the members of a file, of which there is one at least."""
    data, begin = file.read(_FED), 0
    while data or not begin:
        member, end = format.member(), begin + len(data)
        while not member.eof:
            if not data:
                raise _DamagedError(f"the part from byte {begin:,} on ends too early")
            yield _decompressed(member, data, begin)
            if not member.eof:
                data = file.read(_FED)
                end += len(data)
        begin = end - len(member.unused_data)
        data, zeros = _after_zeros(file, member.unused_data) if format.padding else (member.unused_data, 0)
        if zeros and zeros % format.padding:
            raise _DamagedError(f"there are {zeros:,} zeros at byte {begin:,}, no multiple of {format.padding}")
        begin += zeros
        data = data or file.read(_FED)


def _after_zeros(file: BinaryIO, data: bytes) -> tuple[bytes, int]:
    """Skip zeros, however many: give what was read beyond them, and their number."""
    rest = data.lstrip(b"\0")
    zeros = len(data) - len(rest)
    while not rest and (data := file.read(_FED)):
        rest = data.lstrip(b"\0")
        zeros += len(data) - len(rest)
    return rest, zeros


def _decompressed(member: Any, data: bytes, begin: int) -> bytes:
    try:
        return member.decompress(data)
    except Exception as error:  # each of the libraries has an error of its own
        if lacks_memory(error):
            raise
        raise _DamagedError(f"the part from byte {begin:,} on: {error}") from error


def _zstandard() -> Any:
    try:
        return importlib.import_module("zstandard")
    except ImportError as error:
        raise InputError(
            "a .zst file needs another package: pip install zstandard, or decompress it first (unzstd)."
        ) from error
