"""Runs that prepare a text and are stopped, killed, or two at once: they go on, and give the ids of a run alone."""

import contextlib
import errno
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time

import pytest
from cli_support import ENVIRONMENT
from corpora_support import TEXT as TEXTS
from faults_support import disk_fixture  # noqa: F401 - a fixture
from hypothesis import given
from hypothesis import strategies as st
from prepared_support import (  # noqa: F401 - fixtures
    KEEPS_FOLDER,
    LINES,
    cache,
    check,
    entries,
    folder_fixture,
    joined,
    process,
    small_pieces_fixture,
    stop_after,
)

from tfgen.corpora import compressed, load_corpus, text_source
from tfgen.errors import InputError
from tfgen.prepared import preparing, workspace
from tfgen.prepared.preparing import prepare_corpus
from tfgen.support import notes
from tfgen.vocabulary import counting, splitting


@KEEPS_FOLDER
@given(
    text=TEXTS.filter(lambda text: len(text.strip("\ufeff \n")) > 10),
    split=st.sampled_from(["character", "word"]),
    lines=st.booleans(),
    stops=st.lists(st.integers(1, 40), max_size=4),
)
def test_a_run_that_was_stopped_again_and_again_gives_the_same_ids(folder, small_pieces, text, split, lines, stops):
    (folder / "a.txt").write_text(text, newline="")
    shutil.rmtree(cache(folder), ignore_errors=True)
    for stop in stops:
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            stop_after(patch, stop)
            prepare_corpus("a.txt", split=split, lines=lines)
    check("a.txt", split, lines=lines)
    assert len(entries(folder)) == 1


@pytest.mark.parametrize("split", ["character", "word"])
@pytest.mark.parametrize("name", [None, workspace.COUNTED, workspace.WRITTEN, workspace.IDS])
def test_what_was_noted_is_not_done_again_and_what_is_damaged_is(folder, small_pieces, monkeypatch, split, name):
    (folder / "a.txt").write_text(LINES * 9)
    with monkeypatch.context() as patch:
        stop_after(patch, 1 + 57 + 40)  # a look, counting, and some of writing
        with pytest.raises(KeyboardInterrupt):
            prepare_corpus("a.txt", split=split)
    (left,) = cache(folder).iterdir()
    if name:
        data = (left / name).read_bytes()
        (left / name).write_bytes(bytes([data[0] ^ 1]) + data[1:])
    stages = []
    found = prepare_corpus("a.txt", split=split, show=stages.append)
    assert [("stopped run" in stage) for stage in stages[1:]] == [
        name != workspace.COUNTED,
        name in (None, workspace.COUNTED),
    ]
    assert found.ids.tolist() == joined(load_corpus("a.txt"), found.vocabulary)
    assert entries(folder) == [found.path.name]
    assert sorted(path.name for path in found.path.iterdir()) == ["ids.bin", "manifest.json"]


ERRORS = {
    "an interruption": KeyboardInterrupt(),
    "no space": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    "a disk that fails": OSError(errno.EIO, os.strerror(errno.EIO)),
    "a file that cannot be read": InputError("'a.txt' cannot be read: Input/output error; check the path"),
    "no memory": MemoryError(),
    "a mistake of ours": AssertionError(),
}


@pytest.mark.parametrize("error", ERRORS)
def test_what_was_noted_outlasts_any_error(folder, small_pieces, error):
    (folder / "a.txt").write_text(LINES * 9)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 1 + 57 + 40, ERRORS[error])
        with pytest.raises(type(ERRORS[error])):
            prepare_corpus("a.txt")
    stages = []
    found = prepare_corpus("a.txt", show=stages.append)
    assert ["stopped run" in stage for stage in stages] == [False, True, True]
    assert found.ids.tolist() == joined(load_corpus("a.txt"), found.vocabulary)
    assert entries(folder) == [found.path.name]


@pytest.mark.parametrize("error", ["an interruption", "no space"])
def test_what_was_noted_of_a_text_that_was_changed_meanwhile_is_forgotten(folder, small_pieces, error):
    (folder / "a.txt").write_text(LINES * 9)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 1 + 57 + 40, ERRORS[error], lambda: (folder / "a.txt").write_text(LINES * 8))
        with pytest.raises(type(ERRORS[error])):
            prepare_corpus("a.txt")
    assert entries(folder) == []


