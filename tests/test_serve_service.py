"""The server in this process: addresses, methods, sizes, malformed bodies, and answers that are Python's texts."""

import html
import importlib.util
import json
import re
import threading

import numpy as np
import pytest

if not all(map(importlib.util.find_spec, ("starlette", "prometheus_client"))) or not any(
    map(importlib.util.find_spec, ("httpx2", "httpx"))
):
    pytest.skip("packages of '.[serve]', or httpx2, are not installed", allow_module_level=True)

from starlette.testclient import TestClient

from tfgen import InputError, TextGenerator, Vocabulary, sampling, serving
from tfgen.serving.gate import Gate
from tfgen.serving.index import first, of_model, opener
from tfgen.serving.service import Service

TOKEN = "a-token-of-20-letters"
BOUNDS = serving.Bounds(rows=8, texts=6, prompt=100, length=50, seconds=20)


def models():
    found = {}
    for seed, name in enumerate(("fox", "owl")):
        vocabulary = Vocabulary.from_texts(["the quick brown fox jumps over the lazy dog.\n"], ends=name == "owl")
        generator = TextGenerator.build(vocabulary, cell="rnn", units=6, seed=seed)
        generator.network.set_weights([4 * weight for weight in generator.network.get_weights()])
        found[name] = generator
    return found


@pytest.fixture(name="served", scope="module")
def served_fixture():
    """The models, and a client of their server."""
    found = models()
    service = Service(found, BOUNDS, needs_token=True)
    app = Gate(service.app, token=TOKEN)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with TestClient(app, base_url="http://localhost:8000", headers=headers, raise_server_exceptions=False) as client:
        client.service = service
        yield found, client


def texts(answer):
    assert answer.status_code == 200, answer.text
    return [choice["text"] for choice in answer.json()["choices"]]


def events(answer):
    """What the lines of a stream say."""
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = answer.text.split("\n\n")
    assert lines.pop() == ""
    assert all(line.startswith("data: ") and "\n" not in line for line in lines)
    return [line.removeprefix("data: ") for line in lines]


def ask(client, **body):
    return client.post("/v1/completions", json={"model": "fox", **body})


def test_texts_are_those_that_python_writes(served):
    found, client = served
    fox, owl = found["fox"], found["owl"]
    assert texts(ask(client, prompt="the ", seed=3)) == [fox.generate("the ", length=16, seed=3, echo=False)]
    assert texts(ask(client, prompt="the ", seed=3, echo=True)) == [fox.generate("the ", length=16, seed=3)]
    body = {"prompt": ["a", "dog", ""], "n": 2, "seed": 5}
    settings = {"temperature": 1.2, "stop": ["o", "z"]}
    expected = fox.generate(body["prompt"], n=2, length=30, seed=5, echo=False, **settings)
    answer = ask(client, **body, max_tokens=30, **settings)
    assert texts(answer) == [text for group in expected for text in group]
    assert [choice["index"] for choice in answer.json()["choices"]] == [*range(6)]
    answer = client.post("/v1/completions", json={"model": "owl", "max_tokens": 40, "seed": 1, "n": 4})
    assert texts(answer) == owl.generate("", n=4, length=40, seed=1)
    (again,) = texts(ask(client, prompt="q"))  # a seed is drawn, and told
    answer = ask(client, prompt="q", seed=ask(client, prompt="q").json()["seed"])
    assert len(again) == len(*texts(answer)) == 16


def test_usage_and_reasons_say_what_was_done(served):
    _, client = served
    answer = ask(client, prompt=["the", "a"], max_tokens=7, n=2, seed=1).json()
    assert answer["usage"] == {"prompt_tokens": 4, "completion_tokens": 28, "total_tokens": 32}
    assert {choice["finish_reason"] for choice in answer["choices"]} == {"length"}
    assert answer["object"] == "text_completion"
    assert answer["model"] == "fox"
    stopped = ask(client, seed=1, max_tokens=50, stop=list("abcdefghij")).json()["choices"][0]
    assert stopped["finish_reason"] == "stop"
    assert not set(stopped["text"]) & set("abcdefghij")


