"""Texts that are in Python already, in the shapes of other libraries."""

import importlib

import numpy as np
import pytest

from tfgen.corpora import Corpus
from tfgen.errors import InputError

CELLS = ["Rain", None, "Sun", ""]


class NAType:
    """What pandas calls missing."""

    def __eq__(self, other):
        return self

    def __hash__(self):
        return 0

    def __bool__(self):
        raise TypeError("ambiguous")


class Scalar:
    def __init__(self, value):
        self.value = value

    def as_py(self):
        return self.value


class Dataset:
    """Columns by name and rows by number, as `datasets` has them."""

    column_names = ("id", "title")

    def __getitem__(self, key):
        return CELLS if key == "title" else [1, 2, 3, 4] if key == "id" else {"title": CELLS[key]}

    def __iter__(self):
        return ({"id": i, "title": cell} for i, cell in enumerate(CELLS))


@pytest.mark.parametrize(
    ("texts", "column"),
    [
        (CELLS, None),
        ([NAType(), "Rain", float("nan"), "Sun"], None),
        (map(Scalar, CELLS), None),
        (Dataset(), "title"),
        (iter(Dataset()), "title"),
        ({"id": [1], "title": CELLS}, "title"),
    ],
)
def test_missing_texts_are_left_out(texts, column):
    assert Corpus.from_texts(texts, column=column).documents == ("Rain", "Sun")


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_and_their_columns(library):
    pytest.importorskip(library, reason=f"{library} is not installed")
    frame = importlib.import_module(library).DataFrame({"id": [1, 2, 3, 4], "title": CELLS})
    assert Corpus.from_texts(frame["title"]).documents == ("Rain", "Sun")
    assert Corpus.from_texts(frame, column="title").documents == ("Rain", "Sun")


@pytest.mark.slow
def test_a_dataset_of_hugging_face():
    datasets = pytest.importorskip("datasets", reason="datasets is not installed")
    data = datasets.Dataset.from_dict({"id": [1, 2, 3, 4], "title": CELLS})
    for each in (data, iter(data), data.to_iterable_dataset()):
        assert Corpus.from_texts(each, column="title").documents == ("Rain", "Sun")
    assert Corpus.from_texts(data["title"]).documents == ("Rain", "Sun")


@pytest.mark.parametrize(
    ("texts", "column", "fact"),
    [
        (Dataset(), None, "a table of the columns 'id', 'title'; name one (column=)"),
        (Dataset(), "headline", "there is no 'headline'"),
        (iter(Dataset()), None, "rows of the columns 'id', 'title'; name one"),
        (["a"], "title", "row 1 is 'a'; omit column="),
    ],
)
def test_a_table_asks_for_its_column(texts, column, fact):
    with pytest.raises(InputError) as caught:
        Corpus.from_texts(texts, column=column)
    assert fact in str(caught.value)


def test_what_is_left_out_is_counted():
    assert Corpus.from_texts(CELLS).noticed == {"blank_rows": 2}
    assert Corpus.from_texts(["Rain", "Sun"]).noticed == {}


def test_a_path_of_keys_leads_into_rows_as_in_json():
    rows = [{"a": {"b": "Rain"}}, {"a": None}, {"a": {"b": None}}, {}, {"a.b": "Sun"}]
    corpus = Corpus.from_texts(rows, column="a.b")
    assert (corpus.documents, corpus.noticed) == (("Rain", "Sun"), {"blank_rows": 3})


def test_a_column_that_no_row_has_is_named():
    with pytest.raises(InputError, match="texts has no column 'q' in any row; the first one has 'id', 'title'"):
        Corpus.from_texts([{"id": 1, "title": "Rain"}, {}], column="q")


def test_rows_of_arrays_are_no_texts():
    with pytest.raises(InputError, match="document 1 of 'texts' must be a str"):
        Corpus.from_texts(np.array([["a", "b"]]))
