"""What commands read and write: standard input, and standard output with colours on a terminal and plain in a pipe."""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

import click

from tfgen.corpora import line_ends
from tfgen.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

# What a terminal would obey rather than show: control characters, save tabs and ends of lines, as their pictures; what
# turns the direction of writing, and what is half a character, as what cannot be shown.
_OBEYED = (*range(0x80, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_PICTURES = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\u2421",
    **dict.fromkeys((*_OBEYED, *range(0xD800, 0xE000)), "\ufffd"),
}
_SHOWN = {**_PICTURES, ord("\n"): "\n", ord("\t"): "\t"}
_ESCAPED = {code: f"\\u{code:04x}" for code in (0x7F, *_OBEYED)}  # JSON itself escapes those below U+0020


_LAST_END = re.compile(r"(\r\n|\n|\r)\Z")


def visible(text: str) -> str:
    """Give a text as a terminal can show it: pictures of the control characters that it would obey."""
    return text.translate(_SHOWN)


def on_one_line(text: str) -> str:
    """Give a text of others as part of a line: pictures of ends of lines and tabs too."""
    return text.translate(_PICTURES)


def for_output(text: str) -> str:
    """Give a text as it is written to standard output: raw into a pipe or file, visible on a terminal."""
    return visible(text) if sys.stdout.isatty() else text


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Write a line to standard output, or to standard error: raw into a pipe or file, visible on a terminal."""
    stream = sys.stderr if err else sys.stdout
    click.echo(visible(text) if stream.isatty() else text, err=err, nl=nl)


_PIECE = 1 << 20  # bytes
_MOST_LINES = 1_000_000
_LONGEST = 256 << 20  # bytes of a text that is held whole; /dev/zero has no end


def open_streams() -> None:
    """Open what is closed of the standard streams, on nothing; let what is written be in any encoding, and arrive.

    Else the next file that is opened would take the place of a closed one, and be written into by whatever reports on
    standard error, such as TensorFlow; and of what does not fit into a pipe that another program has set not to block,
    Python drops the rest without a word.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
        if hasattr(os, "set_blocking"):  # Windows has none
            with contextlib.suppress(OSError):
                os.set_blocking(descriptor, True)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):  # an hour of training must not end at a terminal that is not UTF-8
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def quote(argument: str | Path) -> str:
    """Give an argument as one can paste it into a shell, and a path so that no command takes it for an option."""
    text = str(argument)
    return shlex.quote(f"./{text}" if isinstance(argument, Path) and text.startswith("-") else text)


def as_json(value: Any) -> str:
    """Give one line of JSON; numbers that JSON lacks are strings: "Infinity", "-Infinity", "NaN", as in ProtoJSON."""
    return json.dumps(_in_json(value), ensure_ascii=False, allow_nan=False).translate(_ESCAPED)


def _in_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_json(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_in_json(each) for each in value]
    return json.dumps(value) if isinstance(value, float) and not math.isfinite(value) else value


def console() -> Console:
    """Give the console of standard output, which takes text as it is: no markup, no colours of its own, no wrapping."""
    from tfgen.cli.rich_console import Console

    return Console(markup=False, highlight=False, soft_wrap=True, emoji=False)


def note(text: str) -> None:
    """Write a line to standard error, where nobody takes it for a part of what was asked for."""
    with contextlib.suppress(OSError):  # the terminal may be gone
        click.echo(on_one_line(text), err=True)


def write_into_nothing(*streams: TextIO) -> None:
    """Let what is still written to these streams go nowhere."""
    for stream in streams:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def has_colours(console: Console) -> bool:
    """Whether it is a terminal that shows colours, to a user who wants them (no-color.org)."""
    return console.is_terminal and console.color_system is not None and not console.no_color


def read_standard_input() -> str:
    """Read all of standard input as UTF-8, without a byte order mark and the last newline, which `echo` adds.

    Raises:
        InputError: A byte is no UTF-8, or there is no end of it.
    """
    if sys.stdin is None:
        raise InputError("standard input is closed; give the text itself.")
    return _text(sys.stdin.buffer, "standard input")


def read_text(path: Path) -> str:
    """Read a file, or standard input if the path is "-", as `read_standard_input` does.

    Raises:
        InputError: The file cannot be read, or a byte is no UTF-8.
    """
    if str(path) == "-":
        return read_standard_input()
    try:
        with path.open("rb") as file:  # a pipe, such as the shell's <(...), is as good as a file here
            return _text(file, repr(str(path)))
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be read: {error.strerror or error}; check the path.") from error


def lines_of(text: str, place: str) -> list[str]:
    """Give the lines of a text, without their ends.

    Raises:
        InputError: There are so many that they would take far more memory than the text.
    """
    if line_ends.count(text) >= _MOST_LINES:
        raise InputError(f"{place} has more than {_MOST_LINES:,} lines; give it in parts, or to tfgen bulk.")
    return line_ends.split(text)


def _text(file: BinaryIO, place: str) -> str:
    data = bytearray()
    while piece := file.read(_PIECE):  # between pieces a signal is heard
        data += piece
        if len(data) > _LONGEST:
            raise InputError(f"{place} has more than {_LONGEST:,} bytes; give a shorter text.")
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{place} is not UTF-8: byte {data[error.start]:#04x} at offset {error.start}; convert it first."
        ) from None
    return _LAST_END.sub("", text)
