"""`tfgen write`: the turns of a text without a terminal, and the keys on a real one."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

import numpy as np
import pytest
from cli_support import (  # noqa: F401 - fixtures
    ENVIRONMENT,
    TEXT,
    TFGEN,
    here_fixture,
    model_bytes_fixture,
    model_fixture,
    run,
)
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from tfgen.cli import drafting, heat
from tfgen.cli.screen import style_for
from tfgen.cli.write import Destination
from tfgen.errors import InputError
from tfgen.instant.reading import read
from tfgen.instant.writer import Writer

# --- turns ----------------------------------------------------------------------------------------------------------


@pytest.fixture(name="writer", scope="module")
def writer_fixture(tmp_path_factory, model_bytes):
    path = tmp_path_factory.mktemp("model") / "a.keras"
    path.write_bytes(model_bytes)
    return Writer(*read(path))


ACTS = st.one_of(
    st.tuples(st.just("choose"), st.integers(1, 4)),
    st.tuples(st.just("add"), st.text("the quick\n", max_size=9)),
    st.tuples(st.sampled_from(["undo", "again"])),
    st.tuples(st.just("warm"), st.sampled_from([-1, 1])),
)


def act(draft, step):
    getattr(draft, step[0])(*step[1:])


@given(st.lists(ACTS, max_size=12), st.integers(0, 2**40))
@examples(40)
def test_what_was_undone_never_was(writer, steps, seed):
    draft = drafting.Draft(writer, "the ", length=4, seed=seed)
    stood = []
    for step in steps:
        before = draft.turn
        act(draft, step)
        if step[0] in ("add", "choose") and step[-1] != 4:
            stood.append(before)
        elif step[0] == "undo":
            assert draft.turn == (stood.pop() if stood else before)
    while stood:
        draft.undo()
        assert draft.turn == stood.pop()
    last = draft.turn
    draft.undo()
    assert draft.turn == last


@given(st.lists(ACTS, max_size=9), st.integers(0, 2**40))
@examples(25)
def test_turns_are_texts_of_the_model(writer, steps, seed):
    draft, twin = (drafting.Draft(writer, "the ", length=4, seed=seed) for _ in range(2))
    for step in steps:
        before = draft.turn
        act(draft, step)
        act(twin, step)
        assert draft.turn == twin.turn  # the same turns write the same text
        turn = draft.turn
        assert "".join(piece for piece, _ in turn.pieces) == turn.text
        settings = {"temperature": turn.temperature, "seed": seed + turn.draws, "length": 4}
        assert [*turn.candidates] == writer.generate(turn.text, n=3, echo=False, **settings)
        np.testing.assert_allclose([bits for _, bits in turn.pieces], writer.score(turn.text).bits, atol=1e-5)
        if step[0] == "choose" and step[1] < 4:
            assert turn.text == before.text + before.candidates[step[1] - 1]


def test_a_temperature_stays_in_its_range(writer):
    draft = drafting.Draft(writer, length=2, temperature=0.2)
    for steps, expected in ((-1, 0.1), (-1, 0.0), (-1, 0.0), (1, 0.1)):
        draft.warm(steps)
        assert draft.turn.temperature == expected
    assert draft.turn.pieces == ()


def test_what_the_model_cannot_read_changes_nothing(writer):
    draft = drafting.Draft(writer, "the ", length=4)
    before = draft.turn
    with pytest.raises(InputError, match="é"):
        draft.add("é")
    assert draft.turn == before
    draft.undo()
    assert draft.turn == before


def test_a_text_is_saved_where_nothing_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "romeo.txt").write_text("an older text")
    for expected in ("romeo-2.txt", "romeo-3.txt"):
        destination = Destination(None, tmp_path / "models" / "romeo.keras")
        for text in ("one\r\ntwo", "three"):
            assert str(destination.save(text)) == expected
            assert (tmp_path / expected).read_bytes() == text.encode() + b"\n"
    assert (tmp_path / "romeo.txt").read_text() == "an older text"


def test_colours_are_those_of_a_score():
    assert style_for("color(231) on color(24)") == "#ffffff bg:#005f87"
    assert style_for("") == ""
    assert all(style_for(step.style).count("#") == 2 for step in heat.SCALE if step.style)


# --- a real terminal ------------------------------------------------------------------------------------------------


DRAWN = "\\?25h"  # the cursor is back where one types
NEVER = "(?!)"
QUIET = 0.4  # seconds


class Terminal:
    """`tfgen write` under a pseudo-terminal of 24 lines and 80 columns."""

    def __init__(self, *arguments, cwd, variables=None, leads=False):
        """Begin; the process may lead the session of the terminal, and so hear that it went away."""
        self._own, other = pty.openpty()
        fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = {**ENVIRONMENT, "TERM": "xterm-256color", **(variables or {})}
        self.process = subprocess.Popen(
            [*TFGEN, "write", *map(str, arguments)],
            stdin=other,
            stdout=other,
            stderr=other,
            cwd=cwd,
            env=environment,
            start_new_session=True,
            preexec_fn=(lambda: fcntl.ioctl(other, termios.TIOCSCTTY, 0)) if leads else None,
        )
        os.close(other)
        self.shown = ""

    def read(self, until, quiet=None):
        """Read on until something is shown that was not there before; then, until nothing is for so many seconds."""
        place, deadline = len(self.shown), time.monotonic() + 30
        while True:
            found = re.search(until, self.shown[place:])
            assert found or time.monotonic() < deadline, self.shown[place:]
            if found and quiet is None:
                return self.shown[place:]
            if select.select([self._own], [], [], quiet if found else 0.1)[0]:
                try:
                    self.shown += os.read(self._own, 65536).decode(errors="replace")
                except OSError:  # the other side is closed
                    return self.shown[place:]
            elif found:
                return self.shown[place:]

    def press(self, keys, until=DRAWN):
        os.write(self._own, keys.encode())
        return self.read(until, QUIET)

    def end(self, keys="\x04"):
        """Leave it: the exit code, and what stands on the screen that was there before."""
        os.write(self._own, keys.encode())
        self.read(NEVER)
        os.close(self._own)
        return self.process.wait(timeout=60), self.shown.split("\x1b[?1049l")[-1].replace("\r\n", "\n")


@pytest.fixture(name="terminal")
def terminal_fixture(tmp_path):
    begun = []

    def begin(*arguments, **options):
        begun.append(Terminal(*arguments, cwd=tmp_path, **options))
        return begun[-1]

    yield begin
    for each in begun:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def expected(writer, *acts, **options):
    draft = drafting.Draft(writer, "the ", **{"seed": 1, "length": 12, **options})
    for step in acts:
        act(draft, step)
    return draft.turn.text


START = ("the ", "--seed", "1", "--length", "12")


def test_keys_write_a_text(terminal, model, writer, tmp_path):
    screen = terminal(model, *START)
    assert "the" in screen.read(DRAWN, QUIET)
    screen.press("2")
    screen.press("\r")
    screen.press("\x1a")
    screen.press("\x1b[A")
    screen.press("\x12")
    screen.press("fox\r")
    screen.press("3")
    screen.press("\x14")
    assert "small.txt" in screen.press("\x13", "small.txt")
    code, left = screen.end()
    acts = [("choose", 2), ("choose", 1), ("undo",), ("warm", 1), ("again",), ("add", "fox"), ("choose", 3)]
    text = expected(writer, *acts)
    assert code == 0
    assert left.endswith(text + "\n")
    assert (tmp_path / "small.txt").read_text() == text + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("keys", ["\x04", "\x03"])
def test_the_text_is_left_on_the_terminal(terminal, model, writer, keys):
    screen = terminal(model, *START)
    screen.read(DRAWN, QUIET)
    screen.press("fox\x1b\r")
    code, left = screen.end(keys)
    assert code == 0
    assert left.endswith("the fox\n\n")


@pytest.mark.slow
def test_what_the_model_cannot_read_is_said_and_stays_to_be_mended(terminal, model, writer):
    screen = terminal(model, *START)
    screen.read(DRAWN, QUIET)
    screen.press("é\r", "U.00E9")
    screen.press("\x7fx\r")
    code, left = screen.end()
    assert code == 0
    assert "the x\n" in left


@pytest.mark.slow
def test_a_signal_saves_the_text(terminal, model, writer, tmp_path):
    screen = terminal(model, *START, "-o", "saved.txt")
    screen.read(DRAWN, QUIET)
    screen.press("1")
    screen.process.send_signal(signal.SIGTERM)
    assert screen.process.wait(timeout=60) == 128 + signal.SIGTERM
    assert (tmp_path / "saved.txt").read_text() == expected(writer, ("choose", 1)) + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("ignoring", [False, True])  # as under nohup
def test_a_terminal_that_goes_away_saves_the_text(terminal, model, writer, tmp_path, ignoring):
    screen = terminal(model, *START, "-o", "saved.txt", leads=not ignoring)
    screen.read(DRAWN, QUIET)
    screen.press("1")
    os.close(screen._own)
    assert screen.process.wait(timeout=60) == (1 if ignoring else 128 + signal.SIGHUP)
    assert (tmp_path / "saved.txt").read_text() == expected(writer, ("choose", 1)) + "\n"


# --- refusals -------------------------------------------------------------------------------------------------------


def test_it_takes_a_terminal(model, tmp_path):
    done = run("write", model, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == b"tfgen: tfgen write needs a terminal; use tfgen generate where there is none.\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.keras",), "does not exist"),
        (("small.keras", "é"), "lacks"),
        (("small.keras", "-o", "small.keras"), "exists; choose another name"),
        (("small.keras", "--repetition-penalty", "1e7"), "repetition_penalty"),
    ],
)
def test_what_is_wrong_is_one_line(terminal, model, arguments, said):
    screen = terminal(*arguments)
    shown = screen.read(NEVER)
    assert screen.process.wait(timeout=60) == 1
    assert shown.startswith("tfgen: ")
    assert shown.count("\n") == 1
    assert said in shown


def test_without_prompt_toolkit_it_says_how_to_install_it(terminal, model, tmp_path):
    (tmp_path / "prompt_toolkit.py").write_text("raise ImportError")
    path = f"{tmp_path}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"
    shown = terminal(model, variables={"PYTHONPATH": path}).read("install")
    assert "pip install 'prompt_toolkit>=3.0.40'" in shown


def test_the_screen_is_not_imported_by_other_commands(tmp_path):
    code = "import sys, tfgen.cli.generate, tfgen.cli.write; print('prompt_toolkit' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], env=ENVIRONMENT, text=True) == "False\n"
    assert TEXT
