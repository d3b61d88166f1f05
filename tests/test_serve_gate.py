"""Who may ask a server: every combination of host, origin and token, and what every answer tells a browser."""

import contextlib
import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfgen.serving.gate import Gate

TOKEN = "a-token-of-20-letters"
HOSTS = {
    "localhost": True,
    "LOCALHOST:8000": True,
    "127.0.0.1:8000": True,
    "[::1]:8000": True,
    "localhost.": True,
    "evil.example": False,
    "evil.example:8000": False,
    "localhost.evil.example": False,
    "127.0.0.1.evil.example": False,
    "localhost:8000@evil.example": False,
    "192.168.1.5:8000": False,
    "0.0.0.0": False,
    "[::1]:x": False,
    "": False,
    None: False,
}
ORIGINS = {
    None: True,
    "http://{host}": True,
    "https://{host}": True,
    "http://evil.example": False,
    "null": False,
    "": False,
    "http://{host}.evil.example": False,
    "http://{host}:1": False,
}
TOKENS = {
    None: False,
    f"Bearer {TOKEN}": True,
    f"bearer {TOKEN}": True,
    f"Bearer {TOKEN}x": False,
    f"Bearer {TOKEN[:-1]}": False,
    "Bearer ": False,
    TOKEN: False,
    f"Basic {TOKEN}": False,
    "Bearer ä": False,
}


def ask(gate, headers, path="/v1/completions", method="POST", kind="http"):
    """The status, the headers and the body of an answer."""
    sent = []

    async def send(message):
        sent.append(message)

    encoded = [(name.encode(), value.encode()) for name, value in headers if value is not None]
    with contextlib.suppress(StopIteration):  # which ends what never waits
        gate({"type": kind, "path": path, "method": method, "headers": encoded}, None, send).send(None)
    return (sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]) if sent else None


async def inside(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"inside"})


@pytest.mark.parametrize("token", [None, TOKEN])
def test_each_combination_is_let_in_only_where_all_is_right(token):
    gate = Gate(inside, token=token)
    combinations = itertools.product(HOSTS.items(), ORIGINS.items(), TOKENS.items(), ("/", "/healthz", "/v1/models"))
    for (host, is_known), (origin, is_own), (given_token, is_right), path in combinations:
        own = origin and origin.format(host=host)
        status, headers, body = ask(gate, [("host", host), ("origin", own), ("authorization", given_token)], path)
        is_right = is_right or token is None or path != "/v1/models"
        expected = 421 if not is_known else 403 if not is_own else 401 if not is_right else 200
        assert status == expected, (host, own, given_token, path)
        assert (body == b"inside") == (expected == 200)
        if expected != 200:
            assert json.loads(body)["error"].keys() == {"message", "type", "param", "code"}
            assert TOKEN.encode() not in body
        assert headers[b"x-content-type-options"] == b"nosniff"
        assert headers[b"referrer-policy"] == b"no-referrer"
        assert b"default-src 'none'" in headers[b"content-security-policy"]
        assert not any(name.startswith(b"access-control") for name in headers)


def test_a_header_that_comes_twice_is_refused():
    gate = Gate(inside, token=TOKEN)
    right = [("host", "localhost"), ("authorization", f"Bearer {TOKEN}")]
    assert ask(gate, right)[0] == 200
    assert ask(gate, [*right, ("host", "localhost")])[0] == 421
    assert ask(gate, [*right, ("origin", "http://localhost"), ("origin", "http://localhost")])[0] == 403
    assert ask(gate, [*right, ("authorization", "Bearer x")])[0] == 401


def test_an_open_server_is_called_by_its_numbers_and_its_names():
    gate = Gate(inside, names=["localhost", "Box"], addresses=True)
    for host in ("10.1.2.3:8000", "[2001:db8::1]:80", "box", "BOX:8000"):
        assert ask(gate, [("host", host)])[0] == 200, host
    for host in ("evil.example", "10.1.2.3.evil.example", "10.1", "[box]"):
        assert ask(gate, [("host", host)])[0] == 421, host


@given(st.text(st.characters(codec="utf-8"), max_size=40).map(lambda text: f"Bearer {text}"))
def test_no_other_token_is_right(authorization):
    if authorization.removeprefix("Bearer ").strip() != TOKEN:
        gate = Gate(inside, token=TOKEN)
        assert ask(gate, [("host", "localhost"), ("authorization", authorization)])[0] == 401


def test_nothing_but_http_is_answered():
    assert ask(Gate(inside), [("host", "localhost")], kind="websocket") is None
