"""What a file that is not in the encoding it is read in may be in: for advice, never for reading it in silence."""

from __future__ import annotations

import codecs
import contextlib
import re
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Literal, TypeAlias

from tfgen.corpora import line_ends
from tfgen.support import wording

Errors: TypeAlias = Literal["strict", "replace", "ignore"]

REPLACED, IGNORED = "bytes_replaced", "bytes_ignored"
"""Under these names it is counted how many bytes became U+FFFD, or nothing."""

HANDLERS = {"strict": "strict", "replace": "tfgen.replace", "ignore": "tfgen.ignore"}
"""The names that Python knows the handlers of errors by that count."""

# The longest first: one of UTF-32 begins with one of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (b"\x84\x31\x95\x33", "gb18030"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
LONGEST_MARK = max(len(mark) for mark, _ in _MARKS)

_LOOKED_AT = 1 << 15  # bytes that are shown to the detector, around the first that is wrong
_CANDIDATES = 3
_SHOWN = 60  # characters of a line
_USUAL = ("cp1252", "gb18030", "shift_jis", "cp1251")  # tried beside what the detector finds
# What texts of Western Europe hold beside ASCII, but for Iceland's letters, which are others in Turkish and Cyrillic.
_WESTERN = {*"àâäáãåæçèéêëìíîïñòóôöõøœßùúûüÿÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖÕØŒÙÚÛÜŸ", *"‚„“”‘’‹›«»–—…•¡¿€£§°ºª©®™´\xa0"}
_CONTROL = re.compile("[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f]")
_counter = threading.local()


@contextlib.contextmanager
def counting(noticed: Counter[str] | None) -> Iterator[None]:
    """Count what the handlers do while the block runs."""
    _counter.noticed = noticed
    try:
        yield
    finally:
        _counter.noticed = None


def _replace(error: UnicodeError) -> tuple[str, int]:
    return "\ufffd", _counted(error, REPLACED)


def _ignore(error: UnicodeError) -> tuple[str, int]:
    return "", _counted(error, IGNORED)


def _counted(error: UnicodeError, name: str) -> int:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    if (noticed := getattr(_counter, "noticed", None)) is not None:
        noticed[name] += error.end - error.start
    return error.end


codecs.register_error(HANDLERS["replace"], _replace)
codecs.register_error(HANDLERS["ignore"], _ignore)


def marked_encoding(beginning: bytes) -> str:
    """Name the encoding whose byte order mark a file begins with; an empty string if there is none.

    >>> marked_encoding("a".encode("utf-32")), marked_encoding("a".encode("utf-16")), marked_encoding(b"a")
    ('utf-32', 'utf-16', '')
    """
    return next((name for mark, name in _MARKS if beginning.startswith(mark)), "")


def advice(beginning: bytes, error: UnicodeDecodeError | None, encoding: str) -> list[tuple[str, str]]:
    """Say what to do with a file that cannot be decoded.

    Args:
        beginning: Its first bytes.
        error: What is wrong, with bytes around it; None if nothing is known of the place.
        encoding: The encoding that it is not in.

    Returns:
        Repairs, as `InputError` takes them; for each of the likely encodings, the line as it reads in it.
    """
    if error is not None and _is_cut(error, encoding):
        return [
            ("", "it ends inside a character, as a file that was cut short: make it whole"),
            ("errors", "read it without that (errors='ignore', --errors ignore)"),
        ]
    if (name := marked_encoding(beginning)) and codecs.lookup(name) != codecs.lookup(encoding):
        return [("encoding", f"it begins like {name.upper()}: {_recoded(name)}")]
    if error is not None and b"\0" in error.object:
        return [
            ("", "it looks like a binary file: use a text file; of a folder, choose by a glob such as 'folder/*.txt'")
        ]
    if error is not None and codecs.lookup(encoding).name == "utf-8" and _is_mostly_utf_8(error.object):
        return [
            ("", "what is around it is utf-8: repair the byte"),
            ("errors", "read on over it (errors='replace', --errors replace)"),
        ]
    found = [] if error is None else list(_candidates(error.object, error.start))
    if not found:
        return [
            ("encoding", "give its encoding (encoding=, --encoding)"),
            ("errors", "read on over what is wrong (errors=, --errors replace)"),
        ]
    first, line = found[0]
    others = "".join(f", in {name} {shown!r}" for name, shown in found[1:])
    how = f"if it is a text file, {_recoded(first)}: the line reads in {first} {line!r}{others}"
    return [("encoding", how)]


