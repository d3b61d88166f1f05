"""What the tests of prepared texts share: a cache of their own, small pieces, interruptions, ids of whole texts."""

import os
import subprocess
import sys

import pytest
from cli_support import ENVIRONMENT
from effort import share_of
from hypothesis import HealthCheck, settings

from tfgen.corpora import compressed, load_corpus, text_source
from tfgen.prepared import corpus, preparing
from tfgen.prepared.preparing import prepare_corpus
from tfgen.support import notes
from tfgen.vocabulary import counting, splitting
from tfgen.vocabulary.vocabulary import END, Vocabulary

LINES = "to be\nor not\n\nto be\n"
KEEPS_FOLDER = settings(max_examples=share_of(60), suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(name="folder", autouse=True)
def folder_fixture(tmp_path, monkeypatch):
    """An empty directory to work in, with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path


@pytest.fixture(name="small_pieces")
def small_pieces_fixture(monkeypatch):
    """Borders everywhere: between the bytes of a character, within words, lines, cells and references."""
    for module, name in ((compressed, "PIECE"), (splitting, "PIECE"), (text_source, "PIECE")):
        monkeypatch.setattr(module, name, 3)
    monkeypatch.setattr(counting, "_COUNTED_TOGETHER", 5)
    monkeypatch.setattr(corpus, "_PIECE", 4)
    monkeypatch.setattr(preparing, "_PIECE", 4)
    monkeypatch.setattr(notes, "_EVERY", 7)


def cache(folder):
    """Where prepared texts are kept."""
    return folder / "keras" / "tfgen" / "prepared"


def entries(folder):
    """The names of what is kept there."""
    return sorted(path.name for path in cache(folder).iterdir())


def joined(corpus, vocabulary):
    """All of a corpus as ids, from whole texts."""
    end = [END] if corpus.ends else []
    encoded = (vocabulary.encode(text, vocabulary.on_unknown).tolist() for text in corpus.documents)
    return [*end, *(i for text in encoded for i in [*text, *end])]


def stop_after(patch, pieces, error=KeyboardInterrupt, before=lambda: None):
    """Interrupt the reading of a text, by its pieces of all passes."""
    read, left = text_source.TextSource.pieces, iter(range(pieces))

    def until(text):
        for piece in read(text):
            if next(left, None) is None:
                before()
                raise error
            yield piece

    patch.setattr(text_source.TextSource, "pieces", until)


def process(program, *arguments):
    """Run a program in a process of its own, with the same cache."""
    environment = {**ENVIRONMENT, "KERAS_HOME": os.environ["KERAS_HOME"]}
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def check(source, split="character", **reading):
    """A text prepared is the text loaded."""
    loaded = load_corpus(source, **reading)
    found = prepare_corpus(source, split=split, **reading)
    assert found.summary() == loaded.summary()
    assert found.vocabulary == Vocabulary.from_corpus(loaded, split, 10_000 if split == "word" else None)
    assert found.ids.tolist() == joined(loaded, found.vocabulary)
    assert found.ids.dtype == found.vocabulary.id_type
    assert found.ends == loaded.ends
