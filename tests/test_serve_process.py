"""`tfgen serve` for real: the OpenAI client and curl, many at once, clients that leave, signals, and memory."""

import concurrent.futures
import contextlib
import http.client
import importlib.util
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from cli_support import refused
from serve_support import ask, make, port_of, post, serving

if any(importlib.util.find_spec(name) is None for name in ("starlette", "uvicorn", "prometheus_client")):
    pytest.skip("packages of '.[serve]' are not installed", allow_module_level=True)

pytestmark = pytest.mark.slow

needs_openai = pytest.mark.skipif(importlib.util.find_spec("openai") is None, reason="openai is not installed")


@pytest.fixture(name="served", scope="module")
def served_fixture(tmp_path_factory):
    """The models, the address of their server, its process, and the file of its log."""
    folder = tmp_path_factory.mktemp("served")
    models = make(folder)
    with serving(folder) as (process, line):
        address = re.fullmatch(r"fox, turned: (http://127\.0\.0\.1:\d+)/  \(Ctrl-C ends it\)\n", line)[1]
        yield models, address, process, folder / "log"


def measured(address, name):
    connection = http.client.HTTPConnection("127.0.0.1", port_of(address), timeout=60)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1])


@needs_openai
def test_the_client_of_openai_writes_what_python_writes(served):
    from openai import BadRequestError, NotFoundError, OpenAI

    models, address, _, _ = served
    client = OpenAI(base_url=f"{address}/v1", api_key="none")
    assert [model.id for model in client.models.list()] == ["fox", "turned"]
    assert client.models.retrieve("fox").id == "fox"
    call = {"model": "fox", "prompt": ["the ", "dog"], "n": 2, "max_tokens": 40, "temperature": 0.7, "seed": 5}
    expected = models["fox"].generate(["the ", "dog"], n=2, length=40, temperature=0.7, seed=5, echo=False)
    completion = client.completions.create(**call)
    assert [choice.text for choice in completion.choices] == [text for group in expected for text in group]
    assert completion.usage.completion_tokens == 160
    texts = [""] * 4
    for chunk in client.completions.create(**call, stream=True):
        texts[chunk.choices[0].index] += chunk.choices[0].text
    assert texts == [choice.text for choice in completion.choices]
    told = client.completions.create(**{**call, "n": 1}, logprobs=3, extra_body={"top_k": 9}).choices[0].logprobs
    assert len(told.tokens) == len(told.token_logprobs) == len(told.top_logprobs) == 40
    written = client.completions.create(model="turned", prompt="", max_tokens=9, seed=2, extra_body={"source": "abc"})
    assert written.choices[0].text == models["turned"].generate(source="abc", length=9, seed=2)
    with pytest.raises(BadRequestError, match="max_tokens"):
        client.completions.create(model="fox", prompt="", max_tokens=10**6)
    with pytest.raises(NotFoundError, match="cat"):
        client.completions.create(model="cat", prompt="")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_writes_what_python_writes(served):
    models, address, _, _ = served
    body = json.dumps({"model": "fox", "prompt": "the ", "max_tokens": 30, "seed": 3})
    command = ["curl", "-sS", "-N", f"{address}/v1/completions", "-H", "Content-Type: application/json", "-d", body]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60)
    expected = models["fox"].generate("the ", length=30, seed=3, echo=False)
    assert json.loads(done.stdout)["choices"][0]["text"] == expected
    body = json.dumps({**json.loads(body), "stream": True})
    done = subprocess.run([*command[:-1], body], capture_output=True, check=True, timeout=60)
    *chunks, last = re.findall(r"^data: (.*)$", done.stdout.decode(), re.MULTILINE)
    assert last == "[DONE]"
    assert "".join(json.loads(chunk)["choices"][0]["text"] for chunk in chunks) == expected


def test_fifty_who_stream_at_once_get_their_own_texts(served):
    models, address, _, _ = served

    def one(seed):
        body = {"model": "fox", "prompt": "the", "max_tokens": 100, "seed": seed, "temperature": 0.9, "stream": True}
        connection = post(address, body)
        lines = connection.getresponse().read().decode().split("\n\n")
        connection.close()
        assert lines[-2:] == ["data: [DONE]", ""]
        return "".join(json.loads(line.removeprefix("data: "))["choices"][0]["text"] for line in lines[:-2])

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        written = list(pool.map(one, range(50)))
    expected = models["fox"].generate(["the"] * 50, length=100, seed=list(range(50)), temperature=0.9, echo=False)
    assert written == expected
    assert measured(address, "tfgen_turn_rows_sum") > 2 * measured(address, "tfgen_turn_rows_count")


