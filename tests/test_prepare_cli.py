"""`tfgen prepare`, and what `tfgen train` does by itself with a large text: the same models as from memory."""

import importlib
import re
import shutil

import numpy as np
import pytest
from cli_support import TEXT, here_fixture, model_bytes_fixture, model_fixture  # noqa: F401 - fixtures

import tfgen
from tfgen import model_files

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


def test_a_large_text_trains_the_same_model_from_disk(here, monkeypatch):
    here.done("train", "fox.txt", *SETTINGS, "-o", "memory.keras")
    out = here.done("prepare", "fox.txt", "-o", "fox")
    assert f"ids: {len(TEXT):,} of 1 bytes in fox" in out
    assert out.endswith("Try:\n  tfgen train fox\n")
    here.done("train", "fox", *SETTINGS, "-o", "disk.keras")
    assert_same("memory.keras", "disk.keras")
    assert "found" not in here.done("prepare", "fox.txt", "-o", "fox")  # the same is no fault

    monkeypatch.setattr(importlib.import_module("tfgen.cli.train"), "_LARGE", 0)
    code, _, err = here("train", "fox.txt", *SETTINGS, "-o", "large.keras")
    assert (code, [line.split()[0] for line in err.splitlines()]) == (0, ["hashing", "counting", "writing"])
    assert_same("memory.keras", "large.keras")
    code, _, err = here("train", "fox.txt", *SETTINGS, "-o", "large.keras", "--overwrite")
    assert (code, [line.split()[0] for line in err.splitlines()]) == (0, ["hashing"])  # it is found again


def test_the_vocabulary_of_a_model_can_be_taken(here, model):
    (here.folder / "part.txt").write_text("the dog.\n")
    assert "covers" not in here.done("prepare", "part.txt", "--init-from", model), "it was counted on another text"
    out = here.done("prepare", "fox.txt", "--init-from", model)
    path = re.search("tfgen train (.+)", out)[1]
    assert tfgen.open_prepared(path).vocabulary == model_files.load(model).vocabulary
    here.done("train", path, "--init-from", model, *SETTINGS[4:], "-o", "more.keras")
    assert "leave away --split" in here.refused("prepare", "fox.txt", "--init-from", model, "--split", "word")


def test_a_prepared_text_has_its_vocabulary(here, model):
    here.done("prepare", "fox.txt", "-o", "words", "--split", "word")
    assert "leave away --split" in here.refused("train", "words", "--split", "word", *SETTINGS, "-o", "x.keras")
    code, _, err = here("train", "words", "--init-from", model, *SETTINGS[4:], "-o", "x.keras")
    assert (code, "prepared with another vocabulary" in err) == (1, True)
    assert "holds something else" in here("prepare", "fox.txt", "-o", "words")[2]
    (here.folder / "words" / "ids.bin").write_bytes(b"")
    assert "no prepared corpus, or damaged" in here.refused("train", "words", *SETTINGS, "-o", "x.keras")
    shutil.rmtree(here.folder / "words")
    assert "no such file" in here.refused("train", "words", *SETTINGS, "-o", "x.keras")
