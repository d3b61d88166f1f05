"""`tfgen write`: a text that a person and a model write together on the terminal."""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfgen import model_files
from tfgen.cli import engines, heat, options, terminal
from tfgen.cli.drafting import Draft
from tfgen.errors import InputError
from tfgen.support import atomic_files, interrupts

if TYPE_CHECKING:
    from tfgen.cli.screen import Screen


@click.command(
    epilog=options.examples('tfgen write romeo.keras "ROMEO:"', "tfgen write romeo.keras --temperature 1 -o scene.txt")
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("prompt", default="")
@click.option(
    "--length", type=options.whole(1, 10**4), default=60, show_default=True, help="Tokens of a candidate, at most."
)
@options.temperature
@options.sampling
@click.option("--seed", type=options.whole(0, 2**62 - 2**32), help="The same turns write the same text.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where Ctrl-S saves.  [MODEL's name and .txt]")
@engines.option
def write(model: Path, prompt: str, seed: int | None, output: Path | None, engine: str | None, **settings: Any) -> None:
    """Write a text together with MODEL, which goes on from PROMPT and from what you type.

    It proposes three continuations: 1, 2 and 3 take one, Enter the first, and what you type instead is added to the
    text. Keys are named at the foot of the screen. The text is written to standard output in the end.
    """
    config = model_files.read_config(model)
    if (config.get("network") or {}).get("class_name") == "EncoderDecoder":
        raise InputError(f"{str(model)!r} writes from a source, and tfgen write has none: use tfgen generate --source.")
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError("tfgen write needs a terminal; use tfgen generate where there is none.")
    if output and output.exists():
        raise InputError(f"{str(output)!r} exists; choose another name.")
    given = {name: value for name, value in settings.items() if value is not None}
    writer: Any = engines.load(model, config, engine, len(prompt), {})
    draft = Draft(writer, prompt, seed=secrets.randbits(32) if seed is None else seed, **given)
    destination = Destination(output, model)
    try:
        with begun(draft), interrupts.deferred():
            screen = _screen()
        screen(draft, destination.save).run()
        terminal.say(draft.turn.text)
    except (KeyboardInterrupt, OSError):  # a signal that ends the process, or no terminal any more
        destination.save(draft.turn.text)
        raise


@contextlib.contextmanager
def begun(draft: Draft) -> Iterator[None]:
    """Show the text at once, on the terminal's other screen, while the block imports what shows it for good."""
    if os.name == "posix":
        texts = [draft.turn.text, *draft.turn.candidates]
        shown = "\n".join(text for each in texts for text, _ in heat.runs([each], [""]))
        sys.stdout.write(f"\x1b[?1049h\x1b[H{shown}")
        sys.stdout.flush()
    try:
        yield
    except BaseException:  # such as that it is not installed
        sys.stdout.write("\x1b[?1049l")
        raise


def _screen() -> type[Screen]:
    try:
        from tfgen.cli.screen import Screen
    except ImportError:
        raise InputError(
            "tfgen write needs the package prompt_toolkit: pip install 'prompt_toolkit>=3.0.40'."
        ) from None
    return Screen


class Destination:
    """Where a text is saved: the same file each time, and none that was there before."""

    def __init__(self, path: Path | None, model: Path) -> None:
        """Take the path, or a model for whose name one is chosen when the text is first saved."""
        self._path = path
        self._model = model

    def save(self, text: str) -> Path:
        """Write a text to its file, whole or not at all, and give the path."""
        self._path = self._path or free(self._model)
        with atomic_files.file(self._path) as new:
            new.write_text(text + "\n", encoding="utf-8", newline="")
        return self._path


def free(model: Path) -> Path:
    """Give the first path in this directory that is not taken: the model's name, then the same with 2, 3 and so on."""
    names = itertools.chain([""], (f"-{number}" for number in itertools.count(2)))
    return next(path for name in names if not (path := Path(f"{model.stem}{name}.txt")).exists())