def test_a_full_disk_costs_nothing_that_was_noted(disk, monkeypatch, small_pieces):
    """Twice: there is too little space for the ids; and another process takes it while they are written."""
    monkeypatch.setattr(notes, "_EVERY", 50_000)
    for module, name in ((compressed, "PIECE"), (text_source, "PIECE"), (preparing, "_PIECE"), (splitting, "PIECE")):
        monkeypatch.setattr(module, name, 10_000)
    monkeypatch.setattr(counting, "_COUNTED_TOGETHER", 10_000)
    pathlib.Path("a.txt").write_text("to be or not to be\n" * 30_000)  # 570 kB
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(600_000))
    with pytest.raises(InputError, match="bytes free, and 570,000 are needed; make room"):
        prepare_corpus("a.txt", disk / "a")
    ballast.unlink()
    stages = []

    def show(stage):
        stages.append(stage)
        if stage.startswith("writing"):
            ballast.write_bytes(bytes(600_000))

    with pytest.raises(OSError, match="No space left"):
        prepare_corpus("a.txt", disk / "a", show=show)
    assert [("stopped run" in stage) for stage in stages] == [False, True, False]
    ballast.unlink()
    stages.clear()
    found = prepare_corpus("a.txt", disk / "a", show=stages.append)
    assert [("stopped run" in stage) for stage in stages] == [False, True, True]
    assert found.ids.tolist() == joined(load_corpus("a.txt"), found.vocabulary)
    assert [path.name for path in disk.iterdir()] == ["a"]


@pytest.mark.slow
def test_a_process_killed_again_and_again_goes_on(folder):
    (folder / "a.txt").write_text("".join(f"{i} to be or not to be\n" for i in range(60_000)))
    program = """
import sys, tfgen
from tfgen.support import notes
notes._EVERY = 1 << 16
show = lambda stage: print(stage, flush=True)
tfgen.prepare_corpus("a.txt", split="word", show=show)
"""
    draw, environment = random.Random(4), {**ENVIRONMENT, "KERAS_HOME": os.environ["KERAS_HOME"]}
    for stage in ("counting", "writing"):
        with subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment, text=True
        ) as run:
            assert any(line.startswith(stage) for line in run.stdout)
            time.sleep(draw.uniform(0.05, 0.2))
            run.kill()
    done = process(program)
    assert re.search("counting words, except [0-9,]+ characters done by a stopped run\nwriting", done.stdout)
    check("a.txt", "word")
    assert len(entries(folder)) == 1


def test_of_other_work_what_stopped_runs_left_stays_for_a_month_and_what_runs_is_not_touched(folder, small_pieces):
    for name in ("a", "b"):
        (folder / f"{name}.txt").write_text(f"{name} " + LINES * 9)
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 100)
        with pytest.raises(KeyboardInterrupt):
            prepare_corpus("b.txt")
    (stopped,) = cache(folder).iterdir()
    with workspace.Workspace(cache(folder)) as other:  # of another thread
        other.copy("key", [b"x"])
        found = prepare_corpus("a.txt")
        assert entries(folder) == sorted([stopped.name, found.path.name, other._path.name])
        for path in (stopped, *stopped.rglob("*"), other._path, *other._path.iterdir()):
            os.utime(path, (0, time.time() - 31 * 24 * 60 * 60))
        more = prepare_corpus("a.txt", min_count=2)
        assert entries(folder) == sorted([found.path.name, more.path.name, other._path.name])
    assert entries(folder) == sorted([found.path.name, more.path.name])


def test_two_runs_at_once_both_succeed(folder):
    (folder / "a.txt").write_text(LINES * 20_000)
    program = "import tfgen; print(tfgen.prepare_corpus('a.txt'))"
    command = [sys.executable, "-c", program]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, env={**ENVIRONMENT, **os.environ}) for _ in range(3)]
    answers = {run.communicate()[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len(answers) == 1
    assert len(entries(folder)) == 1


def test_the_slower_of_two_runs_takes_what_the_other_made(folder, monkeypatch):
    (folder / "a.txt").write_text(LINES)
    become = workspace.Workspace.become

    def late(work, goal):
        shutil.copytree(work.path("corpus"), goal)
        become(work, goal)

    monkeypatch.setattr(workspace.Workspace, "become", late)
    found = prepare_corpus("a.txt")
    assert entries(folder) == [found.path.name]


def test_what_is_removed_as_soon_as_it_is_there_is_an_error(folder, monkeypatch):
    (folder / "a.txt").write_text(LINES)
    become = workspace.Workspace.become

    def removed(work, goal):
        become(work, goal)
        shutil.rmtree(goal)

    monkeypatch.setattr(workspace.Workspace, "become", removed)
    with pytest.raises(InputError, match="removed as soon as it was complete"):
        prepare_corpus("a.txt")
    assert entries(folder) == []
