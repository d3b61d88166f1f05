"""Prepared pairs: the ids of the pairs in memory, both sides of the same bytes, whole or not there at all."""

import contextlib
import csv
import hashlib
import io
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time
import tracemalloc
import unicodedata

import pytest
from cli_support import ENVIRONMENT, here_fixture, listing, model_bytes_fixture, model_fixture  # noqa: F401 - fixtures
from effort import share_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prepared_support import entries, folder_fixture, joined, small_pieces_fixture, stop_after  # noqa: F401 - fixtures

from tfgen.corpora import compressed, text_source
from tfgen.corpora.pairs import load_pairs
from tfgen.errors import InputError
from tfgen.prepared import corpus, ids_file, pairs, preparing
from tfgen.prepared.corpus import open_prepared
from tfgen.prepared.pairs import PreparedPairs, are_prepared_pairs, open_prepared_pairs, prepare_pairs
from tfgen.prepared.preparing import prepare_corpus
from tfgen.support import notes
from tfgen.vocabulary import counting, splitting
from tfgen.vocabulary.vocabulary import Vocabulary

COLUMNS = {"source": "written", "column": "iso"}
DATES = [("May 4 1970", "1970-05-04"), ("unknown", ""), ("2 June 81", "1981-06-02"), (" ", "1999-01-01")]
KEEPS_FOLDER = settings(max_examples=share_of(40), suppress_health_check=[HealthCheck.function_scoped_fixture])

CELLS = st.one_of(
    st.text(st.sampled_from('ab \n",&;é\u3000\r'), max_size=6), st.sampled_from(["&nbsp;", "&quot;", " &#32; "])
)
ROWS = st.lists(st.tuples(CELLS, CELLS), max_size=7)


def write(name, rows):
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows([("written", "iso"), *rows])
    pathlib.Path(name).write_bytes(stream.getvalue().encode())


def summaries(pairs):
    return pairs.sources.summary(), pairs.texts.summary()


def check(prepared, loaded):
    """Pairs prepared are the pairs loaded."""
    assert summaries(prepared) == summaries(loaded)
    for side, whole in ((prepared.sources, loaded.sources), (prepared.texts, loaded.texts)):
        assert side.ids.tolist() == joined(whole, side.vocabulary)


def ids_of(pairs):
    return [side.ids.tolist() for side in (pairs.sources, pairs.texts)]


# --- the same as in memory ------------------------------------------------------------------------------------------


@KEEPS_FOLDER
@given(ROWS, st.booleans(), st.sampled_from([None, "NFKC"]), st.lists(st.integers(1, 40), max_size=3))
def test_prepared_pairs_are_the_pairs_in_memory_however_often_they_were_stopped(
    folder, small_pieces, rows, unescape, normalize, stops
):
    reading = {"unescape": unescape, "normalize": normalize}
    write("a.csv", rows)
    shutil.rmtree("a", ignore_errors=True)
    try:
        loaded = load_pairs("a.csv", **COLUMNS, **reading)
    except InputError:
        with pytest.raises(InputError):
            prepare_pairs("a.csv", "a", **COLUMNS, **reading)
        assert not (folder / "a").exists()
        return
    for stop in stops:
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            stop_after(patch, stop)
            prepare_pairs("a.csv", "a", **COLUMNS, **reading)
    prepared = prepare_pairs("a.csv", "a", **COLUMNS, **reading)
    check(prepared, loaded)
    assert prepared.texts.vocabulary == Vocabulary.from_corpus(loaded.texts)
    assert ids_of(open_prepared_pairs("a")) == ids_of(prepared)
    assert sorted(path.name for path in (folder / "a").iterdir()) == ["source", "text"]


