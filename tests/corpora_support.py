"""What the tests of corpora share: every text, and what loading says when it refuses."""

import pathlib
import tempfile

import pytest
from hypothesis import strategies as st

from tfgen.corpora import Corpus, load_corpus
from tfgen.errors import InputError

SHARED = pathlib.Path(__file__).parents[2] / "shared" / "data"

# All of Unicode that can be learned: no surrogates, no NUL, no END OF TEXT.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\x03"))


def load_bytes(data: bytes, name: str = "corpus.txt", **options) -> Corpus:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, name)
        path.write_bytes(data)
        return load_corpus(path, **options)


def refusal(*args, **options) -> str:
    """The message of the error, which must be one line."""
    with pytest.raises(InputError) as caught:
        load_corpus(*args, **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    return message


def refusal_of_bytes(data: bytes, name: str = "corpus.txt", **options) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, name)
        path.write_bytes(data)
        message = refusal(path, **options)
        assert name in message
        return message


def shared_file(name: str) -> pathlib.Path:
    """A text kept beside the checkout; the test is skipped where it is not."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not beside the checkout")
    return path
