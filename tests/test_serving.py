"""The server of examples/serving runs for real, and gives every one of many clients the text that Python gives."""

import asyncio
import concurrent.futures
import functools
import http.client
import importlib.util
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import keras
import numpy as np
import pytest
from cli_support import ENVIRONMENT

if importlib.util.find_spec("kserve") is None:
    pytest.skip("kserve is not installed (pip install '.[kserve]')", allow_module_level=True)

from tfgen import TextGenerator, Vocabulary, networks

SERVER = pathlib.Path(__file__).parents[1] / "examples" / "serving" / "server.py"
PROMPTS = ["the quick", "", "o", "fox jumps over the lazy dog", "漢 the ZZZ"]


@pytest.fixture(name="generator", scope="module")
def generator_fixture():
    generator = TextGenerator.build(Vocabulary.from_texts(["the quick brown fox jumps over the lazy dog.\n"]), seed=1)
    generator.network.set_weights([3 * weight for weight in generator.network.get_weights()])
    return generator


@pytest.fixture(name="exported", scope="module")
def exported_fixture(generator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "model"
    generator.export(folder)
    return folder


@pytest.fixture(name="running", scope="module")
def running_fixture(exported):
    """Gives the address of the server, its port, the file of its log, and its process."""
    folder = exported.parent
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "PYTHONPATH"}
    options = ("--model_dir", "model", "--model_name", "fox", "--http_port", str(port), "--batch_wait", "0.05")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, str(SERVER), *options], cwd=folder, env=environment, stderr=log, stdout=log
        )
    try:
        address = f"http://127.0.0.1:{port}/v1/models/fox"
        until = time.monotonic() + 180
        while not is_up(address):
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.2)
        yield address, port, folder / "log", process
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(name="server", scope="module")
def server_fixture(running):
    """Gives the address of the server, its port, and the file of its log."""
    return running[:3]


@pytest.fixture(name="server_process", scope="module")
def server_process_fixture(running):
    return running[3]


def is_up(address):
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return json.load(answer)["ready"]
    except OSError:
        return False


def ask(address, **body):
    """Give the status and the answer."""
    return post(address, json.dumps(body).encode(), "application/json")


