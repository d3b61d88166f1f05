"""What a request of the completions protocol says: each field, and everything that is none."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfgen.serving.bounds import Bounds
from tfgen.serving.protocol import _FIELDS, _NOTHING, Asked, Looked, asked, looked, parsed
from tfgen.serving.refusals import Refused, as_json

BOUNDS = Bounds()
PLAIN = {"temperature": 0.5, "top_k": 5, "top_p": 0.9, "min_p": 0.1, "typical_p": 0.8, "repetition_penalty": 1.1}

# A field, a value that is refused, and what the refusal is about if it is another field.
WRONG = [
    *(("prompt", value) for value in (3, [], [3], {}, [["a"]], True, "a\0b", "a\x03b", "a\ud800b", ["a"] * 17)),
    *(("max_tokens", value) for value in (-1, 4097, 1.5, "3", True, 10**30)),
    *(("n", value) for value in (0, 17, 1.0, "1")),
    *(("temperature", value) for value in (-0.1, "1", True, [1], 1e999)),
    *(("top_p", value) for value in (0, 1.1, -1, "1")),
    *(("top_k", value) for value in (-1, 1.5, 2**40, "1", False)),
    *(("min_p", value) for value in (-0.1, 1.1)),
    *(("typical_p", value) for value in (0, 1.5)),
    *(("repetition_penalty", value) for value in (0, -1, 10**400)),
    *((f"{kind}_penalty", value) for kind in ("frequency", "presence") for value in ("1", 101, True)),
    *(("seed", value) for value in (1.5, "1", 2**63, True)),
    *(("stop", value) for value in ("", [""], 3, ["a"] * 17, [3], [])),
    *(("logprobs", value) for value in (-1, 11, True, "1")),
    *(("drawn", value) for value in (-1, 2**31, 1.5, "1", True)),
    *((name, value) for name in ("echo", "stream") for value in (1, "true", [])),
    *(("stream_options", value) for value in (3, {"include_usage": 1}, {})),
    *(("pattern", value) for value in (3, "a" * 1001, "a\0")),
    *(("source", value) for value in (3, [], ["a", 3], "a\x03")),
    *(("unknown", value) for value in (3, "nothing")),
    *(("max_time", value) for value in (0, -1, 61, "1")),
    *(("model", value) for value in (3, ["a"])),
    *(("best_of", 2), ("suffix", "x"), ("logit_bias", {"1": 2}), ("nonsense", 1), ("messages", [])),
]


def read(**body):
    return asked(body, BOUNDS)


def test_what_is_left_out_is_as_the_protocol_says():
    nothing = read()
    assert nothing == Asked(None, ("",), 1, 16, None, (), (), None, False, False, False, None, "error", 0, 60.0)
    assert asked(dict.fromkeys(_FIELDS), BOUNDS) == nothing


def test_all_that_can_be_asked_for():
    body = {
        "model": "fox", "prompt": ["a", "b"], "n": 3, "max_tokens": 9, "seed": -4, "stop": "x", "logprobs": None,
        "echo": True, "stream": True, "stream_options": {"include_usage": True}, "user": "me", "pattern": "a+",
        "source": ["s", "t"], "unknown": "skip", "drawn": 7, "max_time": 2,
        "frequency_penalty": 0.5, "presence_penalty": -0.5,
        "best_of": 1, "suffix": "", "logit_bias": {}, **PLAIN,
    }  # fmt: skip
    request = read(**body)
    settings = {"pattern": "a+", "frequency_penalty": 0.5, "presence_penalty": -0.5, **PLAIN}
    assert request == Asked(
        "fox", ("a", "b"), 3, 9, -4, ("x",), request.settings, None, True, True, True, ["s", "t"], "skip", 7, 2.0
    )
    assert dict(request.settings) == settings
    # The order in which settings are written does not make another batch.
    assert read(**dict(reversed(body.items()))).settings == request.settings


def test_what_does_nothing_makes_no_other_batch():
    assert read(**_NOTHING).settings == ()
    assert read(**{name: float(value) for name, value in _NOTHING.items() if name != "top_k"}).settings == ()


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_what_is_wrong_is_named(name, value):
    with pytest.raises(Refused) as refused:
        read(**{name: value})
    error = refused.value
    assert error.status == 400
    assert error.message.endswith(".")
    assert "\n" not in error.message
    assert len(error.message) < 300
    assert error.param == ("n" if name == "prompt" and value == ["a"] * 17 else name)
    json.loads(as_json(error.body()))


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 60000, b"nan", b'{"a": NaN}', b"\xff", b"1" * 60000, b'{"a": 1}}'])
def test_what_is_no_json_is_refused(body):
    with pytest.raises(Refused):
        parsed(body)


@pytest.mark.parametrize("body", [[], 3, "text", None, True])
def test_what_is_no_object_is_refused(body):
    with pytest.raises(Refused):
        asked(body, BOUNDS)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(_FIELDS)), VALUES, max_size=5))
def test_nothing_is_an_error_of_ours(body):
    with contextlib.suppress(Refused):
        request = asked(body, BOUNDS)
        assert hash(request.settings) is not None
        assert 1 <= request.texts <= BOUNDS.texts


def test_echo_has_numbers_where_nothing_is_written():
    with pytest.raises(Refused, match="echo"):
        read(echo=True, logprobs=2)
    assert read(echo=True, logprobs=2, max_tokens=0).scores
    assert not read(echo=True).scores


@pytest.mark.parametrize(
    "body",
    [
        {"logprobs": 0},
        {"echo": True},
        {"echo": True, "logprobs": 0, "n": 2},
        {"echo": True, "logprobs": 0, "stop": "a"},
        {"echo": True, "logprobs": 0, "stream": True},
        {"echo": True, "logprobs": 0, "top_k": 3},
    ],
)
def test_a_score_takes_nothing_that_it_has_no_use_for(body):
    with pytest.raises(Refused, match="max_tokens=0"):
        read(max_tokens=0, **body)


def test_what_a_text_attended_to_is_asked_for_by_name():
    asked_for = looked({"model": "a", "source": "s", "text": "t"}, BOUNDS)
    assert asked_for == Looked("a", "s", "", "t", "error")
    for wrong in ([], {"source": 3}, {"text": "a\0"}, {"more": 1}, {"unknown": "no"}, {"text": "a" * 8193}):
        with pytest.raises(Refused):
            looked(wrong, BOUNDS)