def unmarked_advice(text: str) -> list[tuple[str, str]]:
    """Say what to do with UTF-16 without a mark that was read in another encoding: it has a NUL at every other place.

    Args:
        text: From the beginning of the file.

    Returns:
        Repairs, as `InputError` takes them; none for other texts.
    """
    even, odd = (text[begin:_SHOWN:2] for begin in (0, 1))
    for zeros, others, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros.count("\0") > 0.8 * len(zeros) and "\0" not in others:
            return [("encoding", f"it reads like {name.upper()}: {_recoded(name)}")]
    return []


def _is_cut(error: UnicodeDecodeError, encoding: str) -> bool:
    """Whether a file ends inside a character, and is all right before."""
    if error.reason not in ("unexpected end of data", "truncated data") or not error.start:
        return False
    # One letter of another encoding, at the end of the last word, looks like the beginning of a character of UTF-8.
    return len(error.object) - error.start > 1 or codecs.lookup(encoding).name != "utf-8" or not _ascii(error)


def _ascii(error: UnicodeDecodeError) -> bool:
    return error.object[: error.start].isascii()


def _is_mostly_utf_8(data: bytes) -> bool:
    """Whether bytes of several that make a character of UTF-8 are far more than those that are wrong."""
    text = data.decode("utf-8", errors="replace")
    wrong = text.count("\ufffd")
    return sum(not each.isascii() for each in text) > 5 * wrong


def _recoded(encoding: str) -> str:
    return f"give its encoding (encoding={encoding!r}, --encoding {encoding})"


def _candidates(data: bytes, wrong: int) -> Iterator[tuple[str, str]]:
    """Give encodings that a text may be in, the likeliest first, each with the line around a byte as it reads there."""
    import charset_normalizer

    begin = max(wrong - _LOOKED_AT // 2, 0)
    # Cut at ends of lines, so that no character is cut.
    begin = data.find(b"\n", begin, wrong) + 1 if begin and b"\n" in data[begin:wrong] else begin
    sample = data[begin : begin + _LOOKED_AT]
    sample = sample[: sample.rfind(b"\n") + 1 or None] if len(sample) == _LOOKED_AT else sample
    matches = [*charset_normalizer.from_bytes(sample)]
    matches.sort(key=lambda match: match.encoding.startswith("mac_"))  # which is rare today
    found = [match.encoding for match in matches]
    if _is_western(sample):
        found.insert(0, _USUAL[0])
    names: dict[str, str] = {}  # by how the line reads; of encodings in which it reads alike, the one in wide use
    for name in dict.fromkeys([*found[:1], *_USUAL[:1], *found[1:], *_USUAL[1:]]):
        line = _line(sample, wrong - begin, name)
        if line and (line not in names or (name in _USUAL and names[line] not in _USUAL)):
            names[line] = name
    yield from ((name, line) for line, name in list(names.items())[:_CANDIDATES])


def _is_western(sample: bytes) -> bool:
    """Whether a sample, read as Windows text of Western Europe, has nothing that is rare there, and is mostly ASCII."""
    try:
        others = [each for each in sample.decode(_USUAL[0]) if not each.isascii()]
    except UnicodeError:
        return False
    return {*others} <= _WESTERN and 4 * len(others) < len(sample)


def _line(sample: bytes, wrong: int, encoding: str) -> str:
    """Give the line around a byte; nothing where the sample cannot be read, or has control characters."""
    try:
        text, before = sample.decode(encoding), len(sample[:wrong].decode(encoding, errors="ignore"))
    except (UnicodeError, LookupError):
        return ""
    if _CONTROL.search(text):
        return ""
    earlier, later = line_ends.split(text[:before])[-1], line_ends.split(text[before:])[0]
    return wording.shorten(earlier[-_SHOWN // 2 :] + later, _SHOWN).strip()
