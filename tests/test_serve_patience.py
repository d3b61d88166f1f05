"""Clients that take too long: headers a byte now and then, nothing at all, and answers that nobody reads."""

import asyncio
import contextlib
import importlib.util
import socket
import threading
import time

import pytest

if importlib.util.find_spec("uvicorn") is None:
    pytest.skip("packages of '.[serve]' are not installed", allow_module_level=True)

import uvicorn

from tfgen.serving.patience import patient

ASKING, ANSWERING = 0.3, 0.6
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def app(scope, receive, send):
    if scope["path"] == "/slow":
        await asyncio.sleep(2 * ASKING + 0.1 if scope["method"] == "GET" else 9)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(name="address", scope="module")
def address_fixture():
    http = patient(answering=ANSWERING + ASKING, asking=ASKING)
    server = uvicorn.Server(uvicorn.Config(app, http=http, ws="none", lifespan="off", log_config=None))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    yield listener.getsockname()
    server.should_exit = True
    thread.join()


def heard(address, pieces, every=0.05):
    """What a client hears that sends pieces, and how long it was connected."""
    begun, told = time.monotonic(), b""
    with socket.create_connection(address, timeout=5) as client, contextlib.suppress(OSError):
        for piece in pieces:
            client.sendall(piece)
            client.settimeout(every)
            with contextlib.suppress(TimeoutError):
                while answer := client.recv(1000):
                    told += answer
        client.settimeout(5)
        while answer := client.recv(1000):
            told += answer
    return told, time.monotonic() - begun


def test_who_asks_too_slowly_is_left(address):
    drops = [bytes([byte]) for byte in REQUEST[:-2] + b"X-More: " + b"a" * 100]
    for pieces in ([b""], drops, [REQUEST, *drops[1:]]):
        told, seconds = heard(address, pieces)
        assert told.count(b"HTTP/1.1 200") == (pieces[0] == REQUEST)
        assert seconds < 5


def test_who_is_quick_is_answered_however_long_that_takes(address):
    ending = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    assert heard(address, [ending])[0].endswith(b"ok")
    assert heard(address, [ending.replace(b"/ ", b"/slow ")])[0].endswith(b"ok")
    several = [REQUEST, REQUEST, ending]
    assert heard(address, several, every=ASKING / 3)[0].count(b"ok") == 3


def test_an_answer_that_takes_for_ever_is_cut(address):
    told, seconds = heard(address, [b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"])
    assert told == b""
    assert seconds < 5