def post(address, data, kind):
    request = urllib.request.Request(f"{address}:predict", data, {"Content-Type": kind})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_concurrent_clients_get_the_texts_of_python(server, generator):
    address, _, log = server
    calls = [
        {"prompts": [PROMPTS[i % 5]], "length": 20 + 15 * (i % 2), "seed": [i], "temperature": [0.7, 1.3][i // 20]}
        for i in range(40)
    ]
    # One client more asks for what cannot be, and spoils nothing.
    calls.append({"prompts": ["x" * 2**18], "length": 20, "seed": [1], "temperature": 0.7})
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as clients:
        answers = list(clients.map(lambda call: ask(address, inputs=call), calls))
    status, answer = answers.pop()
    assert status == 400
    assert "one call can read" in answer["error"]
    for call, answer in zip(calls, answers, strict=False):
        settings = {name: value for name, value in call.items() if name != "prompts"}
        assert answer == (200, {"outputs": generator.generate(call["prompts"], unknown="unknown", **settings)})
    batches = [int(rows) for rows in re.findall(r"a batch of (\d+) requests", log.read_text())]
    assert max(batches) > 1


def test_both_forms_of_the_protocol(server, generator):
    address, *_ = server
    plain = generator.generate(["the", "fox"], seed=0)
    assert ask(address, inputs={"prompts": ["the", "fox"]}) == (200, {"outputs": plain})
    assert ask(address, inputs=["the", "fox"]) == (200, {"outputs": plain})
    assert ask(address, instances=["the", "fox"], signature_name="generate") == (200, {"predictions": plain})
    seeded = generator.generate(["the", "fox"], seed=[3, 4])
    rows = [{"prompts": "the", "seed": 3}, {"prompts": "fox", "seed": 4}]
    assert ask(address, instances=rows) == (200, {"predictions": seeded})


def test_a_client_streams_and_the_server_holds_nothing(server, generator):
    address, *_ = server
    _, answer = ask(address, signature_name="start", inputs={"prompts": ["the"], "seed": 5})
    text = ""
    for _ in range(3):
        _, answer = ask(address, signature_name="continue", inputs={**answer["outputs"], "length": 7})
        text += answer["outputs"].pop("texts")[0]
    assert text == generator.generate("the", length=21, seed=5, echo=False)


def test_it_scores(server, generator):
    _, answer = ask(server[0], signature_name="score", inputs={"texts": ["the fox"]})
    assert answer["outputs"]["lengths"] == [7]
    expected = generator.score("the fox").log_probabilities
    assert answer["outputs"]["log_probabilities"][0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"inputs": {"prompts": ["a"], "temperature": -1}}, "temperature must be at least 0; received -1"),
        ({"inputs": {"prompts": ["a"], "length": 0.5}}, "the input 'length' must be int32 of shape ()"),
        ({"inputs": {"prompts": [["a"]]}}, "the input 'prompts' must be string"),
        ({"inputs": {"prompts": [1]}}, "the input 'prompts' must be string"),
        ({"inputs": {"prompts": ["a"], "heat": 1}}, "there is no input 'heat'"),
        ({"inputs": {"prompts": ["a"], "seed": [1, 2]}}, "there must be one seed, or one for each prompt"),
        ({"inputs": {"prompts": ["a"], "seed": 2**63}}, "the input 'seed' must be int64"),
        ({"inputs": {}}, "missing"),
        ({"inputs": None}, "the input 'prompts' must be"),
        ({"instances": []}, "at least one row"),
        ({"instances": [{"prompts": "a"}, "b", {}]}, "the same inputs"),
        ({}, "give {"),
        ({"signature_name": "sing", "inputs": ["a"]}, "signature_name must be one of"),
        ({"signature_name": ["sing"], "inputs": ["a"]}, "signature_name must be a name"),
        ({"signature_name": {"a": 1}, "inputs": ["a"]}, "signature_name must be a name"),
        ({"inputs": {"prompts": {"a": 1}}}, "the input 'prompts' must be string"),
        ({"inputs": {"prompts": "a"}}, "the input 'prompts' must be string"),
        ({"inputs": {"prompts": None}}, "the input 'prompts' must be string"),
        ({"inputs": {"prompts": []}}, "there must be at least one text"),
        ({"inputs": {"prompts": [[], "a"]}}, "the input 'prompts' must be string"),
        ({"inputs": {"prompts": ["a"], "seed": "x"}}, "the input 'seed' must be int64"),
        ({"inputs": {"prompts": ["a"], "seed": [[1]]}}, "there must be one seed, or one for each prompt"),
        ({"inputs": {"prompts": ["a"], "seed": [True]}}, "the input 'seed' must be int64"),
        ({"inputs": {"prompts": ["a"], "length": None}}, "the input 'length' must be int32"),
        ({"inputs": {"prompts": ["a"], "length": True}}, "the input 'length' must be int32"),
        ({"inputs": {"prompts": ["a"], "length": [3]}}, "the input 'length' must be int32"),
        ({"inputs": {"prompts": ["a"], "length": 0}}, "length must be at least 1; received 0"),
        ({"inputs": {"prompts": ["a"], "length": 10**6}}, "one call can write 262144 tokens"),
        ({"inputs": {"prompts": ["a"], "top_k": {}}}, "the input 'top_k' must be int32"),
        ({"inputs": {"prompts": ["\ud800"]}}, "surrogate"),
        ({"inputs": {"prompts": ["a"] * 65}}, "a request has at most 64 rows; received 65"),
        ({"signature_name": "start", "inputs": {"prompts": [""] * 20_000}}, "a request has at most 64 rows"),
        ({"signature_name": "score", "inputs": {"texts": ["a" * 2**16]}}, "one call can read 65536 tokens"),
        ({"instances": [["a"]]}, "the input 'prompts' must be string"),
        ({"instances": {"a": 1}}, "to be a list"),
    ],
)
def test_a_mistake_is_answered_with_400_and_what_it_is(server, body, told):
    status, answer = ask(server[0], **body)
    assert (status, told in answer["error"]) == (400, True), answer
    assert ask(server[0], inputs=["a"])[0] == 200


