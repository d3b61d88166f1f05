"""A file of rows to a file of answers: in order, whoever answers them, and going on where it was stopped."""

import csv
import importlib.util
import json
import re
import subprocess
import tempfile

import killed_actors
import numpy as np
import pytest
from cli_support import ENVIRONMENT, TFGEN, here_fixture, refused, run  # noqa: F401 - a fixture
from hypothesis import given
from hypothesis import strategies as st
from ray_support import PATIENCE, environment_of, processes_of, ray_folder_fixture  # noqa: F401 - a fixture

from tfgen import TextGenerator, Vocabulary, bulk, networks
from tfgen.bulk import runs, tables
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


@pytest.mark.slow
@needs_arrow
@pytest.mark.parametrize("ending", [".txt", ".jsonl", ".csv", ".parquet"])
def test_any_table_becomes_any_other(here, model, ending):
    from tfgen import model_files

    texts, source = ["ab1", "b", "a" * 9], here.folder / f"lines{ending}"
    if ending == ".txt":
        source.write_text("".join(f"{text}\n" for text in texts))
    else:
        tables.write(source, [{"text": text, "name": f"{text}, or not"} for text in texts])
    expected = [score.nats for score in model_files.load(model).score(texts)]
    for written in tables.WRITTEN:
        said = here("bulk", model, source, "-o", f"scores{written}", "--score")
        assert (said[0], said[1]) == (0, f"scores{written} has 3 rows.\n"), said
        rows = [*tables.rows(here.folder / f"scores{written}", ["text"])]
        assert [float(row["nats"]) for row in rows] == expected
        assert [row["text"] for row in rows] == texts
        assert [row.get("name") for row in rows] == [None if ending == ".txt" else f"{text}, or not" for text in texts]


@pytest.fixture(name="translator", scope="module")
def translator_fixture(tmp_path_factory):
    path = tmp_path_factory.mktemp("translator") / "reads.keras"
    known = Vocabulary.from_texts(["ab0123456789"], ends=True)
    encoder = networks.text_encoder(Vocabulary.from_texts(["xyz"], ends=True), cell="rnn", units=4, seed=1)
    TextGenerator.build(known, cell="rnn", units=4, seed=1, encoder=encoder).save(path)
    return path


@pytest.mark.slow
def test_texts_are_written_and_scored_under_their_sources(here, translator):
    from tfgen import model_files

    sources = ["xy", "zzz", "y"]
    tables.write(here.folder / "in.csv", [{"of": each, "begins": "ab"[: i % 3]} for i, each in enumerate(sources)])
    options = ("bulk", translator, "in.csv", "--length", "5", "--source", "of")
    assert here(*options, "-o", "new.jsonl")[0] == 0
    assert here(*options, "--column", "begins", "-o", "on.jsonl")[0] == 0
    assert here("bulk", translator, "on.jsonl", "--score", "--source", "of", "-o", "scores.jsonl")[0] == 0
    generator = model_files.load(translator)
    call = {"length": 5, "temperature": 0.8}
    for number, (new, on, score) in enumerate(
        zip(*(read(here.folder / f"{name}.jsonl") for name in ("new", "on", "scores")), strict=True)
    ):
        of = sources[number]
        assert new["text"] == generator.generate(source=of, seed=[number], **call)
        assert on["text"] == generator.generate("ab"[: number % 3], source=of, seed=[number], **call)
        assert score["nats"] == pytest.approx(generator.score(on["text"], source=of).nats, rel=1e-5)


