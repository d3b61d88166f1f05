"""`tfgen prepare`, and what `tfgen train` does by itself with a large text: the same models as from memory."""

import contextlib
import datetime
import gc
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
from cli_support import ENVIRONMENT, TEXT, here_fixture, listing, model_bytes_fixture, model_fixture  # noqa: F401 - fixtures

import tfgen
from tfgen import model_files
from tfgen.prepared import workspace
from tfgen.prepared.corpus import cache_directory

SETTINGS = ["--cell", "rnn", "--units", "4", "--length", "16", "--batch-size", "8", "--epochs", "1", "--no-sample"]


@pytest.fixture(autouse=True)
def fox(here, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(here.folder / "keras"))
    (here.folder / "fox.txt").write_text(TEXT)


def assert_same(one, other):
    one, other = model_files.load(one), model_files.load(other)
    assert one.vocabulary == other.vocabulary
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.slow
def test_a_large_text_trains_the_same_model_from_disk(here, monkeypatch):
    here.done("train", "fox.txt", *SETTINGS, "-o", "memory.keras")
    out = here.done("prepare", "fox.txt", "-o", "fox")
    assert f"ids: {len(TEXT):,} of 1 bytes in fox" in out
    assert out.endswith("Try:\n  tfgen train fox\n")
    here.done("train", "fox", *SETTINGS, "-o", "disk.keras")
    assert_same("memory.keras", "disk.keras")
    assert "found" not in here.done("prepare", "fox.txt", "-o", "fox")  # the same is no fault

    monkeypatch.setattr(importlib.import_module("tfgen.cli.texts"), "_LARGE", 0)
    code, _, err = here("train", "fox.txt", *SETTINGS, "-o", "large.keras")
    assert (code, [line.split()[0] for line in err.splitlines()]) == (0, ["hashing", "counting", "writing"])
    assert_same("memory.keras", "large.keras")
    code, _, err = here("train", "fox.txt", *SETTINGS, "-o", "large.keras", "--overwrite")
    assert (code, [line.split()[0] for line in err.splitlines()]) == (0, ["hashing"])  # it is found again


@pytest.mark.slow
def test_the_vocabulary_of_a_model_can_be_taken(here, model):
    (here.folder / "part.txt").write_text("the dog.\n")
    assert "covers" not in here.done("prepare", "part.txt", "--init-from", model), "it was counted on another text"
    out = here.done("prepare", "fox.txt", "--init-from", model)
    path = re.search("tfgen train (.+)", out)[1]
    assert tfgen.open_prepared(path).vocabulary == model_files.load(model).vocabulary
    here.done("train", path, "--init-from", model, *SETTINGS[4:], "-o", "more.keras")
    assert "omit --split" in here.refused("prepare", "fox.txt", "--init-from", model, "--split", "word")


def test_a_prepared_text_has_its_vocabulary(here, model):
    here.done("prepare", "fox.txt", "-o", "words", "--split", "word")
    assert "remove --split" in here.refused("train", "words", "--split", "word", *SETTINGS, "-o", "x.keras")
    code, _, err = here("train", "words", "--init-from", model, *SETTINGS[4:], "-o", "x.keras")
    assert (code, "prepared with another vocabulary" in err) == (1, True)
    assert "holds something else" in here("prepare", "fox.txt", "-o", "words")[2]
    (here.folder / "words" / "ids.bin").write_bytes(b"")
    assert "not a prepared corpus, or it is damaged" in here.refused("train", "words", *SETTINGS, "-o", "x.keras")
    shutil.rmtree(here.folder / "words")
    assert "no such file" in here.refused("train", "words", *SETTINGS, "-o", "x.keras")


# --- the cache ------------------------------------------------------------------------------------------------------


USES = """
import sys, tfgen
text = tfgen.prepare_corpus(sys.argv[1])
print("mapped", flush=True)
sys.stdin.read()
"""
DAY = 24 * 60 * 60


def cached(here, *names):
    """Prepare texts of those names; give their directories."""
    found = []
    for name in names:
        (here.folder / f"{name}.txt").write_text(f"{name} {TEXT}")
        found.append(tfgen.prepare_corpus(f"{name}.txt").path)
    return found


def unused_for(path, days):
    when = time.time() - days * DAY
    os.utime(path / "manifest.json", (when, when))


def listed(here):
    return json.loads(here.done("prepare", "--list", "--json"))


def sources(here):
    return [text["source"] for text in listed(here)["texts"]]