def test_a_text_goes_on_with_the_draws_that_come_then(served):
    found, client = served
    (whole,) = found["fox"].generate(["the "], length=40, seed=3, echo=False)
    for cut in (1, 25):
        asked = {"prompt": "the " + whole[:cut], "drawn": cut, "max_tokens": 40 - cut, "seed": 3}
        assert texts(ask(client, **asked)) == [whole[cut:]]


def test_prompts_are_scored_as_python_scores_them(served):
    found, client = served
    body = {"prompt": ["the quick fox", "dog."], "max_tokens": 0, "echo": True, "logprobs": 0}
    answer = ask(client, **body).json()
    for choice, score in zip(answer["choices"], found["fox"].score(body["prompt"]), strict=True):
        assert choice["text"] == score.text
        assert choice["logprobs"]["tokens"] == [*score.tokens]
        np.testing.assert_allclose(choice["logprobs"]["token_logprobs"], score.log_probabilities, rtol=1e-6)
    assert answer["usage"] == {"prompt_tokens": 17, "completion_tokens": 0, "total_tokens": 17}
    assert ask(client, **{**body, "prompt": ""}).status_code == 400
    assert ask(client, **{**body, "prompt": "a" * 101}).status_code == 400
    assert client.service._turns.reserved == 0


@pytest.mark.slow
def test_the_settings_of_tfgen_do_what_they_do_in_python(served):
    found, client = served
    fox = found["fox"]
    plain = {"top_k": 9, "top_p": 0.9, "min_p": 0.01, "typical_p": 0.95, "repetition_penalty": 1.5, "temperature": 0.8}
    written = fox.generate("the", length=30, seed=2, echo=False, **plain)
    assert texts(ask(client, prompt="the", max_tokens=30, seed=2, **plain)) == [written]
    chain = [
        sampling.Pattern("[a-z]{8} fox"),
        sampling.FrequencyPenalty(0.5),
        sampling.PresencePenalty(0.25),
        *sampling.default_chain(temperature=0.7),
    ]
    body = {"pattern": "[a-z]{8} fox", "frequency_penalty": 0.5, "presence_penalty": 0.25, "temperature": 0.7}
    answer = ask(client, max_tokens=30, seed=2, **body)
    assert texts(answer) == [fox.generate("", length=30, seed=2, sampler=chain)]
    assert answer.json()["choices"][0]["finish_reason"] == "stop"
    assert texts(ask(client, prompt="ZZ", unknown="skip", seed=1)) == texts(ask(client, prompt="", seed=1))


@pytest.mark.slow
def test_logprobs_are_those_of_python(served):
    found, client = served
    scored = found["fox"].generate("the", length=20, seed=2, echo=False, return_scores=True, stop="og")
    choice = ask(client, prompt="the", max_tokens=20, seed=2, logprobs=2, stop="og").json()["choices"][0]
    told = choice["logprobs"]
    assert "".join(told["tokens"]) == choice["text"] == scored.text
    assert told["token_logprobs"] == pytest.approx(list(scored.log_probabilities[: len(told["tokens"])]))
    assert told["text_offset"] == [*range(len(choice["text"]))]
    for token, top, others in zip(told["tokens"], told["top_logprobs"], scored.alternatives, strict=False):
        assert top.keys() == {token, *(other for other, _ in others[:2])}
    streamed = events(ask(client, prompt="the", max_tokens=20, seed=2, logprobs=2, stop="og", stream=True))
    parts = [json.loads(event)["choices"][0]["logprobs"] for event in streamed[:-1]]
    assert {name: [each for part in parts for each in part[name]] for name in told} == told


def test_a_stream_joined_is_the_text(served):
    _, client = served
    body = {"prompt": ["the", "a"], "n": 2, "max_tokens": 50, "seed": 4, "echo": True}
    whole = ask(client, **body).json()
    *chunks, last = events(ask(client, **body, stream=True, stream_options={"include_usage": True}))
    assert last == "[DONE]"
    *chunks, ending = map(json.loads, chunks)
    assert ending["choices"] == []
    assert ending["usage"] == whole["usage"]
    assert all(chunk["usage"] is None for chunk in chunks)
    assert len({chunk["id"] for chunk in [*chunks, ending]}) == 1
    joined, reasons = [""] * 4, [None] * 4
    for chunk in chunks:
        (choice,) = chunk["choices"]
        assert reasons[choice["index"]] is None
        joined[choice["index"]] += choice["text"]
        reasons[choice["index"]] = choice["finish_reason"]
    assert joined == [choice["text"] for choice in whole["choices"]]
    assert reasons == ["length"] * 4


