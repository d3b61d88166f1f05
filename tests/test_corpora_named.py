"""Corpora that have names, with a network that works, lies, or is not there."""

import contextlib
import dataclasses
import errno
import functools
import http.server
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unicodedata

import pytest
from corpora_support import refusal, shared_file
from faults_support import disk_fixture, fill, make_read_only  # noqa: F401 - one is a fixture

from tfgen.corpora import NAMED_CORPORA, downloads, load_corpus
from tfgen.corpora.downloads import Download
from tfgen.errors import InputError
from tfgen.prepared.preparing import prepare_corpus
from tfgen.support import atomic_files
from tfgen.support import cache as support_cache

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
    """Answers every request as `answer` does, by default with `body`."""

    body = b""
    requests = 0
    daemon_threads = True  # one that is silent ends with the test

    def answer(self, request: "Handler") -> None:
        request.begin(len(self.body))
        request.wfile.write(self.body)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
        with contextlib.suppress(OSError):  # whoever asked may have gone
            self.server.answer(self)

    def begin(self, length=None, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

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
    """An empty cache, and no proxy between the test and its server."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "keras" / "tfgen"


@pytest.fixture
def at_server(server, cache, monkeypatch):
    """Have a corpus downloaded from the test's server."""

    def move(name: str, **changes) -> None:
        place(monkeypatch, name, url=f"http://127.0.0.1:{server.server_port}/{name}", **changes)

    return move


@pytest.fixture
def alice(server, at_server):
    """The server has her."""
    at_server("alice")
    server.body = ALICE.encode()
    return server


def place(monkeypatch, name: str, **changes) -> None:
    moved = {**downloads.DOWNLOADS, name: dataclasses.replace(downloads.DOWNLOADS[name], **changes)}
    monkeypatch.setattr(downloads, "DOWNLOADS", moved)


def files_in(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_download_is_made_once_and_leaves_the_output_alone(alice, cache, capfd):
    assert load_corpus("alice").documents == (ALICE,)
    assert load_corpus("alice", strip_gutenberg=True, lines=True).documents[-1] == "Alice."
    assert alice.requests == 1
    assert capfd.readouterr() == ("", "")
    assert files_in(cache) == ["alice.txt"]


def test_a_download_touches_nothing_of_the_process(alice, monkeypatch):
    def state():
        return socket.getdefaulttimeout(), sys.stdout, sys.stderr, signal.getsignal(signal.SIGINT), pathlib.Path.cwd()

    before, during = state(), []
    monkeypatch.setattr(alice, "answer", lambda request: (during.append(state()), Server.answer(alice, request)))
    load_corpus("alice")
    assert (during, state()) == ([before], before)


PROGRAM = """
import dataclasses, sys
from tfgen.corpora import downloads, load_corpus
alice = dataclasses.replace(downloads.DOWNLOADS["alice"], url=sys.argv[1])
downloads.DOWNLOADS = {"alice": alice}
print(load_corpus("alice").characters, sorted({"keras", "tensorflow", "rich"} & {*sys.modules}))
"""


@pytest.mark.parametrize("on_a_terminal", [False, True])
def test_progress_is_shown_on_a_terminal_alone_and_no_framework_is_imported(alice, on_a_terminal):
    pty = pytest.importorskip("pty", reason="this system has no terminals of this kind")
    reader, writer = pty.openpty() if on_a_terminal else os.pipe()
    command = [sys.executable, "-c", PROGRAM, f"http://127.0.0.1:{alice.server_port}/"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with os.fdopen(writer, "wb") as stderr:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment, check=True)
        if not on_a_terminal:
            stderr.write(b"-")  # so that there is something to read
    with os.fdopen(reader, "rb", 0) as shown:
        text = shown.read(1 << 16).decode()
    assert done.stdout == f"{len(ALICE)} {['rich'] if on_a_terminal else []}\n"
    assert "downloading alice" in text if on_a_terminal else text == "-"


def test_of_two_downloads_at_once_neither_sees_half_of_the_other(alice, cache, monkeypatch):
    both = []

    def meanwhile(request):
        request.begin(len(alice.body))
        request.wfile.write(alice.body[:9])
        if alice.requests == 1:
            assert "alice.txt" not in files_in(cache)
            both.append(load_corpus("alice"))
            assert "alice.txt" in files_in(cache)
        request.wfile.write(alice.body[9:])

    monkeypatch.setattr(alice, "answer", meanwhile)
    both.append(load_corpus("alice"))
    assert [corpus.documents for corpus in both] == [(ALICE,)] * 2
    assert alice.requests == 2
    assert files_in(cache) == ["alice.txt"]


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
@pytest.mark.parametrize("body", [b"<html>Sign in to the hotel's network</html>", b""])
def test_a_file_that_is_not_the_expected_one_is_refused_and_removed(name, fact, body, server, at_server, cache):
    at_server(name)
    server.body = body
    message = refusal(name)
    assert fact in message
    assert "127.0.0.1" in message
    assert files_in(cache) == []


def test_half_a_file_in_the_cache_is_fetched_again(alice, cache):
    cache.mkdir(parents=True)
    (cache / "alice.txt").write_text(ALICE[:60])
    assert load_corpus("alice").documents == (ALICE,)


def slowly(server, request):
    """In pieces, with pauses that are shorter than the patience, and longer together."""
    request.begin(len(server.body))
    for begin in range(0, len(server.body), 7):
        request.wfile.write(server.body[begin : begin + 7])
        time.sleep(0.06)


def in_chunks(server, request):
    request.protocol_version = "HTTP/1.1"
    request.begin(Transfer_Encoding="chunked", Connection="close")
    for data in (server.body[:7], server.body[7:], b""):
        request.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


def elsewhere(server, request):
    if request.path == "/here":
        Server.answer(server, request)
    else:
        request.begin(status=302, Location="/here")


def without_length(server, request):
    request.begin()
    request.wfile.write(server.body)


@pytest.mark.parametrize("answer", [slowly, in_chunks, elsewhere, without_length])
def test_a_server_may_be_slow_answer_in_chunks_or_send_elsewhere(answer, alice, cache, monkeypatch):
    monkeypatch.setattr(downloads, "_PATIENCE", 1.0)
    monkeypatch.setattr(alice, "answer", functools.partial(answer, alice))
    assert load_corpus("alice").documents == (ALICE,)
    assert files_in(cache) == ["alice.txt"]


def silent(server, request):
    time.sleep(1)


def silent_after_a_while(server, request):
    request.begin(len(server.body))
    request.wfile.write(server.body[:50])
    time.sleep(1)


def cut_short(server, request):
    request.begin(10_000)
    request.wfile.write(server.body)


def chunks_cut_short(server, request):
    request.protocol_version = "HTTP/1.1"
    request.begin(Transfer_Encoding="chunked", Connection="close")
    request.wfile.write(b"fff\r\n" + server.body)


def without_end(server, request):
    request.begin()
    while True:
        request.wfile.write(b"x" * 100_000)


def no_http(server, request):
    request.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")


def in_circles(server, request):
    request.begin(status=302, Location=request.path)


def escape_in_status(server, request):
    request.wfile.write(b"HTTP/1.1 404 Not\x1b[2JFound\r\n\r\n")


def escape_without_http(server, request):
    request.wfile.write(b"SSH\x1b[2J\r\n")


def to_no_url(server, request):
    request.begin(status=302, Location="http://[/\x7f")


def status(code, server, request):
    request.begin(0, status=code)


WRONG = {
    silent: "no answer within 0.2 seconds",
    silent_after_a_while: "no answer within 0.2 seconds",
    cut_short: f"it ended after {len(ALICE)} of 10,000 bytes",
    chunks_cut_short: "IncompleteRead",
    without_end: "it is larger than 1,000,000 bytes",
    no_http: "SSH-2.0",
    in_circles: "redirect",
    to_no_url: "",
    escape_in_status: "HTTP status 404 Not\ufffd[2JFound",
    escape_without_http: "SSH\ufffd[2J",
    **{functools.partial(status, code): f"HTTP status {code}" for code in (403, 404, 429, 500, 503)},
}


@pytest.mark.parametrize(("answer", "fact"), WRONG.items())
def test_a_download_that_fails_is_one_line_and_leaves_nothing_behind(answer, fact, alice, cache, monkeypatch):
    monkeypatch.setattr(downloads, "_PATIENCE", 0.2)
    monkeypatch.setattr(downloads, "_LARGEST", 1_000_000)
    monkeypatch.setattr(alice, "answer", functools.partial(answer, alice))
    message = refusal("alice")
    assert "could not be downloaded from http://127.0.0.1" in message
    assert fact in message
    assert message.isprintable()
    assert files_in(cache) == []


def test_an_interruption_leaves_nothing_behind(alice, cache, monkeypatch):
    def interrupt(received, expected):
        raise KeyboardInterrupt

    monkeypatch.setattr(downloads, "_progress", lambda name: contextlib.nullcontext(interrupt))
    with pytest.raises(KeyboardInterrupt):
        load_corpus("alice")
    assert files_in(cache) == []


def test_a_cache_that_cannot_be_written_is_read_and_else_replaced_by_one_of_temporary_files(alice, cache, monkeypatch):
    cache.parent.mkdir()
    cache.write_text("a file stands in its place")
    assert load_corpus("alice").documents == load_corpus("alice").documents == (ALICE,)
    assert alice.requests == 1
    elsewhere = pathlib.Path(tempfile.gettempdir(), ".keras", "tfgen")
    assert files_in(elsewhere) == ["alice.txt"]

    monkeypatch.setattr(downloads, "_can_be_written", lambda path: False)
    assert load_corpus("alice").documents == (ALICE,)
    (elsewhere / "alice.txt").unlink()
    message = refusal("alice")
    assert f"cannot be kept in {str(cache)!r} or {str(elsewhere)!r}" in message
    assert "set KERAS_HOME" in message


def test_what_others_put_among_temporary_files_is_not_read_where_the_cache_can_be_written(alice, cache):
    elsewhere = pathlib.Path(tempfile.gettempdir(), ".keras", "tfgen")
    elsewhere.mkdir(parents=True)
    (elsewhere / "alice.txt").write_text(ALICE + "planted")
    assert load_corpus("alice").documents == (ALICE,)
    assert files_in(cache) == ["alice.txt"]


def test_a_disk_that_is_really_read_only_or_full(alice, disk, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(disk))
    (disk / "tfgen").mkdir()
    ballast = fill(disk)
    assert "No space left on device" in refusal("alice")
    assert files_in(disk / "tfgen") == []
    ballast.unlink()
    make_read_only(disk)
    assert load_corpus("alice").documents == (ALICE,)
    assert files_in(pathlib.Path(tempfile.gettempdir())) == ["alice.txt"]


def test_a_disk_that_is_full_is_named(alice, cache, monkeypatch):
    def full(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(atomic_files, "sync", full)
    assert re.search(r"'alice' cannot be kept as '.*alice.txt': No space left on device; make room\.", refusal("alice"))
    assert files_in(cache) == []


def test_the_cache_is_that_of_keras(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert support_cache.directory() == tmp_path / "tfgen"
    monkeypatch.setenv("HOME", str(tmp_path))
    for home in ("~/elsewhere", ""):  # an empty variable is as none
        monkeypatch.setenv("KERAS_HOME", home)
        assert support_cache.directory() == tmp_path / (home[2:] or ".keras") / "tfgen"
    monkeypatch.delenv("KERAS_HOME")
    assert support_cache.directory() == tmp_path / ".keras" / "tfgen"


def test_a_user_without_a_home_has_downloads_and_is_told_what_else_needs_one(alice, cache, monkeypatch):
    def homeless(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "expanduser", homeless)
    with pytest.raises(InputError, match="set KERAS_HOME to a directory"):
        support_cache.directory()
    assert load_corpus("alice").documents == (ALICE,)
    with pytest.raises(InputError, match="set KERAS_HOME to a directory"):
        prepare_corpus("alice")


def test_without_a_network_the_way_forward_is_named(cache, monkeypatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/alice.txt"
        place(monkeypatch, "alice", url=url)
        message = refusal("alice")
    assert url in message
    assert "Connection refused" in message
    assert "give the file's path" in message
    assert "'python-docs' or 'unicode-names'" in message
    assert files_in(cache) == []


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
