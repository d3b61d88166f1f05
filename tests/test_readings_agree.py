"""A text is read alike in memory and prepared, whatever the options; and how it was read is known afterwards."""

import json
import pathlib

import pytest
from prepared_support import folder_fixture, joined, small_pieces_fixture  # noqa: F401 - fixtures

import tfgen
from tfgen.corpora import load_corpus, open_source
from tfgen.prepared.corpus import open_prepared
from tfgen.prepared.preparing import prepare_corpus

READINGS = [
    ("a.txt", b"\xef\xbb\xbfone\r\ntwo\rthree\r\r\n\n", {}),
    ("a.txt", b"one\r\ntwo\rthree\r\r\n\n", {"keep_line_ends": True}),
    ("a.txt", b"one\r\ntwo\rthree\x85\r\r\n\n", {"lines": True, "errors": "replace"}),
    ("a.txt", b"o\xffne\r\n\r\ntwo\rthree\n \r", {"paragraphs": True, "errors": "ignore"}),
    ("a.txt", b"one\r\n--\rtwo\n--\n", {"split_on": "^--$"}),
    ("a.txt", "\ufeffone\r\ntwo".encode("utf-16-le"), {"encoding": "utf-16-le"}),
    ("a.csv", b'id;t\r\n1;"a\r\nb"\r\n2;\r\n', {"column": "t"}),
    ("a.csv", b"sep=|\nid|t\n1|a\n", {"column": "t", "keep_line_ends": True}),
    ("a.tsv", b'id\tt\n1\t"a\n2\tb\n', {"column": "t"}),
    ("a.tsv", b'id\tt\n1\t"a\tb"\n', {"column": "t", "quoting": "rfc4180"}),
    ("a.jsonl", b'{"t": null}\r{"t": "a"}\n{"u": 1}', {"column": "t"}),
    ("a.json", b'[{"t": {"u": "a"}},\r\n {"t": {"u": "b\\r\\n"}}, {}]', {"column": "t.u"}),
]


@pytest.mark.parametrize(("name", "data", "how"), READINGS)
@pytest.mark.usefixtures("small_pieces")
def test_memory_and_disk_agree(name, data, how):
    pathlib.Path(name).write_bytes(data)
    corpus = load_corpus(name, **how)
    prepare_corpus(name, "ids", **how)
    prepared = open_prepared("ids")
    assert prepared.ids.tolist() == joined(corpus, prepared.vocabulary)
    assert prepared.summary() == corpus.summary()
    assert prepared.reading.items() >= how.items()
    assert ("".join(corpus.documents) == "".join(corpus.documents).replace("\r", "")) or how["keep_line_ends"]


def test_folders_agree_too():
    pathlib.Path("texts/sub").mkdir(parents=True)
    pathlib.Path("texts/a").write_bytes(b"a\r\n")
    pathlib.Path("texts/sub/b").write_bytes(b"b")
    pathlib.Path("texts/c").write_bytes(b"\0")
    pathlib.Path("texts/sub/up").symlink_to(pathlib.Path("texts").absolute())
    corpus, prepared = load_corpus("texts"), prepare_corpus("texts", "ids")
    assert prepared.ids.tolist() == joined(corpus, prepared.vocabulary)
    assert corpus.noticed == prepared.noticed == {"binary_files": 1, "repeated_folders": 1, "line_ends_changed": 1}


def test_what_was_noticed_is_that_of_one_reading():
    pathlib.Path("a.txt").write_bytes(b"a\r\nb\r")
    source = open_source("a.txt")
    for _ in range(3):
        assert "".join(source.pieces()) == "a\nb\n"
        assert source.noticed == {"line_ends_changed": 2}


def test_a_manifest_without_a_reading_is_still_read():
    pathlib.Path("a.txt").write_text("abc")
    prepare_corpus("a.txt", "ids")
    manifest = json.loads(pathlib.Path("ids/manifest.json").read_text())
    del manifest["reading"], manifest["noticed"]
    pathlib.Path("ids/manifest.json").write_text(json.dumps(manifest))
    found = tfgen.open_prepared("ids")
    assert (found.reading, found.noticed, "reading" in found.summary()) == ({}, {}, False)
    manifest["reading"] = 3
    pathlib.Path("ids/manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(tfgen.errors.InputError, match="its reading is 3"):
        open_prepared("ids")