MATRIX = [  # method, path, headers, body, status
    ("GET", "/", {}, b"", 200),
    ("HEAD", "/", {}, b"", 200),
    ("GET", "/healthz", {}, b"", 200),
    ("GET", "/metrics", {}, b"", 200),
    ("GET", "/v1/models", {}, b"", 200),
    ("GET", "/v1/models/fox", {}, b"", 200),
    ("GET", "/v1/models/cat", {}, b"", 404),
    ("GET", "/v1/models/..%2f..%2fetc", {}, b"", 404),
    ("GET", "/nothing", {}, b"", 404),
    ("POST", "/", {}, b"{}", 405),
    ("POST", "/v1/models", {}, b"{}", 405),
    ("GET", "/attention", {}, b"", 405),
    ("POST", "/attention", {}, b'{"model": "fox", "source": "a", "text": "b"}', 400),  # which attends to nothing
    ("POST", "/attention", {}, b'{"model": "cat"}', 404),
    ("POST", "/attention", {"content-type": "text/plain"}, b"{}", 415),
    ("POST", "/attention", {}, b'"' * 60000, 400),
    *((method, "/v1/completions", {}, b"", 405) for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")),
    ("POST", "/v1/completions", {}, b'{"model": "fox", "max_tokens": 1}', 200),
    ("POST", "/v1/completions", {"content-type": "application/json; charset=utf-8"}, b'{"model": "fox"}', 200),
    *(
        ("POST", "/v1/completions", {"content-type": kind}, b'{"model": "fox"}', 415)
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "application/jsonp")
    ),
    ("POST", "/v1/completions", {"content-encoding": "gzip"}, b"{}", 415),
    ("POST", "/v1/completions", {}, b'{"prompt": "' + b"a" * BOUNDS.body + b'"}', 413),
    ("POST", "/v1/completions", {"content-length": "9" * 30}, b"{}", 413),
    ("POST", "/v1/completions", {"content-length": "-1"}, b"{}", 413),
    ("POST", "/v1/completions", {}, b"{" * 60000, 400),
    ("POST", "/v1/completions", {}, b"\xff\xfe", 400),
    ("POST", "/v1/completions", {"content-type": "application/json"}, b"", 400),
    ("POST", "/v1/completions", {}, b"[]", 400),
    ("POST", "/v1/completions", {}, b'{"max_tokens": 1}', 400),  # there are two models
    ("POST", "/v1/completions", {}, b'{"model": "cat"}', 404),
    ("POST", "/v1/completions", {}, b'{"model": "fox", "prompt": "\\ud800"}', 400),
    ("POST", "/v1/completions", {}, b'{"model": "fox", "prompt": "ZZZ"}', 400),
    ("POST", "/v1/completions", {}, b'{"model": "fox", "source": "the"}', 400),
    ("POST", "/v1/completions", {}, b'{"model": "fox", "stream": true, "prompt": "ZZZ"}', 400),
    ("POST", "/v1/completions", {}, b'{"model": "fox", "pattern": "("}', 400),
    ("POST", "/v1/completions", {}, b'{"model": "fox", "n": 7}', 400),
    ("POST", "/v1/completions", {}, b'{"model": "fox", "prompt": "%s"}' % (b"a" * 101), 400),
]