def test_a_mistake_is_one_line_of_the_log(server):
    address, _, log = server
    before = len(log.read_text())
    assert ask(address, inputs={"prompts": ["a"], "temperature": -1})[0] == 400
    new = log.read_text()[before:]
    assert "refused: temperature must be at least 0" in new
    assert "Traceback" not in new


@pytest.mark.parametrize("path", ["/v2/repository/models/fox/unload", "/v2/repository/models/fox/load"])
def test_nobody_unloads_the_model(server, path):
    address, port, _ = server
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", b"", method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    assert refused.value.code == 403
    assert ask(address, inputs=["a"])[0] == 200


def test_a_page_of_another_server_may_not_ask(server):
    address, port, _ = server
    for origin, status in ((f"http://127.0.0.1:{port}", 200), ("http://evil.example", 403), ("null", 403)):
        headers = {"Content-Type": "text/plain", "Origin": origin}
        request = urllib.request.Request(f"{address}:predict", b'{"inputs": ["a"]}', headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                received = answer.status
        except urllib.error.HTTPError as error:
            received = error.code
        assert received == status


def test_bytes_are_asked_before_anything_is_read(server):
    body = b'{"inputs": ["' + b"a" * 2**22 + b'"]}'
    assert post(server[0], body, "application/json") == (413, {"error": "a request has at most 2097152 bytes"})


def test_a_short_text_does_not_wait_for_long_ones(server):
    address, *_ = server
    with concurrent.futures.ThreadPoolExecutor(4) as clients:
        long = [
            clients.submit(ask, address, inputs={"prompts": ["the"] * rows, "length": 3000, "seed": 1})
            for rows in (2, 3, 4)
        ]
        time.sleep(0.5)
        assert ask(address, inputs={"prompts": ["o"], "length": 10})[0] == 200
        assert not any(each.done() for each in long)
        assert [each.result()[0] for each in long] == [200] * 3


@pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="only Linux tells what a process has used")
def test_what_nobody_waits_for_is_not_written(server, server_process):
    _, port, _ = server
    for body in ({"prompts": ["a"], "length": 2**17, "seed": [5]}, {"prompts": ["a", "b"], "length": 2**17}):
        data = json.dumps({"inputs": body}).encode()
        client = http.client.HTTPConnection("127.0.0.1", port)
        client.request("POST", "/v1/models/fox:predict", data, {"Content-Type": "application/json"})
        time.sleep(1)
        client.close()
    until = time.monotonic() + 60
    while True:
        before = seconds_used(server_process)
        time.sleep(1)
        if seconds_used(server_process) - before < 0.2:
            break
        assert time.monotonic() < until, "it goes on writing"


