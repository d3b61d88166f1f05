"""Corpora that have names, with a network that works, lies, or is not there."""

import dataclasses
import functools
import http.server
import pathlib
import socket
import sys
import threading
import unicodedata

import pytest
from corpora_support import refusal, shared_file

from tfgen.corpora import NAMED_CORPORA, downloads, load_corpus
from tfgen.corpora.downloads import Download

ALICE = (
    "*** START OF THE PROJECT GUTENBERG EBOOK ALICE ***\n"
    "THE MILLENNIUM FULCRUM EDITION\nAlice.\n"
    "*** END OF THE PROJECT GUTENBERG EBOOK ALICE ***\n"
)


def test_names_are_described_in_a_line():
    assert {*NAMED_CORPORA} == {"python-docs", "unicode-names", "shakespeare", "alice", "nietzsche", "ag-news"}
    assert all("\n" not in text and len(text) < 100 for text in NAMED_CORPORA.values())


def test_python_docs_is_one_running_text():
    corpus = load_corpus("python-docs")
    assert (len(corpus.documents), corpus.ends, corpus.source) == (1, False, "python-docs")
    assert corpus.characters > 300_000
    assert 'The "while" statement\n*' in corpus.documents[0]


def test_python_docs_missing_from_this_python(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    assert "unicode-names" in refusal("python-docs")


def test_unicode_names_are_names_somebody_gave():
    corpus = load_corpus("unicode-names")
    names = {*corpus.documents}
    assert corpus.ends is True
    assert 25_000 < len(corpus.documents) < 35_000
    assert {"GREEK SMALL LETTER ALPHA", "SNOWMAN", "CUNEIFORM SIGN A", "HANGUL LETTER KIYEOK"} <= names
    assert not names & {"CJK UNIFIED IDEOGRAPH-4E00", "HANGUL SYLLABLE GA", "NUSHU CHARACTER-1B170"}
    assert all(unicodedata.lookup(name) for name in corpus.documents[::100])


class Server(http.server.ThreadingHTTPServer):
    """Answers every request with `body`, announcing `length` bytes of it."""

    body = b""
    length: int | None = None
    status = 200
    requests = 0


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(self.server.length or len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch) -> pathlib.Path:
    """An empty Keras cache, and no proxy between the test and its server."""
    import keras

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(keras.utils, "get_file", functools.partial(keras.utils.get_file, cache_dir=str(tmp_path)))
    return tmp_path / "tfgen"


@pytest.fixture
def at_server(server, cache, monkeypatch):
    """Have a corpus downloaded from the test's server."""

    def move(name: str, **changes) -> None:
        place(monkeypatch, name, url=f"http://127.0.0.1:{server.server_port}/{name}", **changes)

    return move


def place(monkeypatch, name: str, **changes) -> None:
    moved = {**downloads.DOWNLOADS, name: dataclasses.replace(downloads.DOWNLOADS[name], **changes)}
    monkeypatch.setattr(downloads, "DOWNLOADS", moved)


def test_a_download_is_made_once_and_says_so_beside_the_output(server, at_server, capsys):
    at_server("alice")
    server.body = ALICE.encode()
    assert load_corpus("alice").documents == (ALICE,)
    assert load_corpus("alice", strip_gutenberg=True, lines=True).documents[-1] == "Alice."
    assert server.requests == 1
    assert capsys.readouterr().out == ""


def test_of_two_downloads_at_once_neither_sees_half_of_the_other(server, at_server, cache, monkeypatch):
    import keras

    get_file, both = keras.utils.get_file, []

    def another_meanwhile(name, *args, **kwargs):
        path = get_file(name, *args, **kwargs)
        if server.requests == 1 and name != ".":
            assert not (cache / "alice.txt").exists()
            both.append(load_corpus("alice"))
        return path

    at_server("alice")
    server.body = ALICE.encode()
    monkeypatch.setattr(keras.utils, "get_file", another_meanwhile)
    both.append(load_corpus("alice"))
    assert [corpus.documents for corpus in both] == [(ALICE,)] * 2
    assert server.requests == 2
    assert [path.name for path in cache.iterdir()] == ["alice.txt"]


def test_ag_news_gives_titles_unescaped(server, at_server):
    server.body = b'"3","Rain doesn #39;t stop","..."\n"4","J amp;J","..."\n'
    at_server("ag-news", sha256=None)
    corpus = load_corpus("ag-news")
    assert corpus.documents == ("Rain doesn't stop", "J&J")
    assert corpus.ends is True


@pytest.mark.parametrize(
    ("name", "fact"),
    [("shakespeare", "SHA-256"), ("nietzsche", "does not hold 'SUPPOSING that"), ("ag-news", "SHA-256")],
)
def test_a_file_that_is_not_the_expected_one_is_refused_and_removed(name, fact, server, at_server, cache):
    at_server(name)
    server.body = b"<html>Sign in to the hotel's network</html>"
    message = refusal(name)
    assert fact in message
    assert "127.0.0.1" in message
    assert [*cache.iterdir()] == []


def test_half_a_file_in_the_cache_is_fetched_again(server, at_server, cache):
    cache.mkdir()
    (cache / "alice.txt").write_text(ALICE[:60])
    at_server("alice")
    server.body = ALICE.encode()
    assert load_corpus("alice").documents == (ALICE,)


@pytest.mark.parametrize("change", [{"status": 404}, {"length": 10_000}])
def test_a_download_that_fails_leaves_nothing_behind(change, server, at_server, cache):
    at_server("alice")
    server.body = ALICE.encode()
    for name, value in change.items():
        setattr(server, name, value)
    assert "could not be downloaded from http://127.0.0.1" in refusal("alice")
    assert [*cache.iterdir()] == []


def test_without_a_network_the_way_forward_is_named(cache, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/alice.txt"
        place(monkeypatch, "alice", url=url)
        message = refusal("alice")
    assert url in message
    assert "give the file's path" in message
    assert "'python-docs' or 'unicode-names'" in message
    assert [*cache.iterdir()] == []
    assert socket.getdefaulttimeout() is None


def test_what_is_verified_is_stated():
    """Every download has a hash or phrases from its beginning and end; none is taken on trust."""
    for download in downloads.DOWNLOADS.values():
        assert isinstance(download, Download)
        assert download.url.startswith("https://")
        assert (download.sha256 is not None and len(download.sha256) == 64) or len(download.phrases) >= 2


@pytest.mark.parametrize(
    ("name", "file"), [("shakespeare", "tinyshakespeare.txt"), ("ag-news", "ag_news_test.csv"), ("alice", "alice.txt")]
)
def test_known_copies_pass_the_check(name, file):
    path = shared_file(file)
    assert downloads.DOWNLOADS[name].fault(path.read_bytes()) == ""
