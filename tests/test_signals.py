"""Signals: heard at any instant, obeyed at a border; and a run that says itself whether it has ended."""

import os
import pathlib
import signal
import subprocess
import sys

import numpy as np
import pytest
from cli_support import ENVIRONMENT, TEXT, TFGEN, here_fixture  # noqa: F401 - a fixture
from hypothesis import given, settings
from hypothesis import strategies as st

import tfgen
from tfgen.cli import stopped_runs, training_run
from tfgen.support import interrupts

TRAIN = ["fox.txt", "--cell", "rnn", "--units", "4", "--length", "16", "--batch-size", "4", "--epochs", "1"]
TRAIN += ["--no-sample", "-o", "fox.keras"]
ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]

pytestmark = pytest.mark.usefixtures("signals_end_processes")


@settings(max_examples=20)
@given(st.sampled_from(ENDING), st.integers(1, 3), st.integers(0, 3))
def test_a_signal_waits_for_a_border_and_is_raised_once(number, depth, borders):
    raised = []

    def nested(levels):
        with interrupts.deferred():
            if levels:
                nested(levels - 1)
            else:
                os.kill(os.getpid(), number)
                for _ in range(borders):
                    try:
                        interrupts.check()
                    except interrupts.Stopped as stopped:
                        raised.append(stopped.number)

    with interrupts.handled():
        try:
            nested(depth)
        except interrupts.Stopped as stopped:
            raised.append(stopped.number)
        assert raised == [number]
        assert interrupts.heard().number == number
    assert interrupts.heard() is None


@pytest.mark.parametrize("number", ENDING)
def test_elsewhere_it_is_raised_at_once_and_never_forgotten(monkeypatch, number):
    class Dropping:
        def __del__(self):
            os.kill(os.getpid(), number)

    with interrupts.handled(), pytest.raises(interrupts.Stopped):
        os.kill(os.getpid(), number)
    with interrupts.handled():
        monkeypatch.setattr(sys, "unraisablehook", lambda dropped: None)
        Dropping()
        assert interrupts.heard().number == number


def test_a_signal_that_is_ignored_stays_ignored():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with interrupts.handled():
        os.kill(os.getpid(), signal.SIGHUP)
        assert interrupts.heard() is None


@pytest.mark.parametrize("number", ENDING)
def test_a_second_signal_ends_the_process_at_once(number):
    program = """
import os, sys, time
from tfgen.support import interrupts
with interrupts.handled(), interrupts.deferred():
    os.kill(os.getpid(), int(sys.argv[1]))
    os.kill(os.getpid(), int(sys.argv[1]))
    time.sleep(60)
"""
    done = subprocess.run([sys.executable, "-c", program, str(int(number))], env=ENVIRONMENT, timeout=50, check=False)
    assert done.returncode == -number


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["-m", "tfgen", "--version"], "SIG_DFL"),
        (["-mtfgen", "--version"], "SIG_DFL"),
        (["-c", "import tfgen"], "default_int_handler"),
        (["-c", "import tfgen", "-m", "tfgen"], "default_int_handler"),
    ],
)
def test_ctrl_c_is_a_page_of_traceback_in_programs_of_others_alone(tmp_path, command, expected):
    """What is imported with tfgen says which handler there is by then."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.abc, signal, sys\n"
        "class Says(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'tfgen.errors':\n"
        "            print(repr(signal.getsignal(signal.SIGINT)), file=sys.stderr)\n"
        "sys.meta_path.insert(0, Says())\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    )
    environment = {**ENVIRONMENT, "PYTHONPATH": os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])}
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=True)
    assert expected in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_is_stopped_before_it_has_learned_saves_nothing_and_begins_anew(here, monkeypatch, number):
    (here.folder / "fox.txt").write_text(TEXT)
    old = b"a model of long ago"
    (here.folder / "fox.keras").write_bytes(old)
    describe = training_run.TrainingRun._describe

    def stopped(*described):
        describe(*described)
        os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(training_run.TrainingRun, "_describe", stopped)
        code, _, err = here("train", *TRAIN, "--overwrite")
    assert code == 128 + number
    assert err.splitlines()[-1] == ("tfgen: interrupted" if number == signal.SIGINT else "tfgen: stopped by SIGTERM")
    assert "Nothing was learned yet, and nothing is saved." in err
    assert (here.folder / "fox.keras").read_bytes() == old
    assert stopped_runs.ended(here.folder / "fox.keras") is False
    out = here.done("train", *TRAIN, "--resume")
    assert "is complete" not in out
    assert not stopped_runs.directory(here.folder / "fox.keras").exists()
    resumed = tfgen.model_files.load(here.folder / "fox.keras").get_weights()
    assert "is complete" in here.done("train", *TRAIN, "--resume")
    here.done("train", *TRAIN, "--overwrite")
    whole = tfgen.model_files.load(here.folder / "fox.keras").get_weights()
    assert all(map(np.array_equal, resumed, whole))


def test_a_run_that_was_killed_while_it_tidied_up_is_complete(here):
    (here.folder / "fox.txt").write_text(TEXT)
    model = here.folder / "fox.keras"
    here.done("train", *TRAIN)
    stopped_runs.directory(model).mkdir()
    stopped_runs.complete(model)
    assert "is complete" in here.done("train", *TRAIN, "--resume")


def test_a_mistake_leaves_no_record(here):
    (here.folder / "fox.txt").write_bytes(b"\xff\xfe\xfd")
    assert here("train", *TRAIN)[0] == 1
    assert [path.name for path in here.folder.iterdir()] == ["fox.txt"]


@pytest.mark.slow
def test_a_regular_expression_that_explodes_is_ended_by_a_signal(tmp_path):
    (tmp_path / "text.txt").write_text("a" * 60 + "\n")
    command = [*TFGEN, "prepare", "text.txt", "-o", "prepared", "--split-on", "(a+)+b"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, **pipes) as running:
        try:
            assert running.stdout.readline().startswith("hashing")
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(1)
            running.send_signal(signal.SIGINT)
            _, error = running.communicate(timeout=60)
        finally:
            running.kill()
    assert (running.returncode, error) == (130, "\ntfgen: interrupted\n")


@pytest.mark.slow
def test_signals_at_any_instant_end_a_run_in_one_line_and_resume_to_the_same_bits(tmp_path):
    program = [sys.executable, "benchmarks/signals.py", "6", "1"]
    root = pathlib.Path(tfgen.__file__).parents[1]
    done = subprocess.run(program, cwd=root, env=ENVIRONMENT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
