"""A draft on the terminal: keys in, colours out."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import BufferControl, FormattedTextControl, HSplit, Layout, VSplit, Window

from tfgen.cli import heat
from tfgen.cli.drafting import CHOICES, Draft
from tfgen.errors import InputError

_KEYS = "1-3 take · Enter goes on · ^Z undo · ^R others · ↑↓ temperature · ^T colours · ^S save · ^D end"
_Fragments = StyleAndTextTuples


class Screen:
    """Shows a draft, and lets keys change it."""

    def __init__(self, draft: Draft, save: Callable[[str], Path]) -> None:
        """Take a draft, and what saves a text and gives its path."""
        self._draft = draft
        self._save = save
        self._said = ""
        self._colours = True
        self._line = Buffer()
        self._application: Application[None] = Application(
            Layout(self._windows()), key_bindings=self._keys(), full_screen=True, erase_when_done=True
        )

    def run(self) -> None:
        """Show it until the writer has had enough."""
        self._application.run()

    def _windows(self) -> HSplit:
        def shown(give: Callable[[], _Fragments], **options: Any) -> Window:
            return Window(FormattedTextControl(give), wrap_lines=True, **options)

        line = VSplit([shown(lambda: [("", "> ")], width=2), Window(BufferControl(self._line))], height=1)
        rule = Window(char="─", height=1)
        foot = shown(self._foot, style="reverse", dont_extend_height=True)
        return HSplit([shown(self._text), rule, shown(self._candidates, dont_extend_height=True), line, foot])

    def _text(self) -> _Fragments:
        """Give the text so far, the hotter a piece, the less the model expected it; the screen follows its end."""
        pieces = self._draft.turn.pieces
        styles = [heat.style_of(bits) if self._colours else "" for _, bits in pieces]
        runs = heat.runs([piece for piece, _ in pieces], styles)
        return [*((style_for(style), text) for text, style in runs), ("[SetCursorPosition]", "")]

    def _candidates(self) -> _Fragments:
        lines: _Fragments = []
        for number, text in enumerate(self._draft.turn.candidates, 1):
            ((shown, _),) = heat.runs([text or "(the end)"], ["-"])
            lines += [("", "\n" * (number > 1)), ("bold", f"{number} "), ("", shown.replace("\n", ""))]
        return lines

    def _foot(self) -> _Fragments:
        turn = self._draft.turn
        return [("", f"temperature {turn.temperature:g} · {len(turn.text):,} characters · {self._said}\n{_KEYS}")]

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        nothing_typed = Condition(lambda: not self._line.text)

        def on(key: str, act: Callable[[], object], **options: Any) -> None:
            keys.add(*key.split(), eager=True, **options)(lambda event: self._do(act))

        on("enter", self._enter)
        on("escape enter", lambda: self._add("\n"))
        for number in range(1, CHOICES + 1):
            on(str(number), functools.partial(self._draft.choose, number), filter=nothing_typed)
        on("c-z", self._draft.undo)
        on("c-r", self._draft.again)
        on("up", lambda: self._draft.warm(1))
        on("down", lambda: self._draft.warm(-1))
        on("c-t", lambda: setattr(self, "_colours", not self._colours))
        on("c-s", self._save_text)
        for key in ("c-d", "c-c"):
            on(key, self._application_exit)
        return keys

    def _do(self, act: Callable[[], object]) -> None:
        """Do what a key asks for; what cannot be done is said at the foot."""
        self._said = ""
        try:
            act()
        except InputError as error:
            self._said = error.offered(())
        except OSError as error:  # the disk is full, for one
            self._said = f"not saved: {error.strerror or error}"

    def _enter(self) -> None:
        if self._line.text:
            self._add("")
        else:
            self._draft.choose(1)

    def _add(self, ending: str) -> None:
        self._draft.add(self._line.text + ending)
        self._line.reset()

    def _save_text(self) -> None:
        self._said = f"saved as {self._save(self._draft.turn.text)}"

    def _application_exit(self) -> None:
        self._application.exit()


def style_for(style: str) -> str:
    """Say in prompt_toolkit's words what a style of the scale is: its colours are those of a cube of 6 x 6 x 6."""

    def of_cube(match: re.Match[str]) -> str:
        red, rest = divmod(int(match[1]) - 16, 36)
        return "#" + "".join(f"{level and 55 + 40 * level:02x}" for level in (red, *divmod(rest, 6)))

    return re.sub(r"(.*) on (.*)", r"\1 bg:\2", re.sub(r"color\((\d+)\)", of_cube, style))