def seconds_used(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_body_that_is_not_said_to_be_json_is_read_as_json(server, generator):
    kind = "application/x-www-form-urlencoded"  # what curl says of all it sends
    assert post(server[0], b'{"inputs": ["the"]}', kind) == (200, {"outputs": generator.generate(["the"], seed=0)})
    for body in (b"", b"\xff", b"[" * 10**6, b"inputs=the"):
        status, answer = post(server[0], body, kind)
        assert (status, "the request is no JSON" in answer["error"]) == (400, True)


@pytest.mark.skipif(not pathlib.Path("/proc/net/tcp").exists(), reason="only Linux tells who listens where")
def test_it_listens_on_this_machine_alone(server):
    tables = [pathlib.Path("/proc/net", name) for name in ("tcp", "tcp6")]
    rows = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
    listening = [row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == server[1]]
    assert listening == ["0100007F"]


@pytest.mark.parametrize("name", ["variables/variables.data-00000-of-00001", "saved_model.pb", "tfgen.json"])
@pytest.mark.parametrize("damage", ["cut", "changed", "gone"])
def test_a_directory_that_is_not_as_it_was_written_is_refused(exported, tmp_path, monkeypatch, name, damage):
    place = tmp_path / "model"
    shutil.copytree(exported, place)
    whole = (place / name).read_bytes()
    if damage == "gone":
        (place / name).unlink()
    else:
        (place / name).write_bytes(
            whole[:-9] if damage == "cut" else whole[:99] + bytes([whole[99] ^ 128]) + whole[100:]
        )
    assert refusal(place, monkeypatch).startswith(f"{place} is no SavedModel of tfgen export, or damaged: ")


@pytest.mark.parametrize("told", ["[]", "{}", "null", '{"format": "onnx"}', '{"format": "saved-model", "sha256": 1}'])
def test_what_another_program_or_format_has_written_is_refused(tmp_path, monkeypatch, told):
    (tmp_path / "tfgen.json").write_text(told)
    assert refusal(tmp_path, monkeypatch).startswith(f"{tmp_path} is no SavedModel of tfgen export, or damaged: ")


def from_texts():
    """A model that writes from a text, sources for it, what these are called, and what none is."""
    letters = Vocabulary.from_texts(["abc"], ends=True)
    encoder = networks.text_encoder(letters, cell="rnn", units=3, embedding=3, seed=1)
    generator = TextGenerator.build(letters, cell="rnn", units=4, encoder=encoder, attention=True, seed=1)
    return generator, ["abc", "", "caba"], "string of shape (None,)", [3, "abc", [1, 2, 3], [["a"]] * 3]


def from_arrays():
    """Likewise one that writes from tables of numbers."""
    encoder = keras.Sequential([keras.Input((2, 2)), keras.layers.Flatten(), keras.layers.Dense(3)])
    generator = TextGenerator.build(Vocabulary.from_texts(["abc"], ends=True), units=4, encoder=encoder, seed=1)
    sources = [[[1.0, 2.0], [3.0, 4.5]], [[0.0, 0.0], [0.0, 0.0]], [[-1.0, 0.5], [9.0, 0.0]]]
    return generator, sources, "float32 of shape (None, 2, 2)", ["abc", sources[0], [[["a", 1], [2, 3]]] * 3]


@pytest.mark.slow
@pytest.mark.parametrize("made", [from_texts, from_arrays])
def test_it_writes_from_sources_as_python_does(made, tmp_path):
    generator, sources, kind, others = made()
    generator.export(tmp_path / "model")
    served = server_module().Generator("model", str(tmp_path / "model"), 0.01, 64)
    assert served.load()

    def ask(**body):
        return asyncio.run(served.predict(body))

    prompts, seeds = ["", "a", "cb"], [3, 4, 5]
    given = sources if made is from_texts else np.float32(sources)
    expected = generator.generate(prompts, source=given, length=70, seed=seeds)
    inputs = {"prompts": prompts, "sources": sources, "length": 70, "seed": seeds}
    assert ask(inputs=inputs) == {"outputs": expected}
    names = ("prompts", "sources", "seed")
    rows = [dict(zip(names, row, strict=True)) for row in zip(prompts, sources, seeds, strict=True)]
    short = generator.generate(prompts, source=given, length=200, seed=seeds)
    assert ask(instances=rows) == {"predictions": short}
    scored = ask(signature_name="score", inputs={"texts": ["a", "b", "c"], "sources": sources})["outputs"]
    whole = [score.log_probabilities for score in generator.score(["a", "b", "c"], source=given)]
    assert [row[0] for row in scored["log_probabilities"]] == pytest.approx([row[0] for row in whole], abs=1e-5)

    def said(**inputs):
        with pytest.raises(server_module().InvalidInput) as error:
            ask(inputs=inputs)
        assert len(str(error.value).splitlines()) == 1
        return str(error.value)

    assert "the input sources is missing" in said(prompts=prompts)
    assert "the input prompts is missing" in said(sources=sources)
    assert "one source for each text" in said(prompts=prompts, sources=sources[:2])
    for other in others:
        assert f"the input 'sources' must be {kind}" in said(prompts=prompts, sources=other), other


def refusal(directory, monkeypatch):
    """The line with which the server refuses to start."""
    monkeypatch.setattr(sys, "argv", ["server.py", "--model_dir", str(directory), "--model_name", "fox"])
    monkeypatch.setattr(server_module().Generator, "load", lambda _: pytest.fail("it was loaded"))
    with pytest.raises(SystemExit) as refused:
        server_module().main()
    assert len(refused.value.args[0].splitlines()) == 1
    return refused.value.args[0]


@functools.cache
def server_module():
    spec = importlib.util.spec_from_file_location("server", SERVER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