def test_in_the_cache_each_side_is_an_entry_that_is_found_again(folder):
    write("a.csv", DATES)
    first = prepare_pairs("a.csv", **COLUMNS)
    check(first, load_pairs("a.csv", **COLUMNS))
    stages = []
    shutil.copy("a.csv", "b.csv")
    again = prepare_pairs("b.csv", **COLUMNS, show=stages.append)
    assert [stage.split()[:2] for stage in stages] == [["b.csv[written]:", "hashing"], ["b.csv[iso]:", "hashing"]]
    assert (again.sources.path, again.texts.path) == (first.sources.path, first.texts.path)
    assert len(entries(folder)) == 2
    # A column alone has other rows, so it is another text.
    assert prepare_corpus("a.csv", column="iso").number_of_documents == 3
    assert len(entries(folder)) == 3


def test_each_side_has_its_vocabulary_counted_or_given():
    write("a.csv", DATES)
    known = Vocabulary.from_texts(["0123456789- MayJune"])
    both = prepare_pairs("a.csv", **COLUMNS, vocabulary=known, source_vocabulary=known)
    assert both.sources.vocabulary == both.texts.vocabulary == known
    texts = prepare_pairs("a.csv", **COLUMNS, vocabulary=known, split="word")
    assert (texts.texts.vocabulary, texts.sources.vocabulary.split) == (known, "word")
    sources = prepare_pairs("a.csv", **COLUMNS, source_vocabulary=known)
    assert (sources.sources.vocabulary, sources.texts.ids.tolist()) == (
        known,
        prepare_pairs("a.csv", **COLUMNS).texts.ids.tolist(),
    )


# --- both sides are of the same bytes -------------------------------------------------------------------------------


@pytest.mark.parametrize("directory", [None, "a"])
def test_a_table_that_is_changed_between_its_sides_is_refused(monkeypatch, directory):
    others = [("June 1", "0000-06-01"), ("July 1", "0000-07-01")]  # as many as before
    write("a.csv", DATES)
    write("b.csv", others)
    prepare_pairs("b.csv", **COLUMNS)  # so that in the cache the texts of the new table are there already
    prepared = []

    def late(text, *arguments):
        if prepared:
            write("a.csv", others)
        prepared.append(preparing.prepare_text(text, *arguments))
        return prepared[-1]

    monkeypatch.setattr(pairs, "prepare_text", late)
    with pytest.raises(InputError, match="was changed while it was read"):
        prepare_pairs("a.csv", directory, **COLUMNS)
    assert len(prepared) == 1
    assert not are_prepared_pairs("a")


def test_pairs_of_a_pipe_are_refused_before_it_is_read(folder):
    os.mkfifo(folder / "rows.csv")
    with pytest.raises(InputError, match=r"^'.*rows.csv' is a pipe, and pairs are read several times"):
        prepare_pairs(folder / "rows.csv", folder / "out", **COLUMNS)


def test_sides_of_different_numbers_are_refused_when_they_are_opened(folder):
    write("a.csv", DATES)
    write("b.csv", [*DATES, ("July 1", "0000-07-01")])
    prepare_pairs("a.csv", "a", **COLUMNS)
    prepare_pairs("b.csv", "b", **COLUMNS)
    shutil.rmtree(folder / "a" / "text")
    assert not are_prepared_pairs("a")
    with pytest.raises(InputError, match="'a' holds only half of prepared pairs; prepare the pairs once more"):
        open_prepared_pairs("a")
    shutil.copytree(folder / "b" / "text", folder / "a" / "text")
    with pytest.raises(InputError, match="'a' holds no prepared pairs: each text needs one source; received 2 sources"):
        open_prepared_pairs("a")
    with pytest.raises(InputError, match=r"text' exists and holds something else"):
        prepare_pairs("a.csv", "a", **COLUMNS)
    pathlib.Path("c.txt").write_text("c")
    running = prepare_corpus("c.txt")
    with pytest.raises(InputError, match="is a running text"):
        PreparedPairs(running, running)


