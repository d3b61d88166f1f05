"""What a terminal would obey is shown on it, and raw in a pipe: in texts that were written, samples and provenance."""

import importlib
import io
import json
import pathlib
import re
import sys

import pytest

from tfgen.cli import rich_console, terminal

generate, inspect = (importlib.import_module(f"tfgen.cli.{name}") for name in ("generate", "inspect"))

OBEYED = "\x1b]0;owned\x07\x9b2J\u202e"
SEEN = "\u241b]0;owned\u2407\ufffd2J\ufffd"


class Screen(io.StringIO):
    """Is a terminal, or is none."""

    def __init__(self, is_terminal):
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self):
        return self._is_terminal


@pytest.mark.parametrize(("is_terminal", "expected"), [(True, SEEN), (False, OBEYED)])
def test_texts_and_samples_are_visible_on_a_terminal_and_raw_in_a_pipe(is_terminal, expected, monkeypatch):
    screen = Screen(is_terminal)
    monkeypatch.setattr(sys, "stdout", screen)
    generate._write(f"a{OBEYED}\n\tb")
    rich_console.Console(markup=False, highlight=False).out(f"c{OBEYED}")
    assert f"a{expected}\n\tb" in screen.getvalue()
    assert "c" + expected.replace("\x07", "") in screen.getvalue()  # Rich itself leaves BEL out


def test_what_others_say_of_a_model_stays_on_its_line():
    shown = [terminal.on_one_line(value) for _, value in inspect._flat({"source": f"{OBEYED}\nbits  0.1"})]
    assert shown == [f"{SEEN}\u240abits  0.1"]


def test_json_escapes_all_that_a_terminal_obeys_and_says_the_same():
    text = terminal.as_json({"text": OBEYED})
    assert json.loads(text) == {"text": OBEYED}
    assert terminal.visible(text) == text


@pytest.mark.parametrize(("is_terminal", "expected"), [(True, SEEN), (False, OBEYED)])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_names_of_files_are_visible_in_what_is_said(is_terminal, expected, stream, monkeypatch):
    screen = Screen(is_terminal)
    monkeypatch.setattr(sys, stream, screen)
    terminal.say(f"a{OBEYED}", err=stream == "stderr")
    assert screen.getvalue() == f"a{expected}\n"
    if stream == "stdout":
        rich_console.Console(markup=False, highlight=False).print(f"b{OBEYED}")
        assert "b" + expected.replace("\x07", "") in screen.getvalue()


def test_commands_say_nothing_past_the_terminal():
    folder = pathlib.Path(terminal.__file__).parent
    raw = re.compile(r"click\.echo\((?!terminal\.as_json|err=True|f\"\\r)")
    assert [path.name for path in folder.glob("*.py") if raw.search(path.read_text())] == ["terminal.py"]
