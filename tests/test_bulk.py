"""A file of rows to a file of answers: in order, whoever answers them, and going on where it was stopped."""

import csv
import importlib.util
import json
import os
import signal
import subprocess
import time

import keras
import numpy as np
import pytest
from cli_support import ENVIRONMENT, TFGEN, here_fixture  # noqa: F401 - a fixture
from hypothesis import given
from hypothesis import strategies as st
from ray_support import processes_of, ray_folder_fixture  # noqa: F401 - a fixture

from tfgen import TextGenerator, Vocabulary, bulk, networks
from tfgen.bulk import ray_data, runs, tables
from tfgen.errors import InputError

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
needs_arrow = pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed")

PROMPTS = [f"{'ab' * (i % 3)}{i}" for i in range(150)]


@pytest.fixture(name="model", scope="module")
def model_fixture(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "small.keras"
    TextGenerator.build(Vocabulary.from_texts(["ab0123456789"]), cell="rnn", units=4, seed=1).save(path)
    return path


@pytest.fixture(name="prompts")
def prompts_fixture(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text("".join(f"{each}\n" for each in PROMPTS))
    return path


def read(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


REQUEST = bulk.Request(seed=5, settings={"length": 6})


def test_each_row_has_the_text_of_its_seed(model, prompts, tmp_path):
    from tfgen import model_files

    shown = []
    count = bulk.answer(model, prompts, tmp_path / "out.jsonl", REQUEST, show=lambda *done: shown.append(done))
    rows = read(tmp_path / "out.jsonl")
    assert count == len(rows) == len(PROMPTS)
    assert [row["prompt"] for row in rows] == PROMPTS
    assert [row["seed"] for row in rows] == [5 + number for number in range(len(rows))]
    assert shown == [(0, 150), (64, 150), (128, 150), (150, 150)]
    generator = model_files.load(model)
    for row in rows[::50]:
        assert row["text"] == generator.generate(row["prompt"], length=6, seed=[row["seed"]])
    assert {path.name for path in tmp_path.iterdir()} == {"prompts.txt", "out.jsonl"}


@pytest.mark.slow
def test_what_is_written_is_not_written_again(model, prompts, tmp_path, monkeypatch):
    bulk.answer(model, prompts, tmp_path / "whole.jsonl", REQUEST)
    answered = []
    group = runs.Answering.group

    def counted(self, asked):
        answered.append(asked[0])
        if answered == [0, 1]:
            raise KeyboardInterrupt
        return group(self, asked)

    monkeypatch.setattr(runs.Answering, "group", counted)
    with pytest.raises(KeyboardInterrupt):
        bulk.answer(model, prompts, tmp_path / "out.jsonl", REQUEST)
    with pytest.raises(InputError, match="of another request; give what was given then"):
        bulk.answer(model, prompts, tmp_path / "out.jsonl", bulk.Request(seed=6))
    bulk.answer(model, prompts, tmp_path / "out.jsonl", REQUEST)
    assert answered == [0, 1, 1, 2]
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_scores(model, tmp_path):
    from tfgen import model_files

    (tmp_path / "in.jsonl").write_text('{"text": "ab1", "n": 1}\n\n{"text": "b", "n": 2}\n')
    bulk.answer(model, tmp_path / "in.jsonl", tmp_path / "out.csv", bulk.Request(score=True, column="text"))
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    expected = model_files.load(model).score(["ab1", "b"])
    assert [row["n"] for row in rows] == ["1", "2"]
    assert [float(row["nats"]) for row in rows] == [score.nats for score in expected]


def translator():
    letters = Vocabulary.from_texts(["abc"], ends=True)
    encoder = networks.text_encoder(letters, cell="rnn", units=2, embedding=2, seed=1)
    return TextGenerator.build(letters, cell="rnn", units=4, encoder=encoder, seed=1)


@pytest.fixture(name="translating", scope="module")
def translating_fixture(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "from-texts.keras"
    translator().save(path)
    return path


@pytest.mark.slow
def test_rows_are_written_from_their_sources(translating, tmp_path, here):
    model = translator()
    sources, texts = ["ab", "", "ccc"], ["c", "ab", "abc"]
    rows = [{"written": source, "text": text} for source, text in zip(sources, texts, strict=True)]
    tables.write(tmp_path / "in.csv", rows)
    for column, prompts in ((None, ["", "", ""]), ("text", texts)):
        request = bulk.Request(column=column, source_column="written", seed=3, settings={"length": 9})
        bulk.answer(translating, tmp_path / "in.csv", tmp_path / "out.jsonl", request, overwrite=True)
        written = [row["text"] for row in read(tmp_path / "out.jsonl")]
        assert written == model.generate(prompts, source=sources, length=9, seed=[3, 4, 5])
    batch = {"id": np.arange(3), "written": np.array(sources, object)}  # as an actor of Ray Data has it
    request = bulk.Request(column=None, source_column="written", seed=3, settings={"length": 9})
    answered = ray_data._Rows(translating.read_bytes(), request)(batch)
    assert answered.keys() == {"written", "text", "seed"}
    assert answered["text"] == model.generate(source=sources, length=9, seed=[3, 4, 5])
    (tmp_path / "in.txt").write_text("ab\n\nccc\n")
    options = ("--source", "written", "--length", 9, "--seed", 3, "--temperature", 1, "-o", tmp_path / "lines.jsonl")
    assert here("bulk", translating, tmp_path / "in.txt", *options)[0] == 0
    lines = read(tmp_path / "lines.jsonl")
    assert [row["written"] for row in lines] == sources
    assert [row["text"] for row in lines] == model.generate(source=sources, length=9, seed=[3, 4, 5])
    options = ("--score", "--source", "written", "-o", tmp_path / "scores.jsonl")
    assert here("bulk", translating, tmp_path / "in.csv", *options)[0] == 0
    expected = [score.nats for score in model.score(texts, source=sources)]
    assert [row["nats"] for row in read(tmp_path / "scores.jsonl")] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("given", "content", "message"),
    [
        ({}, "written,prompt\na,b\n", "writes from a source: name the column that has them"),
        ({"source_column": "said"}, "written,prompt\na,b\n", "row 1 of .* has no text 'said'"),
        ({"source_column": "written"}, "written\na\n", "row 1 of .* has no text 'prompt'"),
        ({"source_column": "written"}, "written,prompt\na,b\nZ,b\n", "in the source of row 2, .*'Z'"),
        ({"source_column": "written", "column": None}, "written\n", "has no row"),
    ],
)
def test_sources_that_cannot_be_read_are_refused_before_anything_is_written(
    translating, tmp_path, given, content, message
):
    (tmp_path / "in.csv").write_text(content)
    with pytest.raises(InputError, match=message):
        bulk.answer(translating, tmp_path / "in.csv", tmp_path / "out.csv", bulk.Request(**given))
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_column_of_sources_goes_with_a_model_that_reads_texts(model, prompts, tmp_path):
    asked = bulk.Request(source_column="written")
    with pytest.raises(InputError, match="has no encoder and writes without a source: omit the column of sources"):
        bulk.answer(model, prompts, tmp_path / "out.jsonl", asked)
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    letters = Vocabulary.from_texts(["ab"])
    TextGenerator.build(letters, cell="rnn", units=2, encoder=encoder).save(tmp_path / "seen.keras")
    with pytest.raises(InputError, match="writes from arrays, which no row holds"):
        bulk.answer(tmp_path / "seen.keras", prompts, tmp_path / "out.jsonl", asked)
    with pytest.raises(InputError, match="a column must be named"):
        bulk.Request(column=None)


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)


@given(st.lists(st.tuples(cells, cells), min_size=1, max_size=5))
def test_tables_hold_any_text(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("tables")
    rows = [{"prompt": prompt, "other": other} for prompt, other in texts]
    for ending in tables.WRITTEN:
        if ending == ".parquet" and importlib.util.find_spec("pyarrow") is None:
            continue
        path = folder / f"rows{ending}"
        tables.write(path, rows)
        assert [*tables.rows(path, ["prompt", "other"])] == rows, ending


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"ab\nq\n", "in row 2, .*'q'"),
        ("a.txt", b"", "has no row"),
        ("a.txt", b"a\xff\n", "line 1 of .* is not UTF-8"),
        ("a.jsonl", b"{}\n", "row 1 of .* has no text 'prompt'; its texts are nothing"),
        ("a.jsonl", b'{"text": "a"}\n', "its texts are 'text'"),
        ("a.jsonl", b"[1]\n", "line 1 of .* must be a JSON object"),
        ("a.jsonl", b"{\n", "line 1 of .* is not JSON"),
        ("a.csv", b"text\na\n", "its texts are 'text'"),
        ("a.tsv", b"", "ends in .txt, .jsonl, .csv, .parquet"),
        ("gone.txt", None, "cannot be read: No such file"),
    ],
)
def test_what_cannot_be_answered_is_refused_before_anything_is_written(model, tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    before = [*tmp_path.iterdir()]
    with pytest.raises(InputError, match=message):
        bulk.answer(model, tmp_path / name, tmp_path / "out.jsonl", REQUEST)
    assert [*tmp_path.iterdir()] == before


def test_an_output_that_is_there_stays(model, prompts, tmp_path):
    (tmp_path / "out.jsonl").write_text("mine")
    with pytest.raises(InputError, match="exists"):
        bulk.answer(model, prompts, tmp_path / "out.jsonl", REQUEST)
    with pytest.raises(InputError, match=r"ends in \.jsonl, \.csv, \.parquet"):
        bulk.answer(model, prompts, tmp_path / "out.txt", REQUEST)
    bulk.answer(model, prompts, tmp_path / "out.jsonl", REQUEST, overwrite=True)
    assert len(read(tmp_path / "out.jsonl")) == len(PROMPTS)


def test_scores_take_no_settings():
    with pytest.raises(InputError, match="scores take no settings; received 'length'"):
        bulk.Request(score=True, settings={"length": 3})


def start(folder, ray_folder, *arguments):
    command = [*TFGEN, "bulk", *map(str, arguments)]
    environment = {**ENVIRONMENT, "TMPDIR": ray_folder, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
@needs_ray
def test_one_process_and_actors_that_are_killed_write_the_same_file(model, tmp_path, ray_folder):
    prompts = tmp_path / "many.txt"
    prompts.write_text("".join(f"{'ab' * (i % 3)}{i}\n" for i in range(2000)))
    options = (model, prompts, "--length", "20", "--seed", "3")
    for workers in ([], ["--workers", "1"]):
        out, err = start(tmp_path, ray_folder, *options, *workers, "-o", f"{len(workers)}.jsonl").communicate(
            timeout=900
        )
        assert "has 2,000 rows" in out, err
    expected = (tmp_path / "0.jsonl").read_bytes()
    assert len(read(tmp_path / "0.jsonl")) == 2000
    assert (tmp_path / "2.jsonl").read_bytes() == expected

    stopped = start(tmp_path, ray_folder, *options, "--workers", "2", "-o", "killed.jsonl")
    parts = tmp_path / "killed.jsonl.parts"
    deadline = time.monotonic() + 600
    while len([*parts.glob("*.jsonl")]) < 10 and time.monotonic() < deadline:
        time.sleep(0.1)
    actors = [process for process, words in processes_of(ray_folder).items() if words.startswith("ray::MapWorker")]
    os.kill(actors[0], signal.SIGKILL)
    out, err = stopped.communicate(timeout=900)
    assert "has 2,000 rows" in out, err
    assert (tmp_path / "killed.jsonl").read_bytes() == expected


@pytest.mark.slow
@needs_ray
def test_a_run_that_is_interrupted_goes_on_with_the_same_command(model, tmp_path, ray_folder, signals_end_processes):
    prompts = tmp_path / "many.txt"
    prompts.write_text("".join(f"{'ab' * (i % 3)}{i}\n" for i in range(2000)))
    options = (model, prompts, "--length", "20", "--seed", "3", "-o", "out.jsonl")
    stopped = start(tmp_path, ray_folder, *options, "--workers", "2")
    parts = tmp_path / "out.jsonl.parts"
    deadline = time.monotonic() + 600
    while len([*parts.glob("*.jsonl")]) < 16 and time.monotonic() < deadline:
        time.sleep(0.1)
    stopped.send_signal(signal.SIGINT)
    _, err = stopped.communicate(timeout=300)
    assert stopped.returncode == 130
    assert err.splitlines()[-1] == "tfgen: interrupted"
    out, err = start(tmp_path, ray_folder, *options).communicate(timeout=600)  # in one process
    assert "has 2,000 rows" in out, err
    whole = start(tmp_path, ray_folder, *options[:-1], "whole.jsonl")
    assert "has 2,000 rows" in whole.communicate(timeout=600)[0]
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


@pytest.mark.parametrize(
    "nonsense", [{"model": 3}, {"source": None}, {"output": b"x"}, {"request": "x"}, {"workers": -1}]
)
def test_nonsense_is_refused_in_one_plain_line(model, prompts, tmp_path, nonsense):
    given = {"model": model, "source": prompts, "output": tmp_path / "out.jsonl", "request": REQUEST, **nonsense}
    with pytest.raises(InputError, match=r"^[^\n]+\.$"):
        bulk.answer(**given)


@pytest.mark.slow
@needs_ray
def test_what_is_no_dataset_is_refused(model):
    with pytest.raises(InputError, match=r"dataset must be a ray\.data\.Dataset; received int\."):
        bulk.generate(3, model)


def test_the_command_asks_for_the_same(here, model, prompts):
    said = here("bulk", model, prompts, "-o", "out.jsonl", "--length", "6", "--seed", "5", "--temperature", "1")
    assert (said[0], said[1]) == (0, "out.jsonl has 150 rows.\n"), said
    bulk.answer(model, prompts, here.folder / "same.jsonl", bulk.Request(seed=5, settings={"length": 6}))
    assert (here.folder / "out.jsonl").read_bytes() == (here.folder / "same.jsonl").read_bytes()
    assert (
        "--score draws nothing: remove --length"
        in here("bulk", model, prompts, "-o", "x.csv", "--score", "--length", "3")[2]
    )
