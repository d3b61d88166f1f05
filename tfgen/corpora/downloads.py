"""Texts fetched once, verified, and kept in the Keras cache (`~/.keras/tfgen`)."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import pathlib
import socket
import sys
import types
from collections.abc import Iterator

from tfgen.corpora.files import read_file
from tfgen.errors import InputError
from tfgen.support import atomic_files

_PATIENCE = 30  # seconds without a single byte before a download is given up


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

    Args:
        name: A key of `DOWNLOADS`.

    Returns:
        The file's bytes.

    Raises:
        InputError: It could not be fetched, or what came is not what it should be. No file is left behind.
    """
    download = DOWNLOADS[name]
    try:
        # Keras reports progress on standard output, which belongs to the text that a command writes.
        with contextlib.redirect_stdout(sys.stderr), _network_patience():
            return _fetch(download, name)
    except InputError:
        raise
    except Exception as error:  # get_file raises bare Exceptions, and whatever the network raises below it
        reason = " ".join(str(error.__context__ or error).split())
        raise InputError(
            f"{name!r} could not be downloaded from {download.url} ({reason}); {_way_forward()}"
        ) from error


def _fetch(download: Download, name: str) -> bytes:
    import keras  # several seconds, and only a download needs it

    # Keras does not say where its cache is, but gives the path of what is there, and the directory itself is.
    path = pathlib.Path(keras.utils.get_file(".", download.url, cache_subdir="tfgen")) / download.file_name
    if path.exists() and not download.fault(data := read_file(path)):
        return data
    # What is faulty may be half of what an earlier version was downloading when it was killed: it is replaced.
    with atomic_files.file(path) as new:
        keras.utils.get_file(new.name, download.url, cache_dir=str(new.parent), cache_subdir="")
        data = new.read_bytes()
        if fault := download.fault(data):
            raise InputError(f"{name!r}: what {download.url} gave is not the expected file: {fault}; {_way_forward()}")
    return data


def _way_forward() -> str:
    return (
        "download it by hand and give the file's path, or take 'python-docs' or 'unicode-names', which need no network"
    )


@contextlib.contextmanager
def _network_patience() -> Iterator[None]:
    """Let a silent network fail instead of hanging; `get_file` offers no timeout of its own."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_PATIENCE if before is None else before)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
