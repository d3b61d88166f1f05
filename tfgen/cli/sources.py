"""What texts are written from, on the command line: `--source` and `--sources`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from tfgen.cli import options, terminal
from tfgen.corpora import line_ends
from tfgen.corpora.corpus import find_forbidden
from tfgen.errors import InputError, read_each
from tfgen.vocabulary.vocabulary import OnUnknown


def given(one: str, file: str) -> Callable[[Any], Any]:
    """Make a decorator that adds both options, with the help of each."""
    return options.group(
        click.option("--source", "sources", multiple=True, help=one),
        click.option("--sources", "sources_file", type=click.Path(path_type=Path), help=file),
    )


def read(model: Path, config: Mapping[str, Any], sources: tuple[str, ...], file: Path | None) -> list[str] | None:
    """Give the sources; None for a model that writes without.

    Args:
        model: The model file, for messages.
        config: What it says of itself.
        sources: Those on the command line.
        file: A file with one source a line.

    Raises:
        InputError: There are sources and the model takes none, or the other way round; or the file cannot be read.
    """
    network = config.get("network") or {}
    has_encoder = network.get("class_name") == "EncoderDecoder"
    if not has_encoder:
        if sources or file:
            option = "--sources" if file else "--source"
            raise InputError(f"{str(model)!r} has no encoder and writes without a source: omit {option}.")
        return None
    if network["config"]["encoder"].get("class_name") not in ("TextEncoder", "TextReader"):
        raise InputError(f"{str(model)!r} writes from arrays, not from texts: use generate(source=...) from Python.")
    if sources and file:
        raise InputError("sources were given twice: give --source or --sources, one of them.")
    if not sources and not file:
        raise InputError(f"{str(model)!r} writes from a source: give --source TEXT, or --sources FILE with one a line.")
    lines = list(sources) if file is None else terminal.lines_of(terminal.read_text(file), repr(str(file)))
    if file is not None and lines == [""]:
        raise InputError(f"{str(file)!r} holds no line to write from.")
    for number, line in enumerate(lines, start=1):
        if found := find_forbidden(line):
            raise InputError(f"source {number:,} holds {found}; remove it.")
    return lines


def check(lines: list[str], generator: Any, unknown: OnUnknown) -> None:
    """Refuse a source that the model cannot read, before it writes from another one.

    Raises:
        InputError: Names the source and its characters.
    """
    if len(lines) > 1:
        read_each("source", lines, lambda line: generator.writer.model.source_ids([line], unknown))


def as_read_by(config: Mapping[str, Any], text: str) -> str:
    r"""Turn the ends of lines of a text from standard input into `\n`, unless the model knows `\r`.

    Args:
        config: What the model file says of itself.
        text: The text.
    """
    tokens = config["vocabulary"].get("tokens")
    known = isinstance(tokens, list) and any("\r" in token for token in tokens if isinstance(token, str))
    return text if known else line_ends.unified(text)
