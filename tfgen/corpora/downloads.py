"""Texts fetched once, verified, and kept in the Keras cache (`~/.keras/tfgen`)."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import http.client
import pathlib
import sys
import tempfile
import types
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from tfgen.errors import InputError
from tfgen.support import atomic_files, cache
from tfgen.support.wording import shorten

_PATIENCE = 30.0  # seconds without a single byte before a download is given up
_PIECE = 1 << 16  # bytes
_LARGEST = 1 << 26  # bytes: far above each of these texts; more comes only from a server that is none of theirs


@dataclasses.dataclass(frozen=True)
class Download:
    """A file on the network, and what tells that it arrived whole."""

    file_name: str
    url: str
    sha256: str | None = None
    phrases: tuple[str, ...] = ()

    def fault(self, data: bytes) -> str:
        """Say what is wrong with the bytes that came; an empty string if nothing is."""
        if self.sha256 is not None:
            found = hashlib.sha256(data).hexdigest()
            return "" if found == self.sha256 else f"its SHA-256 is {found}, not {self.sha256}"
        missing = [phrase for phrase in self.phrases if phrase.encode() not in data]
        return f"it does not hold {missing[0]!r}" if missing else ""


DOWNLOADS = types.MappingProxyType(
    {
        "shakespeare": Download(
            "shakespeare.txt",
            "https://storage.googleapis.com/download.tensorflow.org/data/shakespeare.txt",
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        ),
        # Project Gutenberg corrects its texts from time to time, so no hash holds for long. These phrases, from the
        # beginning and the end, tell a whole book from half of one and from a page that says "not found". They do not
        # prove whose text it is: the corpus' own SHA-256, kept with every model, says which one was learned.
        "alice": Download(
            "alice.txt",
            "https://www.gutenberg.org/files/11/11-0.txt",
            phrases=("PROJECT GUTENBERG EBOOK ALICE", "THE MILLENNIUM FULCRUM EDITION", "*** END OF TH"),
        ),
        # Published without a hash; verified by its first and last words, as above.
        "nietzsche": Download(
            "nietzsche.txt",
            "https://s3.amazonaws.com/text-datasets/nietzsche.txt",
            phrases=("SUPPOSING that Truth is a woman", "the indications of sinfulness."),
        ),
        # The 7,600 items of the test set; the same bytes have the MD5 that torchtext checks.
        "ag-news": Download(
            "ag_news_test.csv",
            "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/test.csv",
            sha256="521465c2428ed7f02f8d6db6ffdd4b5447c1c701962353eb2c40d548c3c85699",
        ),
    }
)


def fetch(name: str) -> bytes:
    """Give the verified bytes of a download, from the cache if it was fetched before.

    Nothing of the process is touched: its time limits, streams and signals are as they were.

    Args:
        name: A key of `DOWNLOADS`.

    Returns:
        The file's bytes.

    Raises:
        InputError: It could not be fetched or kept, or what came is not what it should be. No file is left behind.
    """
    download = DOWNLOADS[name]
    for directory in _directories():
        path = directory / download.file_name
        with contextlib.suppress(OSError):
            # What is faulty may be half of what an earlier version was downloading when it was killed: it is replaced.
            if not download.fault(data := path.read_bytes()):
                return data
        if _can_be_written(path):  # else on to temporary files, which others may have put there, only where one must
            with _progress(name) as show:
                return _fetched(name, download, path, show)
    directories = " or ".join(repr(str(directory)) for directory in _directories())
    raise InputError(f"{name!r} cannot be kept in {directories}; set KERAS_HOME to one that can be written.")


def _directories() -> Iterator[pathlib.Path]:
    with contextlib.suppress(InputError):  # this user has no home
        yield cache.directory()
    yield cache.fallback()


def _can_be_written(path: pathlib.Path) -> bool:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError:
        return False
    return True


Show = Callable[[int, int | None], None]  # takes how many bytes have come, and of how many, if that is known


def _fetched(name: str, download: Download, path: pathlib.Path, show: Show) -> bytes:
    try:
        with atomic_files.file(path) as new:
            with new.open("wb") as file:
                file.writelines(_received(name, download, show))
            data = new.read_bytes()
            if fault := download.fault(data):
                raise InputError(
                    f"{name!r}: what {download.url} gave is not the expected file: {fault}; {_way_forward()}"
                )
            return data
    except OSError as error:  # those of the network have become others
        raise InputError(f"{name!r} cannot be kept as {str(path)!r}: {error.strerror or error}; make room.") from error


def _received(name: str, download: Download, show: Show) -> Iterator[bytes]:
    """Yield what the server sends, as it comes."""
    try:
        with urllib.request.urlopen(download.url, timeout=_PATIENCE) as response:
            expected, received = getattr(response, "length", None), 0
            while piece := response.read1(_PIECE):
                received += len(piece)
                if received > _LARGEST:
                    raise http.client.HTTPException(f"it is larger than {_LARGEST:,} bytes")
                show(received, expected)
                yield piece
            if expected is not None and received < expected:
                raise http.client.HTTPException(f"it ended after {received:,} of {expected:,} bytes")
    except (OSError, http.client.HTTPException, ValueError) as error:  # a redirection may lead to what is no URL
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it is an answer too
        reason = shorten(_printable(" ".join(_reason(error).split())), 200)
        raise InputError(
            f"{name!r} could not be downloaded from {download.url} ({reason}); {_way_forward()}"
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP status {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError):
        error = error.reason if isinstance(error.reason, Exception) else error
    if isinstance(error, TimeoutError):
        return f"no answer within {_PATIENCE:g} seconds"
    return str(error) or type(error).__name__


def _printable(text: str) -> str:
    """Replace what would command a terminal: the text may be the server's."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _way_forward() -> str:
    return (
        "download it by hand and give the file's path, or take 'python-docs' or 'unicode-names', which need no network."
    )


@contextlib.contextmanager
def _progress(name: str) -> Iterator[Show]:
    """Show a bar on standard error, if that is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda received, expected: None
        return
    from rich import progress
    from rich.console import Console

    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), progress.DownloadColumn())
    # It would put itself in the place of the standard streams, which other threads may be writing to.
    alone: dict[str, Any] = {"redirect_stdout": False, "redirect_stderr": False}
    with progress.Progress(*columns, console=Console(stderr=True), transient=True, **alone) as bar:
        task = bar.add_task(f"downloading {name}", total=None)
        yield lambda received, expected: bar.update(task, completed=received, total=expected)
