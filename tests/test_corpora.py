"""What a corpus is, where it is looked for, and how bytes become text."""

import collections
import dataclasses
import gzip
import hashlib
import io
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import time
import zipfile

import pytest
from corpora_support import TEXT, load_bytes, refusal, refusal_of_bytes
from hypothesis import given
from hypothesis import strategies as st

from tfgen.bulk import tables
from tfgen.bulk.parts import Parts
from tfgen.cli import stopped_runs
from tfgen.corpora import Corpus, compressed, files, line_ends, load_corpus
from tfgen.errors import InputError
from tfgen.prepared import prepare_corpus


def write(folder: pathlib.Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8", newline="")


# --- the value ------------------------------------------------------------------------------------------------------


def test_summary_names_the_text_without_holding_it():
    corpus = Corpus.from_texts(["Rain", "Sun"], source="weather")
    assert corpus.summary() == {
        "source": "weather",
        "documents": 2,
        "characters": 7,
        "sha256": hashlib.sha256(b"Rain\x03Sun\x03").hexdigest(),
    }
    assert repr(Corpus.from_text("x" * 5000)) == "Corpus('text', 1 document, 5,000 characters)"


@given(TEXT.filter(lambda text: len(text) >= 2), st.data())
def test_sha256_tells_boundaries_apart(text, data):
    cuts = st.integers(1, len(text) - 1)
    first, second = data.draw(cuts), data.draw(cuts)
    one = Corpus.from_texts([text[:first], text[first:]])
    other = Corpus.from_texts([text[:second], text[second:]])
    assert (one.sha256 == other.sha256) == (first == second)
    assert one.sha256 != Corpus.from_text(text).sha256


def test_a_corpus_is_a_value():
    corpus = Corpus.from_text("abc")
    assert corpus == Corpus(("abc",), False, "text")
    with pytest.raises(dataclasses.FrozenInstanceError):
        corpus.source = "other"


@pytest.mark.parametrize(
    ("make", "fact"),
    [
        (lambda: Corpus.from_texts([]), "no text"),
        (lambda: Corpus.from_texts(["", ""]), "no text"),
        (lambda: Corpus.from_text(""), "no text"),
        (lambda: Corpus((), True, "x"), "no text"),
        (lambda: Corpus.from_texts("abc"), "one str"),
        (lambda: Corpus("abc", True, "x"), "one str"),
        (lambda: Corpus.from_texts(["a", 3]), "document 2 of 'texts' must be a str; received 3."),
        (lambda: Corpus.from_texts(["a", "b\x03"]), "document 2 of 'texts' holds U+0003"),
        (lambda: Corpus.from_text("a\ud800"), "U+D800 (a lone surrogate"),
    ],
)
def test_what_is_no_corpus_is_refused(make, fact):
    with pytest.raises(InputError) as caught:
        make()
    assert fact in str(caught.value)
    assert "\n" not in str(caught.value)


# --- one file: every character arrives ------------------------------------------------------------------------------


@given(TEXT.filter(lambda text: text and not text.startswith("\ufeff")))
def test_a_file_is_loaded_as_it_was_written(text):
    assert load_bytes(text.encode()).documents == (io.StringIO(text, newline=None).read(),)
    corpus = load_bytes(text.encode(), keep_line_ends=True)
    assert corpus.documents == (text,)
    assert corpus.ends is False
    assert corpus.characters == len(text)


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\rb", "a\x85b\u2028c\u2029d\x0be\x0cf\x1c", "a\n\n", " \n"])
def test_newlines_of_every_kind_are_kept(text):
    assert load_bytes(text.encode(), keep_line_ends=True).documents == (text,)


def test_line_ends_become_one_and_are_counted():
    corpus = load_bytes(b"a\r\nb\rc\r\r\nd\ne")
    assert corpus.documents == ("a\nb\nc\n\nd\ne",)
    assert corpus.noticed == {"line_ends_changed": 4}
    assert load_bytes(b'{"t": "a\\r\\nb"}\r\n', "a.jsonl", column="t").noticed == {"line_ends_changed": 1}
    assert corpus.summary()["reading"]["keep_line_ends"] is False


LETTERS = st.text(st.sampled_from("ab \r\n\x0b\x0c\x1c\x85\u2028\u2029"), min_size=1, max_size=30)


@given(LETTERS, st.integers(1, 4))
def test_one_definition_of_a_line_wherever_pieces_end(text, size):
    pieces = [text[begin : begin + size] for begin in range(0, len(text), size)]
    expected = io.StringIO(text, newline=None).read()
    assert "".join(line_ends.unified_pieces(pieces)) == line_ends.unified(text) == expected
    assert line_ends.split(text) == expected.split("\n")
    counted = sum(line_ends.count(piece, before) for piece, before in zip(pieces, ["", *pieces], strict=False))
    assert counted == line_ends.count(text) == expected.count("\n")
    assert list(files.Lines(pieces, "a.txt")) == list(io.StringIO(text, newline=""))
    assert [*files.split_lines(pieces, "a.txt")] == [line for line in expected.split("\n") if line.strip()]


@pytest.mark.parametrize("read", [files.Lines, files.split_lines, files.split_paragraphs])
def test_a_line_in_many_pieces_is_joined_once(read):
    piece = "x" * 65536
    begun = time.process_time()
    (line,) = read((piece for _ in range(files.LONGEST_RECORD // len(piece))), "a.txt")
    assert len(line) == files.LONGEST_RECORD
    assert time.process_time() - begun < 5  # joined with each piece anew it takes half a minute


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("keep", [False, True])
def test_every_reader_ends_lines_alike(end, keep):
    how = {"keep_line_ends": keep}
    assert load_bytes(end.join(["one", "two\x85", ""]).encode(), lines=True, **how).documents == ("one", "two\x85")
    rows = end.join(['{"t": "one"}', '{"t": "two\u2028"}', ""]).encode()
    assert load_bytes(rows, "a.jsonl", column="t", **how).documents == ("one", "two\u2028")
    for name in ("a.csv", "a.tsv"):
        assert load_bytes(end.join(["t", "one", "two\x0b"]).encode(), name, column="t", **how).documents == (
            "one",
            "two\x0b",
        )


@pytest.mark.parametrize(
    "encoding", ["utf-8", "U8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "gb18030"]
)
def test_one_byte_order_mark_is_no_text(encoding):
    assert load_bytes("\ufeffa\ufeff".encode(encoding), encoding=encoding).documents == ("a\ufeff",)
    table = "\ufefftitle\nRain\n".encode(encoding)
    assert load_bytes(table, "a.csv", column="title", encoding=encoding).documents == ("Rain",)


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-8-sig", "shift_jis"])
def test_other_encodings_are_read_when_named(encoding):
    text = "Grün\r\n" if encoding != "shift_jis" else "かな\n"
    assert load_bytes(text.encode(encoding), encoding=encoding, keep_line_ends=True).documents == (text,)


@given(st.text("aé😀\n", max_size=20), st.sampled_from([b"\xff", b"\x80", b"\xed\xa0\x80"]), st.booleans())
def test_a_bad_byte_is_reported_with_its_offset(before, bad, mark):
    start = (b"\xef\xbb\xbf" if mark else b"") + before.encode()
    message = refusal_of_bytes(start + bad + b" after")
    assert f"byte 0x{bad[0]:02x} at offset {len(start)} is not utf-8" in message
    assert "latin-1" not in message


WINDOWS = "Plain.\nIt’s “raining” – says Zoë, and she’s right.\n" * 3
CHINESE = "今天天气很好，我们去公园散步。\n你好，世界。\n" * 3


OTHERS = {
    "cp1252": "Le café était fermé ; « à bientôt », dit-elle d’un air gêné.\n",
    "latin-1": "El niño comió piñas en la montaña; ¿qué más quería? ¡Él también!\n",
    "cp1250": "Zażółć gęślą jaźń, powiedział książę wśród łąk.\n",
    "cp1251": "Привет, мир. Это проверка.\n",
    "cp1253": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι.\n",
    "cp1254": "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar.\n",
}


@pytest.mark.parametrize("encoding", OTHERS)
def test_the_encoding_in_wide_use_is_advised_first(encoding):
    message = refusal_of_bytes((OTHERS[encoding] * 20).encode(encoding))
    assert f"the line reads in {encoding.replace('latin-1', 'cp1252')} {OTHERS[encoding][:20]!r}"[:-1] in message


def test_apostrophes_of_windows_alone_are_no_cyrillic():
    assert "the line reads in cp1252 'It’s'" in refusal_of_bytes(b"Plain text.\n" * 20 + b"It\x92s\n")


UTF_8 = "naïve café déjà vu\n" * 40


@pytest.mark.parametrize(
    ("data", "encoding", "advice"),
    [
        (UTF_8.encode() + b"It\x92s\n" + UTF_8.encode(), "utf-8", "what is around it is utf-8: repair the byte"),
        (UTF_8.encode() + "漢".encode()[:2], "utf-8", "it ends inside a character"),
        (UTF_8.encode() + "é".encode()[:1], "utf-8", "it ends inside a character"),
        (b"plain\n" * 40 + "漢".encode()[:2], "utf-8", "it ends inside a character"),
        (UTF_8.encode("utf-16")[:-1], "utf-16", "it ends inside a character"),
        (("\ufeff" + UTF_8).encode("utf-16-le")[:-1], "utf-16-le", "it ends inside a character"),
        (b"plain caf\xe9", "utf-8", "if it is a text file, give its encoding"),
    ],
)
def test_one_wrong_byte_makes_no_other_encoding(data, encoding, advice):
    message = refusal_of_bytes(data, encoding=encoding)
    assert advice in message
    assert ("--errors" in message) == ("encoding=" not in message)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_recognised(encoding):
    message = refusal_of_bytes("Rain and sun\n".encode(encoding))
    assert message.endswith(f"give its encoding (encoding={encoding!r}, --encoding {encoding}).")


@pytest.mark.parametrize(("text", "encoding"), [(WINDOWS, "cp1252"), (CHINESE, "gb18030"), (CHINESE, "gbk")])
def test_other_encodings_are_advised_with_a_line_as_each_reads_it(text, encoding):
    message = refusal_of_bytes(text.encode(encoding))
    line = next(line for line in text.split("\n") if not line.isascii())
    assert line[:12] in message
    assert "--encoding" in message
    assert "latin-1" not in message


@given(data=st.binary(max_size=40), encoding=st.sampled_from(["utf-8", "ascii", "utf-16-le", "gb18030", "shift_jis"]))
@pytest.mark.parametrize("errors", ["replace", "ignore"])
def test_errors_are_those_of_python_and_counted(data, encoding, errors):
    seen = collections.Counter()
    text = "".join(files.decode([data[i : i + 1] for i in range(len(data))], "x", encoding, errors, seen))
    assert text == data.decode(encoding, errors).removeprefix("\ufeff")
    assert bool(seen.total()) == (data.decode(encoding, "ignore") != data.decode(encoding, "backslashreplace"))


def test_what_errors_change_is_in_the_summary():
    corpus = load_bytes(b"a\xffb\xfe\xfd", errors="replace")
    assert (corpus.documents, corpus.noticed) == (("a\ufffdb\ufffd\ufffd",), {"bytes_replaced": 3})
    assert load_bytes(b"a\xffb", errors="ignore").summary()["noticed"] == {"bytes_ignored": 1}


def archives():
    """Archives of files, by name: of bytes that a text may have, and of others."""
    tar, packed = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        entry = tarfile.TarInfo("a.txt")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"abc"))
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.txt", "abc")
    zipped = packed.getvalue()
    return {"a.tar": tar.getvalue(), "a.tar.gz": gzip.compress(tar.getvalue()), "a.zip": zipped, "a.txt": zipped}


@pytest.mark.parametrize("name", archives())
def test_an_archive_of_files_is_to_be_unpacked_and_not_repaired(name):
    message = refusal_of_bytes(archives()[name], name)
    assert "is an archive of files" in message
    assert "unpack it" in message
    assert "control" not in message


def test_a_binary_file_is_called_one():
    assert "binary file" in refusal_of_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "picture.png")
    assert "binary file" in refusal_of_bytes(b"MZ\0\1", "program.exe")
    assert "encoding='utf-16'" in refusal_of_bytes("text".encode("utf-16"))
    assert "encoding='utf-32'" in refusal_of_bytes("text".encode("utf-32"))
    assert "encoding='gb18030'" in refusal_of_bytes("\ufefftext".encode("gb18030"))


@pytest.mark.parametrize("encoding", ["utf-9", "hex", "undefined", "a\0b", "", None])
def test_an_unknown_encoding_is_refused(encoding):
    assert f"unknown encoding {encoding!r}" in refusal("python-docs", encoding=encoding)


def test_an_encoding_that_tells_no_offset_is_reported_too():
    assert "cannot be read as punycode" in refusal_of_bytes(b"abc-99999999999", encoding="punycode")


@pytest.mark.parametrize(("character", "name"), [("\x00", "U+0000 (NUL"), ("\x03", "U+0003 (END OF TEXT")])
def test_reserved_characters_are_refused_or_replaced(character, name):
    data = f"ab{character}c{character}".encode()
    message = refusal_of_bytes(data)
    assert name in message
    assert "at character offset 2" in message
    assert "--control replace" in message
    assert load_bytes(data, control="replace").documents == ("ab\ufffdc\ufffd",)


@pytest.mark.parametrize(("options", "fact"), [({}, "is empty"), ({"lines": True}, "every line is blank")])
def test_a_file_without_text_is_refused(options, fact):
    assert fact in refusal_of_bytes(b"", **options)
    assert fact in refusal_of_bytes(b"\xef\xbb\xbf", **options)


# --- lines ----------------------------------------------------------------------------------------------------------


@given(st.lists(TEXT.map(lambda text: re.sub("[\r\n]", "", text)).filter(str.strip), min_size=1), st.data())
def test_a_line_is_a_document(lines, data):
    newlines = data.draw(st.lists(st.sampled_from(["\n", "\r\n", "\n\n", "\n \t\r\n"]), min_size=len(lines)))
    text = "".join(line + newline for line, newline in zip(lines, newlines, strict=False))
    corpus = load_bytes(text.encode(), lines=True) if text[0] != "\ufeff" else Corpus.from_texts(lines)
    assert corpus.documents == tuple(lines)
    assert corpus.ends is True


def test_a_reserved_character_is_found_before_lines_are_cut():
    assert "at character offset 4" in refusal_of_bytes(b"one\n\x03two", lines=True)


# --- several files --------------------------------------------------------------------------------------------------


def test_a_folder_gives_its_files_sorted_and_no_hidden_ones(tmp_path):
    write(tmp_path, b="B", a="A")
    (tmp_path / "sub" / ".git").mkdir(parents=True)
    write(tmp_path / "sub", c="C")
    (tmp_path / ".hidden").write_text("no")
    (tmp_path / "sub" / ".git" / "config").write_text("no")
    corpus = load_corpus(tmp_path)
    assert corpus.documents == ("A", "B", "C")
    assert corpus.ends is True
    assert corpus.source == str(tmp_path)


def test_a_folder_of_one_file_is_one_running_text(tmp_path):
    write(tmp_path, only="text")
    assert load_corpus(tmp_path) == Corpus(("text",), False, str(tmp_path))


def test_an_empty_file_among_several_is_no_document(tmp_path):
    write(tmp_path, a="A", b="", c="C")
    (tmp_path / "d.gz").write_bytes(gzip.compress(b""))
    corpus = load_corpus(tmp_path)
    assert corpus.documents == ("A", "C")
    assert corpus.noticed == {"empty_files": 2}


def test_byte_order_marks_where_files_were_joined_stay_and_are_counted():
    mark = "\ufeff".encode()
    corpus = load_bytes(mark + b"a\n" + mark + b"b" + mark)
    assert (corpus.documents, corpus.noticed) == (("a\n\ufeffb\ufeff",), {"marks_within": 2})
    corpus = load_bytes(mark + b"t,u\na,1\n" + mark + b"t,u\nb,2\n", "a.csv", column="t")
    assert (corpus.documents, corpus.noticed) == (("a", "\ufefft", "b"), {"marks_within": 1})


def test_what_is_written_into_the_folder_of_a_text_is_no_part_of_it(tmp_path, monkeypatch):
    write(tmp_path, a="abc")
    prepare_corpus(tmp_path / "a.txt", directory=tmp_path / "ids")
    beside = [Parts(tmp_path / f"rows{ending}").directory for ending in tables.WRITTEN]
    for folder in (stopped_runs.directory(tmp_path / "a.keras"), *beside):
        folder.mkdir()
        (folder / "run.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    for source in (tmp_path, ".", "**"):
        corpus = load_corpus(source)
        assert (corpus.documents, corpus.ends) == (("abc",), False)
        assert corpus.noticed == {"own_folders": 5}


def test_a_file_of_a_folder_that_cannot_be_decoded_is_named(tmp_path):
    write(tmp_path, a="A")
    (tmp_path / "b.bin").write_bytes(b"\xff")
    assert "b.bin" in refusal(tmp_path)


def test_what_is_passed_over_in_a_folder_is_counted(tmp_path):
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    for each in (folder, folder / "sub", folder / "CVS", folder / ".git", elsewhere):
        each.mkdir()
    write(folder, a="A")
    write(elsewhere, b="B")
    (folder / "sub" / "wide.txt").write_bytes(b"W")
    (folder / "picture.png").write_bytes(b"\x89PNG\0")
    (folder / "data").write_bytes(b"ab\0")
    (folder / ".hidden").write_text("no")
    (folder / "gone").symlink_to(tmp_path / "nowhere")
    (folder / "linked").symlink_to(elsewhere)
    (folder / "sub" / "again").symlink_to(elsewhere)
    (folder / "sub" / "up").symlink_to(folder)
    (folder / "device").symlink_to(os.devnull)
    os.mkfifo(folder / "pipe")
    corpus = load_corpus(folder)
    assert sorted(corpus.documents) == ["A", "B", "W"]
    assert corpus.noticed == {
        "binary_files": 2,
        "hidden_files": 3,
        "dangling_links": 1,
        "special_files": 2,
        "repeated_folders": 2,
    }


PARAGRAPHS = "\n \none\ntwo\n\n\t\nthree\r\nfour\n"


@given(st.integers(1, 5), st.booleans())
def test_paragraphs_and_what_lies_between_matches_are_documents(size, keep):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compressed, "PIECE", size)
        how = {"keep_line_ends": keep}
        third = "three\r\nfour" if keep else "three\nfour"
        assert load_bytes(PARAGRAPHS.encode(), paragraphs=True, **how).documents == ("one\ntwo", third)
        chat = b"--\nann: hi\n--\n\n--\nbob: -- ho\n"
        assert load_bytes(chat, split_on="^--$", **how).documents == ("ann: hi", "bob: -- ho")
        assert load_bytes(chat, split_on=r"\n(?=\w+:)", **how).documents == ("--", "ann: hi\n--\n\n--", "bob: -- ho")


def test_a_document_is_one_thing():
    assert "--lines (lines=) and --paragraphs (paragraphs=)" in refusal("x", lines=True, paragraphs=True)
    assert "split_on must be a regular expression; received '('" in refusal("x", split_on="(")


def test_standard_input_is_named_once():
    assert "received it 2 times" in refusal(["-", "-"])


def test_what_was_prepared_is_no_folder_of_text(tmp_path):
    write(tmp_path, a="abc")
    prepare_corpus(tmp_path / "a.txt", directory=tmp_path / "ids")
    assert "was prepared, and holds ids and no text" in refusal(tmp_path / "ids")


def test_globs(tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    write(tmp_path, b="B", a="A")
    write(tmp_path / "sub", c="C")
    monkeypatch.chdir(tmp_path)
    assert load_corpus("*.txt") == Corpus(("A", "B"), True, "*.txt")
    assert load_corpus("**/*.txt").documents == ("A", "B", "C")
    assert load_corpus("a*").ends is False
    assert "'*.csv'" in refusal("*.csv")


def test_a_glob_looks_into_linked_folders_once_and_counts_what_it_passes_over(tmp_path, monkeypatch):
    for name in ("a", "a/b", "elsewhere"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, text=name)
    for number in range(3):  # by which there are 3**40 paths
        (tmp_path / "a" / "b" / f"up{number}").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "a" / "gone.txt").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "a" / "pipe.txt")
    monkeypatch.chdir(tmp_path / "a")
    for pattern in ("**/*.txt", "./**/t*t.txt", f"{tmp_path}/a/**/*.txt", f"{tmp_path}/a/**/**/*.txt", "../a/**"):
        corpus = load_corpus(pattern)
        assert sorted(corpus.documents) == ["a", "a/b", "elsewhere"], pattern
    assert load_corpus("*.txt").noticed == {"dangling_links": 1, "special_files": 1}


@pytest.mark.skipif(not pathlib.Path("/dev/zero").exists(), reason="this system has no device without an end")
def test_a_device_without_an_end_is_refused(monkeypatch):
    assert "is a device, which may have no end" in refusal("/dev/zero")
    with pathlib.Path("/dev/zero").open() as zeros:
        monkeypatch.setattr(sys, "stdin", zeros)
        assert "standard input is a device" in refusal("-")
    assert "is empty" in refusal(os.devnull)


def test_a_path_that_looks_like_a_glob_or_a_name_is_a_path_first(tmp_path, monkeypatch):
    write(tmp_path, **{"poems [old]": "P"})
    (tmp_path / "alice").write_text("mine")
    monkeypatch.chdir(tmp_path)
    assert load_corpus("poems [old].txt").documents == ("P",)
    assert load_corpus("alice").documents == ("mine",)


def test_a_list_keeps_its_order_and_mixes_kinds(tmp_path):
    write(tmp_path, a="A", b="B")
    names = [tmp_path / "b.txt", str(tmp_path / "a*.txt"), "unicode-names"]
    corpus = load_corpus(names)
    assert corpus.documents[:3] == ("B", "A", "SPACE")
    assert corpus.source == ", ".join(map(str, names))
    assert load_corpus([tmp_path / "a.txt"] * 9).source.endswith("a.txt and 6 more")
    assert load_corpus([tmp_path / "a.txt"]).ends is False


class StandardInput:
    def __init__(self, data: bytes):
        self.buffer = io.BytesIO(data)


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", StandardInput("a\r\nß".encode()))
    assert load_corpus("-") == Corpus(("a\nß",), False, "standard input")
    monkeypatch.setattr(sys, "stdin", StandardInput(b"a\xff"))
    assert "standard input: byte 0xff at offset 1" in refusal("-")
    monkeypatch.setattr(sys, "stdin", StandardInput(b""))
    assert "'standard input' is empty" in refusal("-")
    monkeypatch.setattr(sys, "stdin", StandardInput(b"a\nb"))
    assert load_corpus("-", lines=True).documents == ("a", "b")
    monkeypatch.setattr(sys, "stdin", None)
    assert "no standard input" in refusal("-")


# --- what cannot be found or read -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["no/such.txt", "nosuch", "", "a\0b", "a\0*", "x" * 5000, "line\nbreak", "\udc80.txt"])
def test_what_does_not_exist_is_named(name):
    message = refusal(name)
    assert "no such file" in message
    assert repr(name) in message


def test_a_name_nearly_right_is_suggested():
    assert "did you mean 'shakespeare'?" in refusal("shakespear")
    assert "did you mean 'unicode-names'?" in refusal("Unicode_Names")


@pytest.mark.parametrize(
    ("source", "fact"),
    [
        ([], "received an empty list"),
        (3, "received 3"),
        (None, "received None"),
        (b"a.txt", "received b'a.txt'"),
        (["a", None], "received None"),
        (len, "received builtin_function_or_method"),
    ],
)
def test_what_names_nothing_is_refused(source, fact):
    assert fact in refusal(source)


def test_a_folder_without_files_is_refused(tmp_path):
    (tmp_path / ".hidden").write_text("no")
    assert "holds no files" in refusal(tmp_path)


def test_what_may_not_be_read_is_refused(tmp_path, monkeypatch):
    write(tmp_path, secret="s")

    def deny(self, *args):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(pathlib.Path, "open", deny)
    assert "secret.txt' cannot be read: Permission denied" in refusal(tmp_path / "secret.txt")


def test_a_folder_that_may_not_be_listed_is_refused_and_not_passed_over(tmp_path, monkeypatch):
    write(tmp_path, open="o")
    (tmp_path / "closed").mkdir()
    scandir = os.scandir

    def deny(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deny)
    assert "closed' cannot be read: Permission denied" in refusal(tmp_path)


@pytest.mark.parametrize("option", ["normalize", "control"])
def test_an_unknown_choice_is_refused(option):
    assert f"{option} must be one of" in refusal("python-docs", **{option: "nfc"})


def test_reading_text_needs_neither_tensorflow_nor_keras():
    program = (
        "import sys, tfgen.corpora as c; c.load_corpus('python-docs'); print({'tensorflow', 'keras'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