@pytest.mark.parametrize(("method", "path", "headers", "body", "status"), MATRIX)
def test_every_request_has_its_status_and_the_shape_of_the_protocol(served, method, path, headers, body, status):
    _, client = served
    headers = {**({"content-type": "application/json"} if body else {}), **headers}
    answer = client.request(method, path, headers=headers, content=body)
    assert answer.status_code == status, answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert not any(name.startswith("access-control") for name in answer.headers)
    if status >= 400 and method != "HEAD":
        error = answer.json()["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        assert error["message"].endswith(".")
        assert "\n" not in error["message"]


def test_who_may_not_ask_gets_nothing(served):
    _, client = served
    for headers, status in (
        ({"host": "evil.example"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"authorization": "Bearer no"}, 401),
    ):
        answer = client.post("/v1/completions", json={"model": "fox"}, headers=headers)
        assert answer.status_code == status
        assert answer.json()["error"]["type"]


def test_models_are_listed(served):
    _, client = served
    listed = client.get("/v1/models").json()
    assert [(model["id"], model["object"]) for model in listed["data"]] == [("fox", "model"), ("owl", "model")]
    assert client.get("/v1/models/owl").json() == listed["data"][1]


def test_a_page_may_do_what_it_says_and_is_framed_by_none(served):
    _, client = served
    answer = client.get("/")
    assert 'href="/pages/fox"' in answer.text
    assert TOKEN not in answer.text
    opener = client.get("/pages/fox", headers={"authorization": "Bearer no"})
    assert opener.status_code == 200
    assert len(opener.text) < 5_000  # and so nothing of the model
    page = client.get("/contents/fox")
    policy = page.headers["content-security-policy"]
    assert policy.endswith("; frame-ancestors 'none'")
    assert html.escape(policy.removesuffix("; frame-ancestors 'none'"), quote=False) in page.text
    assert re.findall(r"connect-src [^;]*", policy) == ["connect-src 'self'"]
    (script,) = re.findall(r"script-src ('sha256-[^']+')", policy)
    assert script in opener.headers["content-security-policy"]
    for place in ("pages", "contents"):
        assert client.get(f"/{place}/cat").status_code == 404
    assert client.get("/contents/fox", headers={"authorization": "Bearer no"}).status_code == 401


def test_names_are_no_markup():
    name = "<script>alert(1)</script>\"'&"
    page = first([name], "http://localhost:8000", needs_token=False, sources={})
    assert "<script" not in page.text
    assert "script-src" not in page.policy
    assert opener(name, of_model("")).text.count("<script") == 1


def test_what_is_full_says_so_and_has_room_again(served):
    _, client = served
    service = client.service
    assert service._turns.reserve(5)
    try:
        full = ask(client, n=4)
        assert full.status_code == 429
        assert full.headers["retry-after"] == "1"
        assert full.json()["error"]["code"] == "rate_limit_exceeded"
        assert ask(client, n=3).status_code == 200
    finally:
        service._turns.release(5)
    assert ask(client, n=4).status_code == 200
    assert service._turns.reserved == 0


def test_a_text_that_has_no_time_ends(served):
    _, client = served
    answer = ask(client, max_tokens=50, n=6, max_time=1e-9)
    assert answer.status_code == 503 or {each["finish_reason"] for each in answer.json()["choices"]} == {"length"}


def test_numbers_are_counted_and_no_text_is_told(served, caplog):
    _, client = served
    before = client.get("/metrics").text
    secret = "lazy dog over the fox"
    assert ask(client, prompt=secret).status_code == 200
    assert ask(client, prompt=secret + "ZQZ").status_code == 400
    after = client.get("/metrics").text
    assert before != after
    assert "tfgen_rows 0.0" in after
    assert secret not in after
    assert secret not in caplog.text


@pytest.mark.slow
def test_many_at_once_get_their_own_texts(served):
    found, client = served
    answers = {}

    def one(seed):
        body = {"prompt": "the", "seed": seed, "max_tokens": 50, "temperature": [0.7, 0.9][seed % 2]}
        while (answer := ask(client, **body)).status_code == 429:
            pass
        answers[seed] = texts(answer)[0]

    threads = [threading.Thread(target=one, args=[seed]) for seed in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, text in answers.items():
        expected = found["fox"].generate("the", length=50, seed=seed, temperature=[0.7, 0.9][seed % 2], echo=False)
        assert text == expected


def test_what_cannot_be_served_is_refused():
    for wrong in ({}, {"fox": 3}, {3: 4}, None):
        with pytest.raises(InputError):
            serving.application(wrong)