def test_sources_go_with_models_that_read_some(here, model, translator):
    tables.write(here.folder / "in.csv", [{"of": "xy"}, {"of": "xq"}])
    (here.folder / "in.txt").write_text("xy\n")
    for words, message in (
        ((translator, "in.csv"), "reads a source; name the column that holds it"),
        ((model, "in.csv", "--source", "of"), "has no encoder and reads no source: omit the column 'of'"),
        ((translator, "in.csv", "--source", "of"), "in row 2, .*'q'"),
        ((translator, "in.csv", "--source", "off"), "row 1 of 'in.csv' has no text 'off'; its texts are 'of'"),
        ((translator, "in.txt", "--source", "of", "--column", "b"), "has one text a line, and 'b', 'of' are read"),
        ((translator, "in.csv", "--source", "of", "--column", "of"), "one column cannot hold texts and sources"),
    ):
        assert re.search(message, here.refused("bulk", *words, "-o", "out.csv")), words


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
        assert [*tables.rows(path, ["prompt"])] == rows, ending


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_lines_end_as_in_every_reader(tmp_path, end, mark):
    long = "b" * 200_000  # the csv module itself would take no more than 131,072
    contents = {
        "a.txt": ["a\x0b\x85\u2028", long],
        "a.jsonl": ['{"prompt": "a\x7f\x85\u2028"}', json.dumps({"prompt": long})],
        "a.csv": ["prompt", "a\x0b\x85\u2028", long],
    }
    for name, lines in contents.items():
        (tmp_path / name).write_bytes((mark + "".join(line + end for line in lines)).encode())
        first, second = tables.rows(tmp_path / name, ["prompt"])
        assert first["prompt"] in ("a\x0b\x85\u2028", "a\x7f\x85\u2028"), name
        assert second == {"prompt": long}


def test_a_table_as_a_spreadsheet_writes_it_is_read(tmp_path):
    contents = {
        "A.CSV": b"prompt,n\r\na,1\r\n",
        "b.csv": b"prompt;n\na;1\n",
        "c.csv": b"\xef\xbb\xbfsep=;\r\nprompt;n\r\na;1\r\n",
        "d.csv": b"prompt,n\n\na,1\n\n",
        "E.JSONL": b'{"prompt": "a", "n": "1"}\n',
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert [*tables.rows(tmp_path / name, ["prompt"])] == [{"prompt": "a", "n": "1"}], name


@pytest.mark.parametrize("ending", tables.WRITTEN)
def test_rows_of_other_keys_in_another_order_stay_what_they_are(model, tmp_path, ending):
    if ending == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        pytest.skip("pyarrow is not installed")
    (tmp_path / "in.jsonl").write_text('{"n": "1", "text": "a", "m": "2"}\n{"m": "3", "text": "b"}\n')
    with pytest.raises(InputError, match=r"there is no directory '.*nowhere': make it"):
        bulk.answer(model, tmp_path / "in.jsonl", tmp_path / "nowhere" / f"a{ending}", REQUEST)
    bulk.answer(model, tmp_path / "in.jsonl", tmp_path / f"out{ending}", bulk.Request(score=True, column="text"))
    first, second = tables.rows(tmp_path / f"out{ending}", ["text"])
    assert (first["n"], first["m"], second["m"]) == ("1", "2", "3")
    assert not second.get("n")
    (tmp_path / "in.jsonl").write_text('{"prompt": "a"}\n{"prompt": "b", "n": 1}\n')
    if ending != ".jsonl":
        with pytest.raises(InputError, match=r"^row 2 has 'n', which the first row lacks, .* write a \.jsonl file\.$"):
            bulk.answer(model, tmp_path / "in.jsonl", tmp_path / f"more{ending}", REQUEST)
        assert not [*tmp_path.glob("more*")]


def test_what_holds_other_values_is_json_in_a_cell(tmp_path):
    tables.write(tmp_path / "a.csv", [{"a": {"b": [1, "\u00e4", None]}, "c": [True], "d": 1.5, "e": "x"}])
    (row,) = tables.rows(tmp_path / "a.csv", ["e"])
    assert row == {"a": '{"b": [1, "\u00e4", null]}', "c": "[true]", "d": "1.5", "e": "x"}


@needs_arrow
def test_a_column_of_several_types_is_no_parquet(model, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"prompt": "a", "n": 1}\n{"prompt": "b", "n": "x"}\n')
    with pytest.raises(InputError, match=r"for a column of Parquet has one type: .*; write a \.jsonl file\.$"):
        bulk.answer(model, tmp_path / "in.jsonl", tmp_path / "out.parquet", REQUEST)
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"ab\nq\n", "in row 2, .*'q'"),
        ("a.txt", b"", "has no row"),
        ("a.txt", b"a\xff\n", "is not UTF-8 at byte 1"),
        ("a.jsonl", b"[" * 100_000, "line 1 of .* is not JSON"),
        ("a.csv", b'prompt\n"a" b\n', "line 2: .* expected after"),
        ("a.csv", b'prompt\n"a', "line 2: unexpected end of data"),
        ("a.csv", b"prompt,b\na\n", "line 2 has 1 cell, and the first row 2"),
        ("a.csv", b"prompt,b,b\na,1,2\n", "has more than one column 'b'; give each a name of its own"),
        ("a.jsonl", b'{"prompt": "a", "n": "\\ud83d"}\n', "line 1 of .* holds half a character"),
        ("a.txt", b"x" * (2**24 + 1), "has a line or row of more than 16,777,216 characters"),
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