def test_a_damaged_side_is_refused(folder):
    write("a.csv", DATES)
    prepare_pairs("a.csv", "a", **COLUMNS)
    (folder / "a" / "source" / "ids.bin").write_bytes(b"")
    with pytest.raises(InputError, match="source' is not a prepared corpus, or it is damaged"):
        open_prepared_pairs("a")


def test_what_else_is_in_a_directory_is_left_alone(folder):
    write("a.csv", DATES)
    (folder / "full").mkdir()
    (folder / "full" / "mine.txt").write_text("mine")
    (folder / "file").write_text("mine")
    pathlib.Path("c.txt").write_text("c")
    prepare_corpus("c.txt", "running")
    before = listing(folder)
    for directory in ("full", "file", "running"):
        with pytest.raises(InputError, match=f"'{directory}' exists and holds something else"):
            prepare_pairs("a.csv", directory, **COLUMNS)
    with pytest.raises(InputError, match="there is no directory 'x'; make it"):
        prepare_pairs("a.csv", "x/y", **COLUMNS)
    with pytest.raises(InputError, match="'nothing' holds no prepared pairs; give a directory"):
        open_prepared_pairs("nothing")
    assert listing(folder) == before
    (folder / "empty").mkdir()
    assert prepare_pairs("a.csv", "empty", **COLUMNS).texts.number_of_documents == 2


# --- of any size, and stopped at any time ---------------------------------------------------------------------------


def write_large(rows):
    with pathlib.Path("a.csv").open("w") as file:
        file.write("written,iso\n")
        file.writelines(f"{i} to be or not to be,{i % 977} that is the question\n" for i in range(rows))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_table(monkeypatch, small_pieces):
    for module in (compressed, text_source, splitting, preparing, ids_file, corpus):
        monkeypatch.setattr(module, "_PIECE" if hasattr(module, "_PIECE") else "PIECE", 1 << 12)
    monkeypatch.setattr(notes, "_EVERY", 1 << 20)
    monkeypatch.setattr(counting, "_COUNTED_TOGETHER", 1 << 12)
    monkeypatch.setattr(corpus, "_LARGEST_MANIFEST", 1 << 16)  # a buffer of this size is asked for at once
    peaks = []
    for rows in (100, 3000, 12_000):
        write_large(rows)
        tracemalloc.start()
        try:
            prepare_pairs("a.csv", f"of {rows}", **COLUMNS)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    assert peaks[2] - peaks[1] < 200_000, "9,000 rows more are half a million characters"


@pytest.mark.slow
def test_a_process_killed_again_and_again_goes_on(folder):
    write_large(40_000)
    program = """
import tfgen
from tfgen.support import notes
notes._EVERY = 1 << 16
tfgen.prepare_pairs("a.csv", "a", source="written", column="iso", show=lambda stage: print(stage, flush=True))
"""
    draw = random.Random(4)
    for stage in ("a.csv[written]: counting", "a.csv[written]: writing", "a.csv[iso]: counting", "a.csv[iso]: writing"):
        with subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, env={**ENVIRONMENT, **os.environ}, text=True
        ) as run:
            assert any(line.startswith(stage) for line in run.stdout)
            time.sleep(draw.uniform(0.05, 0.1))
            run.kill()
    stages = []
    check(prepare_pairs("a.csv", "a", **COLUMNS, show=stages.append), load_pairs("a.csv", **COLUMNS))
    assert not any("[written]: counting" in stage for stage in stages), "the sources were whole"
    assert sorted(path.name for path in (folder / "a").iterdir()) == ["source", "text"]


# --- the command line -----------------------------------------------------------------------------------------------


