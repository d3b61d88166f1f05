"""The server in this process, for a model that writes from a text: sources as Python takes them, or a reason."""

import contextlib
import html
import importlib.util
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serve_support import seen

if not all(map(importlib.util.find_spec, ("starlette", "prometheus_client"))) or not any(
    map(importlib.util.find_spec, ("httpx2", "httpx"))
):
    pytest.skip("packages of '.[serve]', or httpx2, are not installed", allow_module_level=True)

from starlette.testclient import TestClient

from tfgen import InputError, TextGenerator, Vocabulary, networks, serving
from tfgen.serving.pictures import picture
from tfgen.serving.service import Service

BOUNDS = serving.Bounds(rows=8, texts=6, prompt=100, length=200, seconds=20)
FINITE = st.one_of(st.floats(-1e30, 1e30), st.integers(-(2**70), 2**70))


def turned():
    """Writes from a text, and attends to it."""
    letters = Vocabulary.from_texts(["abcde"], ends=True)
    encoder = networks.text_encoder(letters, cell="rnn", units=4, embedding=3, seed=1)
    generator = TextGenerator.build(letters, cell="rnn", units=5, encoder=encoder, attention=True, seed=1)
    generator.network.set_weights([3 * weight for weight in generator.network.get_weights()])
    return generator


@contextlib.contextmanager
def serving(name, model):
    """Give what sends a server of one model a request, as text, and a client of all else."""
    service = Service({name: model}, BOUNDS, needs_token=False)
    with TestClient(service.app, base_url="http://localhost:8000", raise_server_exceptions=False) as client:
        kind = {"content-type": "application/json"}
        yield lambda body: client.post("/v1/completions", content=body, headers=kind), client


@pytest.fixture(name="served", scope="module")
def served_fixture():
    """The model, and what asks its server."""
    model = turned()
    with serving("turned", model) as (send, client):
        yield model, lambda **body: send(json.dumps(body)), client


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
        ({"source": [[0.5]]}, "source must be a text; received"),
        ({"source": [3]}, "source must be a text; received"),
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


@pytest.fixture(name="drawn", scope="module")
def drawn_fixture():
    """A model of pictures, and what asks its server."""
    model = seen()
    with serving("seen", model) as (send, client):
        yield model, send, client


@pytest.mark.slow
def test_what_is_written_from_a_picture_is_what_python_writes(drawn):
    model, ask, client = drawn
    picture = np.random.default_rng(1).random((24, 24)).round(2)
    array = picture.astype(np.float32)[..., np.newaxis]
    written = model.generate(source=array, length=9, temperature=0)
    assert written != model.generate(source=1 - array, length=9, temperature=0)
    for sent in (picture, picture[..., np.newaxis]):
        body = json.dumps({"source": sent.tolist(), "max_tokens": 9, "temperature": 0})
        assert texts(ask(body)) == [written]
    body = json.dumps({"source": picture.tolist(), "prompt": ["a", ""], "max_tokens": 9, "seed": 3, "n": 2})
    several = model.generate(["a", ""], source=np.stack([array] * 2), length=9, seed=3, n=2, echo=False)
    assert texts(ask(body)) == [text for of_prompt in several for text in of_prompt]
    body = {"source": picture.tolist(), "prompt": "ab", "max_tokens": 0, "echo": True, "logprobs": 0}
    scored = ask(json.dumps(body)).json()["choices"][0]["logprobs"]["token_logprobs"]
    assert sum(scored) == pytest.approx(-model.score("ab", source=array).nats, abs=1e-4)
    assert '"picture": [24, 24]' in client.get("/pages/seen").text
    assert '"attends": false' in client.get("/pages/seen").text


PICTURE = [[0.5] * 24] * 24


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (PICTURE[1:], "received numbers of shape (23, 24)."),
        ([PICTURE] * 2, "received numbers of shape (2, 24, 24)."),
        ([[[0.5] * 2] * 24] * 24, "received numbers of shape (24, 24, 2)."),
        ([0.5] * 576, "received numbers of shape (576,)."),
        ([*PICTURE[1:], [0.5]], "received rows of several lengths in it."),
        ([*PICTURE[1:], ["NaN", *[0.5] * 23]], "received 'NaN' in it."),
        ([["NaN"] * 24] * 24, "received 'NaN' in it."),
        ([*PICTURE[1:], [True] * 24], "received True in it."),
        ([*PICTURE[1:], [None] * 24], "received None in it."),
        ([*PICTURE[1:], [10**39] * 24], f"received {10**39} in it."),
        ("e", "received 'e'."),
        (["e", "f"], "received 'e' in it."),
    ],
)
def test_a_picture_that_does_not_fit_is_refused_in_one_line(source, said):
    with pytest.raises(InputError) as error:
        picture(source, (24, 24, 1))
    expected = "source must be a picture, nested lists of 24 rows of 24 finite numbers; "
    assert str(error.value) == expected + said


@given(
    st.integers(1, 5).flatmap(lambda width: st.lists(st.lists(FINITE, min_size=width, max_size=width), min_size=1)),
    st.booleans(),
    st.booleans(),
)
def test_a_picture_is_the_array_of_its_numbers(rows, deep, given_deep):
    shape = (len(rows), len(rows[0]), *[1] * deep)
    value = [[[number] for number in row] for row in rows] if given_deep else rows
    found = picture(value, shape)
    assert found.dtype == np.float32
    assert np.array_equal(found, np.array(rows, np.float32).reshape(shape))


@pytest.mark.slow
def test_what_is_wrong_with_a_picture_is_said_in_the_shape_of_the_protocol(drawn):
    _, ask, _ = drawn
    for body in (json.dumps({"source": PICTURE[1:]}), json.dumps({"source": [PICTURE] * 2}), '{"source": [[1e999]]}'):
        answer = ask(body)
        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "source"
        assert answer.json()["error"]["message"].startswith("source must be a picture, ")
    assert ask(json.dumps({"source": [[float("nan")]]})).json()["error"]["code"] == "invalid_json"
    assert "received none." in ask("{}").json()["error"]["message"]


def test_a_model_of_other_arrays_is_refused_before_it_is_served():
    import keras

    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    generator = TextGenerator.build(Vocabulary.from_texts(["ab"]), cell="rnn", units=2, encoder=encoder)
    with pytest.raises(
        InputError,
        match="'seen' writes from a source that is neither a text nor a small picture",
    ):
        Service({"seen": generator}, BOUNDS, needs_token=False)