def test_a_bad_table_is_refused_without_tensorflow(model, tmp_path):
    (tmp_path / "prompts.txt").write_text("ab\nq\n")
    # Which would be imported in its place, from the directory in which the module is started.
    (tmp_path / "tensorflow.py").write_text("raise SystemExit('it was imported')\n")
    message = refused("bulk", model, "prompts.txt", "-o", "out.csv", cwd=tmp_path)
    assert "in row 2" in message


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


MANY = "".join(f"{'ab' * (i % 3)}{i}\n" for i in range(2000))
OPTIONS = ("many.txt", "--length", "20", "--seed", "3")


@pytest.fixture(name="whole", scope="module")
def whole_fixture(model, tmp_path_factory):
    """What one process writes from 2,000 prompts."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "many.txt").write_text(MANY)
    done = run("bulk", model, *OPTIONS, "-o", "out.jsonl", cwd=folder)
    assert "has 2,000 rows" in done.stdout.decode(), done.stderr
    assert len(read(folder / "out.jsonl")) == 2000
    return (folder / "out.jsonl").read_bytes()


@pytest.fixture(name="in_actors")
def in_actors_fixture(model, tmp_path, ray_folder):
    """Give the exit code and what was said where so many actors write, one of which may do something after a group."""
    (tmp_path / "many.txt").write_text(MANY)

    def in_actors(count, does="", after=0):
        command = [*(killed_actors.COMMAND if does else TFGEN), "bulk", str(model), *OPTIONS]
        command += ["-o", f"{count}{does}.jsonl", "--workers", str(count)]
        told = {"TFGEN_DOES": does, "TFGEN_AFTER": str(after), "TFGEN_DONE": str(tmp_path / "done")}
        told["TFGEN_PARTS"] = str(tmp_path / f"{count}{does}.jsonl.parts")
        environment = environment_of(ray_folder) | told
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert (tmp_path / "done").exists() == bool(does)
        return done.returncode, done.stdout + done.stderr

    return in_actors


@pytest.mark.slow
@needs_ray
@pytest.mark.parametrize(("count", "does"), [(1, ""), (2, "die")])
def test_actors_write_what_one_process_does(in_actors, whole, tmp_path, count, does):
    code, said = in_actors(count, does, after=9)
    assert code == 0, said
    assert (tmp_path / f"{count}{does}.jsonl").read_bytes() == whole


@pytest.mark.slow
@needs_ray
def test_a_run_that_is_interrupted_goes_on_with_the_same_command(
    in_actors, whole, model, tmp_path, ray_folder, signals_end_processes
):
    code, said = in_actors(2, "interrupt", after=9)
    assert (code, said.splitlines()[-1]) == (130, "tfgen: interrupted")
    assert not processes_of(ray_folder)
    written = [*(tmp_path / "2interrupt.jsonl.parts").glob("*.jsonl")]
    assert 8 <= len(written) < 32
    again = run("bulk", model, *OPTIONS, "-o", "2interrupt.jsonl", cwd=tmp_path)  # in one process
    assert "has 2,000 rows" in again.stdout.decode(), again.stderr
    assert (tmp_path / "2interrupt.jsonl").read_bytes() == whole


@pytest.mark.parametrize(
    "nonsense", [{"model": 3}, {"source": None}, {"output": b"x"}, {"request": "x"}, {"workers": -1}]
)
def test_nonsense_is_refused_in_one_plain_line(model, prompts, tmp_path, nonsense):
    given = {"model": model, "source": prompts, "output": tmp_path / "out.jsonl", "request": REQUEST, **nonsense}
    with pytest.raises(InputError, match=r"^[^\n]+\.$"):
        bulk.answer(**given)


@pytest.mark.slow
@needs_ray
def test_rows_of_a_dataset_are_answered_in_their_order(model, ray_folder, monkeypatch):
    import ray.data

    from tfgen import machines, model_files
    from tfgen.bulk import ray_data

    monkeypatch.setenv("TMPDIR", ray_folder)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    with machines.connected(3):
        dataset = ray.data.from_items([{"prompt": each, "n": n} for n, each in enumerate(PROMPTS)])
        for given, message in (
            ((3, model, {}), r"dataset must be a ray\.data\.Dataset; received int\."),
            ((dataset, model, {"column": "text"}), "has the columns 'prompt', 'n'; received 'text'"),
            ((dataset, model, {"column": "n"}), "the column 'n' must hold texts; received"),
            ((dataset, model, {"lenght": 3}), "there is no setting lenght, did you mean length"),
            ((dataset, model, {"length": -1}), "length must be"),
            ((dataset, "gone.keras", {}), "does not exist"),
            ((dataset, model, {"source": "n"}), "has no encoder and reads no source"),
        ):
            with pytest.raises((InputError, TypeError), match=message) as refused:
                bulk.generate(given[0], given[1], **given[2])
            assert "\n" not in str(refused.value)
        for settings, message in (({"length": -1}, "length must be"), ({"lenght": 3}, "there is no setting lenght")):
            wrong = bulk.Request(settings=settings)  # which an actor finds
            with pytest.raises(InputError, match=rf"^{message}[^\n]+\.$"):
                next(ray_data.answered(iter([(0, [{"prompt": "a"}])]), model.read_bytes(), wrong, 1))
        written = bulk.generate(dataset, model, length=6, seed=5, workers=2).materialize()
        scores = bulk.score(written, model, workers=1).take_all()
    assert [(row["prompt"], row["n"], row["seed"]) for row in scores] == [
        (prompt, number, 5 + number) for number, prompt in enumerate(PROMPTS)
    ]
    generator = model_files.load(model)
    for row in scores[::50]:
        assert row["text"] == generator.generate(row["prompt"], length=6, seed=[row["seed"]])
        assert row["nats"] == pytest.approx(generator.score(row["text"]).nats, rel=1e-5)


@pytest.mark.parametrize("value", [None, 3, float("nan"), b"a", ["a"]])
def test_what_is_no_text_is_not_written_on_from_as_one(value):
    from tfgen.bulk import ray_data

    class Answering:
        def rows(self, rows, numbers):
            return [{"text": row["prompt"], "seed": number} for row, number in zip(rows, numbers, strict=True)]

    rows = ray_data._Rows.__new__(ray_data._Rows)
    rows._answering, rows._request = Answering(), REQUEST
    assert rows({"id": [0], "prompt": [np.str_("ab")]})["text"] == ["ab"]
    with pytest.raises(InputError, match=r"^the column 'prompt' must hold texts; received .*: leave such rows out"):
        rows({"id": [0, 1], "prompt": ["ab", value]})


def test_the_command_asks_for_the_same(here, model, prompts):
    said = here("bulk", model, prompts, "-o", "out.jsonl", "--length", "6", "--seed", "5", "--temperature", "1")
    assert (said[0], said[1]) == (0, "out.jsonl has 150 rows.\n"), said
    bulk.answer(model, prompts, here.folder / "same.jsonl", bulk.Request(seed=5, settings={"length": 6}))
    assert (here.folder / "out.jsonl").read_bytes() == (here.folder / "same.jsonl").read_bytes()
    assert (
        "--score draws nothing: remove --length"
        in here("bulk", model, prompts, "-o", "x.csv", "--score", "--length", "3")[2]
    )