def test_the_command_describes_both_sides(here):
    write("a.csv", DATES)
    out = here.done("prepare", "a.csv", "--source", "written", "--column", "iso", "-o", "a")
    assert "a.csv[written]: 19 characters in 2 documents\nvocabulary: 15 characters; covers" in out
    assert "a.csv[iso]: 20 characters in 2 documents\nvocabulary: 10 characters; covers" in out
    assert out.endswith("Try:\n  tfgen train a\n")
    assert open_prepared_pairs("a").sources.source == "a.csv[written]"
    out = here.done("prepare", "a.csv", "--source", "written", "--column", "iso")
    paths = re.findall("bytes in (.+)", out)
    assert [open_prepared(path).source for path in paths] == ["a.csv[written]", "a.csv[iso]"]
    listed = here.done("prepare", "--list")
    assert "a.csv[written], " in listed
    assert "a.csv[iso], " in listed
    assert "removed 2 prepared texts" in here.done("prepare", "--clean")


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (["a.csv", "--source", "written"], "--source needs --column"),
        (["a.csv", "--source", "iso", "--column", "iso"], "source and column are both 'iso'"),
        (["a.csv", "--source", "writen", "--column", "iso"], "no column 'writen' in its first row, which is 'written'"),
        (["a.csv", "--source", "1", "--column", "written"], "one and the same column for '1', 'written'"),
        (["a.csv", "--source", "written", "--column", "iso", "--lines"], "--source goes without --lines"),
        (["a.csv", "--source", "written", "--column", "iso", "--strip-gutenberg"], "goes without --strip-gutenberg"),
        (["hollow.csv", "--source", "written", "--column", "iso"], "no row has text in both"),
        (["python-docs", "--source", "written", "--column", "iso"], "has no columns"),
        (["a.txt", "--source", "written", "--column", "iso"], "a column cannot be read from 'a.txt'"),
        (["--list", "--source", "written"], "--list goes without --source"),
    ],
)
def test_the_command_refuses_in_one_line(here, arguments, fact):
    write("a.csv", DATES)
    write("hollow.csv", [("", "1"), (" ", "2")])
    pathlib.Path("a.txt").write_text("a")
    code, _, err = here("prepare", *arguments, *(["-o", "a"] if "--list" not in arguments else []))
    lines = err.splitlines()
    assert (code in (1, 2), len(lines), fact in lines[-1]) == (True, 1, True), err
    assert not pathlib.Path("a").exists()


def test_the_vocabularies_of_a_model_can_be_taken(here, model):
    from tfgen import TextGenerator, networks

    write("a.csv", DATES)
    sources, texts = (Vocabulary.from_texts([text]) for text in ("May4 1970 2June8", "1970-05-04 81 62 9"))
    encoder = networks.text_encoder(sources, units=3, embedding=2)
    TextGenerator.build(texts, units=6, encoder=encoder).save("dates.keras")
    here.done("prepare", "a.csv", "--source", "written", "--column", "iso", "-o", "a", "--init-from", "dates.keras")
    found = open_prepared_pairs("a")
    assert (found.sources.vocabulary, found.texts.vocabulary) == (sources, texts)
    code, _, err = here("prepare", "a.csv", "--source", "written", "--column", "iso", "--init-from", model)
    assert (code, "reads no source texts" in err) == (1, True)


def test_a_text_that_was_prepared_before_there_were_pairs_is_still_found():
    """The name of a text is a hash of how it is read; what it was before has no part for a column beside another."""
    write("a.csv", DATES)
    reading = {"column": "iso", "lines": False, "encoding": "utf-8", "unescape": False}
    reading |= {"strip_gutenberg": False, "normalize": None, "control": "error"}
    how = [corpus.FORMAT, reading, True, ["character", None, 1], unicodedata.unidata_version]
    digest = hashlib.sha256(json.dumps(how).encode())
    digest.update(json.dumps([[".csv"]]).encode())
    digest.update(hashlib.sha256(pathlib.Path("a.csv").read_bytes()).digest())
    prepare_corpus("a.csv", "ids", column="iso")
    assert json.loads(pathlib.Path("ids/manifest.json").read_text())["key"] == digest.hexdigest()