@pytest.mark.parametrize("stream", [False, True])
def test_who_leaves_costs_nothing_more(served, stream):
    _, address, _, log = served
    connections = [
        post(address, {"model": "fox", "prompt": "the", "max_tokens": 4096, "stream": stream, "temperature": heat})
        for heat in (0.5, 0.6, 0.7, 0.8)
        for _ in range(8)
    ]
    until = time.monotonic() + 30
    while measured(address, "tfgen_rows") < 32 and time.monotonic() < until:
        time.sleep(0.01)
    assert measured(address, "tfgen_rows") == 32
    for connection in connections:
        connection.close()
    counts = [-1, 0]
    while (measured(address, "tfgen_rows") or counts[-2] != counts[-1]) and time.monotonic() < until:
        time.sleep(0.3)
        counts.append(measured(address, "tfgen_tokens_total"))
    assert measured(address, "tfgen_rows") == 0
    assert counts[-2] == counts[-1] < 32 * 4096 / 2
    assert log.read_text() == ""


def test_a_short_text_is_there_before_a_long_one(served):
    _, address, _, _ = served
    long = [post(address, {"model": "fox", "max_tokens": 4096, "temperature": 0.5}) for _ in range(4)]
    status, answer = ask(address, model="fox", max_tokens=10, temperature=0.4)
    assert (status, len(answer["choices"][0]["text"])) == (200, 10)
    assert measured(address, "tfgen_rows") == 4
    for connection in long:
        connection.close()


def test_bodies_that_are_none_leave_the_server_well(served):
    _, address, process, log = served
    raw = [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + (b"2000\r\n" + b"a" * 0x2000 + b"\r\n") * 12 + b"0\r\n\r\n",
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 2_000_000,
    ]
    for data in raw:
        connection = socket.create_connection(("127.0.0.1", port_of(address)), timeout=30)
        with connection, contextlib.suppress(OSError):
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(100)
            assert not answer or re.match(rb"HTTP/1\.1 4\d\d ", answer), (data[:60], answer)
    assert ask(address, model="fox", seed=1)[0] == 200
    assert process.poll() is None
    assert log.read_text() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_memory_does_not_grow_with_requests(served):
    _, address, process, _ = served

    def resident():
        with open(f"/proc/{process.pid}/statm") as file:  # noqa: PTH123
            return int(file.read().split()[1]) * 4096

    def many(count):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            bodies = [
                {"model": "fox", "prompt": "the " * (i % 9), "max_tokens": 5, "n": 1 + i % 3} for i in range(count)
            ]
            assert {status for status, _ in pool.map(lambda body: ask(address, **body), bodies)} == {200}

    many(300)
    before = resident()
    many(1000)
    assert resident() - before < 20 * 2**20


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="signals are those of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it(served, tmp_path, number, signals_end_processes):
    _, _, _, log = served
    for name in ("fox.keras", "turned.keras"):
        shutil.copy(log.parent / name, tmp_path / name)
    with serving(tmp_path, "--token", "new") as (process, line):
        address, token = re.fullmatch(r"fox, turned: (\S+)/#token=(\S+)  \(Ctrl-C ends it\)\n", line).groups()
        assert ask(address, model="fox")[0] == 401
        connection = http.client.HTTPConnection("127.0.0.1", port_of(address), timeout=60)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        body = {"model": "fox", "max_tokens": 4096, "stream": True}
        connection.request("POST", "/v1/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        begun = answer.read(50)
        process.send_signal(number)
        rest = b""
        with contextlib.suppress(http.client.IncompleteRead, OSError):
            rest = answer.read()
        connection.close()
        code = process.wait(60)
    said = (tmp_path / "log").read_text()
    if number == signal.SIGTERM:
        assert (code, said) == (0, "")
        assert (begun + rest).endswith(b"data: [DONE]\n\n")
    else:
        assert (code, said) == (130, "\ntfgen: interrupted\n")
        assert b"the server ends" in begun + rest


def test_what_is_wrong_is_said_at_once(served, tmp_path):
    _, address, _, log = served
    shutil.copy(log.parent / "fox.keras", tmp_path / "fox.keras")
    shutil.copytree(tmp_path, tmp_path / "other")
    taken = refused("serve", "fox.keras", "--port", port_of(address), cwd=tmp_path)
    assert "--port" in taken
    assert "token" in refused("serve", "fox.keras", "--host", "0.0.0.0", "--port", 0, cwd=tmp_path)
    assert "token" in refused("serve", "fox.keras", "--token", "short", "--port", 0, cwd=tmp_path)
    assert "'fox'" in refused("serve", "fox.keras", "other/fox.keras", cwd=tmp_path)
    assert "none.keras" in refused("serve", "none.keras", cwd=tmp_path)
    assert "--host" in refused("serve", "fox.keras", "--host", "nowhere.invalid", "--port", 0, cwd=tmp_path)