@contextlib.contextmanager
def used(name):
    """Another process has a prepared text mapped while the block runs."""
    environment = {**ENVIRONMENT, "KERAS_HOME": os.environ["KERAS_HOME"]}
    with subprocess.Popen(
        [sys.executable, "-c", USES, name], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"mapped\n"
        yield process
        process.kill()


def test_what_is_in_the_cache_is_listed_the_least_recently_used_first(here):
    assert here.done("prepare", "--list").endswith(f"0 prepared texts, 0 bytes, in {cache_directory()}\n")
    paths = cached(here, "a", "b", "c")
    gc.collect()
    unused_for(paths[1], 3)
    unused_for(paths[2], 2)
    assert sources(here) == ["b.txt", "c.txt", "a.txt"]
    found = listed(here)
    assert found["directory"] == str(cache_directory())
    text = found["texts"][0]
    assert text["bytes"] == sum(path.stat().st_size for path in paths[1].iterdir())
    assert (text["name"], text["path"], text["in_use"]) == (paths[1].name, str(paths[1]), False)
    assert (text["tokens"], text["damaged"]) == (len(f"b {TEXT}"), False)
    last_used = datetime.datetime.fromisoformat(text["last_used"]).timestamp()
    assert abs(last_used - time.time() + 3 * DAY) < 100
    lines = here.done("prepare", "--list").splitlines()
    assert re.fullmatch(rf"{paths[1].name}  b\.txt, [\d,]+ bytes, [\d,]+ tokens, last used [\d-]+ [\d:]+", lines[0])
    assert lines[3].startswith("3 prepared texts, ")
    for use in (lambda: here.done("prepare", "b.txt"), lambda: tfgen.open_prepared(paths[1])):
        unused_for(paths[1], 3)
        use()
        assert sources(here)[0] == "c.txt"


def test_what_is_not_in_use_is_removed_from_the_cache(here):
    paths = cached(here, "a", "b")
    gc.collect()  # this process has them mapped no longer
    with used("a.txt"):
        assert [text["in_use"] for text in listed(here)["texts"]] == [False, True]
        assert ", in use\n" in here.done("prepare", "--list")
        out = here.done("prepare", "--clean")
        removed, kept = rf"removed {paths[1].name}  b\.txt, .*", rf"kept {paths[0].name}  a\.txt, .*, in use"
        assert re.match(rf"{removed}\n{kept}\nremoved 1 prepared text, ", out)
        assert "; kept 1 prepared text, " in out
        assert ", 1 of them in use, in " in out
        assert sources(here) == ["a.txt"]
    here.done("prepare", "--clean")
    assert list(cache_directory().iterdir()) == []
    here.done("prepare", "--clean")


@pytest.mark.parametrize(
    ("file", "content", "is_removed"),
    [
        ("ids.bin", b"", True),
        ("ids.bin", None, False),
        ("manifest.json", b"{", False),
        ("manifest.json", b"", False),
        ("manifest.json", b'{"format": "of others"}', False),
    ],
)
def test_what_is_damaged_is_named_and_removed_only_where_its_manifest_says_that_it_is_ours(
    here, file, content, is_removed
):
    damaged, whole = cached(here, "a", "b")
    gc.collect()
    (damaged / file).unlink() if content is None else (damaged / file).write_bytes(content)
    before = listing(here.folder)
    found = {text["name"]: (text["damaged"], text["in_use"]) for text in listed(here)["texts"]}
    assert found == {damaged.name: (True, False), whole.name: (False, False)}
    assert here.done("prepare", "--list").count(", damaged\n") == 1
    assert listing(here.folder) == before
    out = here.done("prepare", "--clean")
    assert not whole.exists()
    assert damaged.exists() != is_removed
    assert re.search(rf"^{'removed' if is_removed else 'kept'} {damaged.name}  .*, damaged$", out, re.MULTILINE)
    assert len(tfgen.prepare_corpus("a.txt").ids) == len(f"a {TEXT}"), "it is made again"


def test_what_was_not_used_for_long_is_removed(here):
    paths = cached(here, "a", "b", "c")
    gc.collect()
    unused_for(paths[0], 3)
    unused_for(paths[1], 9)
    assert "removed 0 prepared texts, 0 bytes; kept 3" in here.done("prepare", "--clean", "--older-than", "10")
    assert "removed 1 prepared text, " in here.done("prepare", "--clean", "--older-than", "3.5")
    assert sources(here) == ["a.txt", "c.txt"]
    unused_for(paths[2], -5)  # by a clock that has been set back
    assert "removed 2 prepared texts, " in here.done("prepare", "--clean")


def test_a_text_that_was_not_used_for_a_month_goes_when_another_is_prepared(here):
    paths = cached(here, "a", "b", "c")
    gc.collect()
    with used("c.txt"):
        for path, days in zip(paths, (31, 29, 31), strict=True):
            unused_for(path, days)
        assert "removed" not in here.done("prepare", "b.txt"), "it is there"
        unused_for(paths[1], 29)
        (here.folder / "d.txt").write_text("d" + TEXT)
        here.done("prepare", "d.txt", "-o", "elsewhere")
        assert paths[0].exists()
        assert "\nremoved 1 prepared text not used for 30 days\n" in here.done("prepare", "d.txt")
    assert [path.exists() for path in paths] == [False, True, True]
    assert sources(here) == ["c.txt", "b.txt", "d.txt"]


def test_nothing_else_is_ever_removed_from_the_cache(here):
    (path,) = cached(here, "a")
    gc.collect()
    there = cache_directory()
    mine = here.folder / "mine"
    shutil.copytree(path, mine)
    others = [there / f"{number:040x}" for number in range(4)]
    others[0].symlink_to(mine)
    others[1].write_text("a file")
    shutil.copytree(path, others[2])  # it is not what its name says
    others[3].mkdir()
    (there / "notes").mkdir()
    (there / ".hidden.preparing").mkdir()
    (path / "more.txt").write_text("mine")
    before = listing(here.folder)
    assert listed(here)["texts"] == []
    assert "removed 0 prepared texts" in here.done("prepare", "--clean")
    assert listing(here.folder) == before


def test_what_a_stopped_run_left_is_listed_and_removed_and_what_runs_is_not(here):
    there = cache_directory()
    with workspace.Workspace(there) as running:
        there.mkdir(parents=True)
        running.copy("key", [b"x"])
        with contextlib.suppress(KeyboardInterrupt), workspace.Workspace(there) as stopped:
            stopped.copy("counted.jsonl", [b"12345"])
            raise KeyboardInterrupt
        (text,) = listed(here)["texts"]
        assert (text["source"], text["bytes"], text["in_use"]) == (None, 5, False)
        assert "a stopped run, 5 bytes, last used " in here.done("prepare", "--list")
        assert len(list(there.iterdir())) == 2
        assert "removed 0" in here.done("prepare", "--clean", "--older-than", "1")
        assert "removed 1 prepared text, 5 bytes" in here.done("prepare", "--clean")
        assert [path.name for path in there.iterdir()] == [running._path.name]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--list", "fox.txt"], "--list goes without a CORPUS"),
        (["--list", "--clean"], "--list goes without --clean"),
        (["--list", "--split", "word"], "--list goes without --split"),
        (["--clean", "--lines"], "--clean goes without --lines"),
        (["--clean", "--json"], "--clean goes without --json"),
        (["--json", "fox.txt"], "--json goes with --list"),
        (["--older-than", "3", "fox.txt"], "--older-than goes with --clean"),
        (["--clean", "--older-than", "-1"], "-1"),
        (["--clean", "--older-than", "nan"], "is not a number"),
        ([], "Missing argument 'CORPUS...'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(here, arguments, message):
    assert message in here.refused("prepare", *arguments)


@pytest.mark.slow
def test_a_text_that_is_found_is_not_lost_before_it_is_opened(here):
    """While another process cleans the cache again and again."""
    cleans = """
from tfgen.prepared import cache
print("begun", flush=True)
while True:
    cache.remove()
"""
    environment = {**ENVIRONMENT, "KERAS_HOME": os.environ["KERAS_HOME"]}
    (here.folder / "a.txt").write_text("to be or not to be")
    with subprocess.Popen([sys.executable, "-c", cleans], env=environment, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        try:
            for _ in range(150):
                first = tfgen.prepare_corpus("a.txt")
                again = tfgen.prepare_corpus("a.txt")
                assert again.path.exists(), "it is in use"
                assert again.ids.tolist() == first.ids.tolist()
                del first, again
        finally:
            process.kill()


@pytest.mark.slow
def test_how_a_text_was_read_is_said_and_kept(here):
    text = TEXT.replace("\n", "\r\n").encode() + b"\xff\r\n"
    (here.folder / "windows.txt").write_bytes(text)
    said = here.done("prepare", "windows.txt", "-o", "ids", "--errors", "ignore", "--lines")
    assert "1 byte not of the encoding left out." in said
    out = here.done("train", "fox.txt", "-o", "a.keras", "--normalize", "NFC", *SETTINGS)
    assert "line ends" not in out
    reading = json.loads(here.done("inspect", "a.keras", "--json"))["corpus"]["reading"]
    assert (reading["normalize"], reading["keep_line_ends"], reading["errors"]) == ("NFC", False, "strict")
    (here.folder / "old.txt").write_bytes(b"one\rtwo")
    assert "1 line end written" in here.done("novelty", "fox.txt", "old.txt")
