"""Weights that are kept on the way of a run: few, evenly over what is learned, and seen on a page."""

import json
import math
import re

import numpy as np
import pytest
from cli_support import here_fixture  # noqa: F401 - a fixture

import tfgen
from tfgen import callbacks
from tfgen.networks import layers_of
from tfgen.page.assembling import chosen_epochs
from tfgen.portable.stored import read_weights
from tfgen.support import kept_epochs

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 60


def trained(directory, epochs, **options):
    vocabulary = tfgen.Vocabulary.from_texts([TEXT])
    generator = tfgen.TextGenerator.build(vocabulary, cell="rnn", units=4, batch_size=2, seed=1)
    train, _ = tfgen.datasets.streams(tfgen.Corpus.from_texts([TEXT]), vocabulary, batch_size=2, length=16)
    generator.compile("adam", "sparse_categorical_crossentropy")
    weights = [generator.network.get_weights()]
    seen = callbacks.KeepEpochs(directory)
    generator.fit(train, epochs=epochs, callbacks=[seen], verbose=0, **options)
    return generator, len(train), weights


@pytest.mark.slow
def test_they_lie_evenly_on_what_is_learned(tmp_path):
    directory = tmp_path / "fox.epochs"
    generator, batches, (first,) = trained(directory, 5)
    found = kept_epochs.found(directory)
    parts = [round(math.ceil(batches / part) / batches, 4) for part in (64, 16, 4)]
    assert [number for number, _ in found] == [0, *parts, 1, 2, 4]
    layers = layers_of(generator)
    kept = [[array for layer in read_weights(path, layers) for array in layer.arrays.values()] for _, path in found]
    for arrays, expected in zip(kept[0], first, strict=True):
        np.testing.assert_array_equal(arrays, expected)
    generator.network.load_weights(found[-1][1])
    for arrays, expected in zip(kept[-1], generator.network.get_weights(), strict=True):
        np.testing.assert_array_equal(arrays, expected)
    (directory / "mine").touch()
    trained(directory, 1)
    assert [number for number, _ in kept_epochs.found(directory)] == [0, *parts, 1]
    assert (directory / "mine").exists()


def test_a_page_has_few_of_them():
    for count in range(20):
        chosen = chosen_epochs(range(count), 1000, "int8")
        assert len(chosen) == min(count, 9)
        assert {0, count - 1} <= {*chosen} or not count
        assert chosen == sorted({*chosen})
    assert chosen_epochs(range(20), 3_000_000, "int8") == [0, 19]
    assert chosen_epochs(range(20), 9_000_000, "int8") == []


@pytest.mark.slow
def test_the_commands_keep_them_and_show_them(here, tmp_path):
    (tmp_path / "fox.txt").write_text(TEXT)
    call = ("train", "fox.txt", "--cell", "rnn", "--units", 4, "--epochs", 3, "--no-sample")
    here.done(*call, "--keep-epochs")
    assert [number for number, _ in kept_epochs.found(tmp_path / "fox.epochs")][-2:] == [1, 2]
    told = here.done("export", "fox.keras", "fox", "--format", "html")
    count = len(kept_epochs.found(tmp_path / "fox.epochs"))
    assert f"with {count} of {count} checkpoints of its training" in told
    page = (tmp_path / "fox.html").read_text()
    header = json.loads(re.search(r'id="model">(.*?)</script>', page)[1])
    assert header["epochs"][0] == 0
    assert page.count('class="epoch">') == len(header["epochs"]) == count
    assert "checkpoints" not in here.done("export", "fox.keras", "other", "--format", "html", "--no-epochs")
    assert "--no-epochs is for --format html" in here.refused("export", "fox.keras", "out", "--no-epochs")
    wrong = kept_epochs.place(tmp_path / "fox.epochs", 2)
    wrong.write_bytes(b"nothing")
    assert str(wrong.name) in here.refused("export", "fox.keras", "third", "--format", "html")
    here.done(*call, "--overwrite")  # a run that keeps none leaves none of another model
    assert not (tmp_path / "fox.epochs").exists()
