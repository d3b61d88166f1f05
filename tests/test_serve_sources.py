"""The server in this process, for a model that writes from a text: sources as Python takes them, or a reason."""

import html
import importlib.util
import json
import re

import pytest

if not all(map(importlib.util.find_spec, ("starlette", "prometheus_client"))) or not any(
    map(importlib.util.find_spec, ("httpx2", "httpx"))
):
    pytest.skip("packages of '.[serve]', or httpx2, are not installed", allow_module_level=True)

from starlette.testclient import TestClient

from tfgen import InputError, TextGenerator, Vocabulary, networks, serving
from tfgen.serving.service import Service

BOUNDS = serving.Bounds(rows=8, texts=6, prompt=100, length=200, seconds=20)


def turned():
    """Writes from a text, and attends to it."""
    letters = Vocabulary.from_texts(["abcde"], ends=True)
    encoder = networks.text_encoder(letters, cell="rnn", units=4, embedding=3, seed=1)
    generator = TextGenerator.build(letters, cell="rnn", units=5, encoder=encoder, attention=True, seed=1)
    generator.network.set_weights([3 * weight for weight in generator.network.get_weights()])
    return generator


@pytest.fixture(name="served", scope="module")
def served_fixture():
    """The model, and what asks its server."""
    model = turned()
    service = Service({"turned": model}, BOUNDS, needs_token=False)
    with TestClient(service.app, base_url="http://localhost:8000", raise_server_exceptions=False) as client:
        kind = {"content-type": "application/json"}
        yield model, lambda **body: client.post("/v1/completions", content=json.dumps(body), headers=kind), client


def texts(answer):
    assert answer.status_code == 200, answer.text
    return [choice["text"] for choice in answer.json()["choices"]]


@pytest.mark.slow
def test_what_is_written_from_sources_is_what_python_writes(served):
    model, ask, _ = served
    # The first request of a kind is prepared with a source of its own, which may hold what the model lacks.
    answer = ask(source="aZb", unknown="skip", seed=2)
    assert texts(answer) == [model.generate(source="ab", length=16, seed=2)]
    sources = ["abc", "", "edcba"]
    asked = {"source": sources, "max_tokens": 20, "n": 2, "seed": 5}
    written = model.generate(source=sources, length=20, n=2, seed=5)
    assert texts(ask(**asked)) == [text for of_source in written for text in of_source]
    written = model.generate("ab", source=sources, length=20, seed=5)
    assert texts(ask(**{**asked, "n": 1}, prompt="ab", echo=True)) == written
    written = model.generate(["a", "b", ""], source=sources, length=20, seed=5, echo=False)
    assert texts(ask(**{**asked, "n": 1}, prompt=["a", "b", ""])) == written
    written = model.generate(["a", "b"], source="cd", length=20, seed=5, echo=False)
    assert texts(ask(source="cd", prompt=["a", "b"], max_tokens=20, seed=5)) == written
    *lines, last = ask(**asked, stream=True).text.split("\n\n")[:-1]
    assert last == "data: [DONE]"
    joined = [""] * 6
    for line in lines:
        (choice,) = json.loads(line.removeprefix("data: "))["choices"]
        joined[choice["index"]] += choice["text"]
    assert joined == texts(ask(**asked))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "this model writes from a source, "),
        ({"prompt": "ab"}, "received none."),
        ({"source": ["a", "b"], "prompt": ["a", "b", "c"]}, "received 2 sources for 3 texts."),
        ({"source": "abZ"}, "'Z' (U+005A)"),
        ({"source": ["a", "bZ"], "stream": True}, "'Z' (U+005A)"),
        ({"source": []}, "source must be a text, or a list of texts"),
        ({"source": [["a"]]}, "source must be a text; received"),
        ({"source": {"a": 1}}, "source must be a text, or a list of texts"),
        ({"source": "a\x03"}, "U+0003"),
        ({"source": "\ud800"}, "surrogate"),
        ({"source": "a" * 101}, "sources may have 100 characters together."),
        ({"source": ["a"] * 7}, "a request may ask for 6 texts; received 7 sources times n=1."),
    ],
)
def test_a_source_that_does_not_fit_is_refused_in_one_line(served, body, said):
    _, ask, _ = served
    answer = ask(**body)
    assert answer.status_code == 400, answer.text
    message = answer.json()["error"]["message"]
    assert said in message
    assert message.endswith(".")
    assert "\n" not in message


@pytest.mark.slow
def test_what_the_first_page_shows_is_answered(served):
    _, ask, client = served
    (shown,) = re.findall(r"-d '(\{.*\})'", html.unescape(client.get("/").text))
    assert len(texts(ask(**json.loads(shown)))) == 1


def test_a_model_of_pictures_is_refused_before_it_is_served():
    import keras

    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    generator = TextGenerator.build(Vocabulary.from_texts(["ab"]), cell="rnn", units=2, encoder=encoder)
    with pytest.raises(InputError, match="'seen' writes from a source that is no text, which no request can hold"):
        Service({"seen": generator}, BOUNDS, needs_token=False)
