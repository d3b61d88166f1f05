"""What texts go on from, on the command line: prompts given one by one, or in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from tfgen.cli import sources, terminal
from tfgen.corpora.corpus import find_forbidden
from tfgen.errors import InputError
from tfgen.vocabulary.vocabulary import OnUnknown, Vocabulary


def read(config: Mapping[str, Any], given: tuple[str, ...], file: Path | None) -> list[str]:
    """Give the prompts, at least one.

    Args:
        config: What the model file says of itself.
        given: Those on the command line, of which "-" is standard input; none stand for the empty prompt.
        file: A file with one prompt a line.

    Raises:
        UsageError: They were given twice, or standard input is to be read twice.
        InputError: The file cannot be read, or a prompt has a character that no text has.
    """
    if given and file:
        raise click.UsageError("prompts were given twice: give them as arguments, or as --prompts FILE.")
    if given.count("-") > 1:
        raise click.UsageError('standard input is read once: give "-" once.')
    prompts = list(given) or [""]
    if file is not None:
        prompts = terminal.lines_of(terminal.read_text(file), repr(str(file)))
        if prompts == [""]:
            raise InputError(f"{str(file)!r} holds no prompt; write one a line, or omit --prompts for the empty one.")
    elif "-" in prompts:
        prompts[prompts.index("-")] = sources.as_read_by(config, terminal.read_standard_input())
    for number, prompt in enumerate(prompts, start=1):
        if found := find_forbidden(prompt):
            raise InputError(f"{_named(number, prompts)} holds {found}; remove it.")
    return prompts


def check(prompts: Sequence[str], vocabulary: Vocabulary, unknown: OnUnknown = "error") -> None:
    """Refuse a prompt that the model cannot read, before it writes on from another one.

    Raises:
        InputError: Names the prompt and its characters.
    """
    for number, prompt in enumerate(prompts, start=1):
        try:
            vocabulary.encode(prompt, unknown)
        except InputError as error:
            raise error.within(f"in {_named(number, prompts)}") from None


def notes(prompts: list[str], vocabulary: Vocabulary) -> list[str]:
    """Say which prompts are hardly what was meant."""
    spaced = [number for number, prompt in enumerate(prompts, start=1) if prompt.endswith(" ")]
    if vocabulary.split != "word" or not spaced:
        return []
    return [
        f"{_named(spaced[0], prompts)} ends in a space: words of this model begin with the space before them: "
        "leave it out."
    ]


def _named(number: int, prompts: Sequence[str]) -> str:
    return "the prompt" if len(prompts) == 1 else f"prompt {number:,}"
