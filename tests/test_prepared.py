"""Prepared corpora: the ids of the text in memory, found again by content, whole or not there at all."""

import bz2
import gzip
import hashlib
import json
import lzma
import os
import pathlib
import shutil
import subprocess
import sys
import threading
import zlib

import numpy as np
import pytest
from cli_support import ENVIRONMENT
from corpora_support import TEXT as TEXTS
from faults_support import disk_fixture  # noqa: F401 - a fixture
from hypothesis import given
from hypothesis import strategies as st
from prepared_support import (  # noqa: F401 - fixtures
    KEEPS_FOLDER,
    LINES,
    cache,
    check,
    entries,
    folder_fixture,
    process,
    small_pieces_fixture,
)

from tfgen.corpora import compressed, files, load_corpus, text_source
from tfgen.errors import InputError
from tfgen.prepared import ids_file, preparing
from tfgen.prepared.corpus import open_prepared
from tfgen.prepared.preparing import prepare_corpus
from tfgen.vocabulary import counts_on_disk, splitting
from tfgen.vocabulary.vocabulary import Vocabulary

# --- the same as in memory ------------------------------------------------------------------------------------------


@KEEPS_FOLDER
@given(
    text=TEXTS.filter(lambda text: text.strip("\ufeff")),
    split=st.sampled_from(["character", "word"]),
    lines=st.booleans(),
    unescape=st.booleans(),
    normalize=st.sampled_from([None, "NFC", "NFKD"]),
)
def test_a_prepared_text_is_the_text_in_memory(folder, small_pieces, text, split, lines, unescape, normalize):
    reading = {"lines": lines, "unescape": unescape, "normalize": normalize}
    (folder / "text.txt").write_bytes(text.encode())
    try:
        load_corpus("text.txt", **reading)
    except InputError:
        with pytest.raises(InputError):
            prepare_corpus("text.txt", split=split, **reading)
        return
    check("text.txt", split, **reading)


def test_many_files_and_columns_and_names(folder, small_pieces):
    (folder / "many").mkdir()
    for i in range(30):
        (folder / "many" / f"{i}.txt").write_text("" if i % 7 == 0 else f"text {i}\n" * i)
    check("many")
    (folder / "a.csv").write_text('id,title\n1,"Rain, and\r\n""more"""\n2,Sun\n')
    check("a.csv", column="title")
    (folder / "a.jsonl").write_text('{"t": "Rain"}\n\n{"t": "S\\u00fcn"}\n')
    check("a.jsonl", "word", column="t")


def test_a_named_corpus(folder):
    check("python-docs")


# --- reading in pieces ----------------------------------------------------------------------------------------------


PARTS = st.sampled_from([*"&#;amplt39 x\n", "&amp;", "&lt;", " #39;", "amp;", "\u0301", "é", "e"])
ESCAPED = st.lists(PARTS).map("".join)


@KEEPS_FOLDER
@given(text=ESCAPED)
def test_cleaning_does_not_depend_on_where_pieces_end(folder, text):
    (folder / "text.txt").write_text(text + "x", newline="")
    reading = {"unescape": True, "normalize": "NFC"}
    whole = text_source.Reading(**reading).clean(text + "x")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compressed, "PIECE", 2)
        assert load_corpus("text.txt", **reading).documents == (whole,)


@given(
    st.text("aé😀\n", max_size=20), st.sampled_from([b"\xff", b"\x80", b"\xed\xa0\x80", b"\xe2\x82"]), st.integers(1, 5)
)
def test_a_bad_byte_has_its_place_and_line_wherever_pieces_end(before, bad, size):
    data = before.encode() + bad + b" after\n"
    pieces = [data[begin : begin + size] for begin in range(0, len(data), size)]
    with pytest.raises(InputError) as caught:
        list(files.decode(pieces, "'a.txt'", "utf-8"))
    at = f"byte 0x{bad[0]:02x} at offset {len(before.encode())} is not utf-8 (line {before.count(chr(10)) + 1})"
    assert at in str(caught.value)


@given(st.text(max_size=30), st.sampled_from(["utf-8", "utf-16", "utf-32", "shift_jis", "gb18030", "utf-8-sig"]))
def test_decoding_does_not_depend_on_where_pieces_end(text, encoding):
    data = text.encode(encoding, errors="ignore")
    expected = data.decode(encoding)
    expected = expected.removeprefix("\ufeff")
    assert "".join(files.decode([data[i : i + 1] for i in range(len(data))], "x", encoding)) == expected


@pytest.mark.parametrize("record", ["line", "cell", "row", "json", "book"])
def test_a_record_without_end_is_refused_before_it_fills_the_memory(folder, monkeypatch, record):
    monkeypatch.setattr(files, "LONGEST_RECORD", 1000)
    monkeypatch.setattr("tfgen.corpora.columns.LONGEST_RECORD", 1000)
    data = {
        "line": ("a.txt", "x" * 5000, {"lines": True}),
        "cell": ("a.csv", 't\n"' + "x\n" * 3000 + '"\n', {"column": "t"}),
        "row": ("a.csv", "t\n" + '"x\n",' * 3000 + "\n", {"column": "t"}),
        "json": ("a.jsonl", '{"t": "' + "x" * 5000 + '"}', {"column": "t"}),
        "book": ("a.txt", "x\n" * 5000, {"strip_gutenberg": True}),
    }
    name, text, reading = data[record]
    (folder / name).write_text(text, newline="")
    with pytest.raises(InputError, match=r"1,000 characters|field limit"):
        load_corpus(name, **reading)


# --- compressed files -----------------------------------------------------------------------------------------------


def zstandard(data):
    library = pytest.importorskip("zstandard", reason="the extra 'zst' is not installed")
    return library.ZstdCompressor(write_checksum=True).compress(data)


def test_pipes_are_read_once_and_prepared_as_files_are(folder, tmp_path):
    texts = {"rows.csv": b"a,b\nRain,1\nSun,2\n", "more.csv.gz": gzip.compress(b"a,b\nSnow,3\n")}
    for name, content in texts.items():
        os.mkfifo(tmp_path / name)
        threading.Thread(target=(tmp_path / name).write_bytes, args=[content], daemon=True).start()
    prepared = preparing.prepare_corpus([tmp_path / name for name in texts], directory=folder / "out", column="a")
    assert prepared.vocabulary.decode(prepared.ids) == "RainSunSnow"
    assert prepared.number_of_documents == 3
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["ids.bin", "manifest.json"]


def test_a_link_to_nothing_is_no_free_place(folder, tmp_path):
    (folder / "out").symlink_to(tmp_path / "nowhere")
    (folder / "a.txt").write_text("abc")
    with pytest.raises(InputError, match="exists and holds something else"):
        preparing.prepare_corpus(folder / "a.txt", directory=folder / "out", show=lambda stage: pytest.fail(stage))


def test_a_link_to_an_empty_directory_is_filled(folder):
    (folder / "out").mkdir()
    (folder / "link").symlink_to("out")
    (folder / "a.txt").write_text("abc")
    preparing.prepare_corpus(folder / "a.txt", directory=folder / "link")
    assert (folder / "link").is_symlink()
    assert open_prepared(folder / "out").characters == 3


def test_what_was_killed_before_it_knew_what_it_does_is_removed_by_the_next_run(folder):
    """Which may be a copy of all of standard input."""
    program = """
import os, signal, sys
from tfgen.prepared import preparing
preparing.prepare_corpus("-", directory="out", show=lambda stage: os.kill(os.getpid(), signal.SIGKILL))
"""
    killed = subprocess.run([sys.executable, "-c", program], input=b"abc" * 1000, env=ENVIRONMENT, check=False)
    assert killed.returncode == -9
    assert [path.name for path in folder.glob(".tfgen.*/*") if path.name.startswith("input")]
    (folder / "a.txt").write_text("other")
    preparing.prepare_corpus(folder / "a.txt", directory=folder / "out")
    assert sorted(path.name for path in folder.iterdir()) == ["a.txt", "out"]


COMPRESS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstandard}
SEVERAL = "ä line\n" * 700


@pytest.mark.parametrize("ending", COMPRESS)
def test_compressed_files_are_read_in_one_or_several_streams(folder, monkeypatch, ending):
    monkeypatch.setattr(compressed, "PIECE", 100)
    data = COMPRESS[ending](SEVERAL.encode())
    (folder / f"one.txt{ending}").write_bytes(data)
    (folder / f"two.txt{ending}").write_bytes(data + data)
    assert load_corpus(f"one.txt{ending}").documents == (SEVERAL,)
    assert load_corpus(f"two.txt{ending}").documents == (SEVERAL * 2,)
    check(f"one.txt{ending}")
    (folder / f"news.csv{ending}").write_bytes(COMPRESS[ending](b"id,title\n1,Rain\n"))
    assert load_corpus(f"news.csv{ending}", column="title").documents == ("Rain",)


@pytest.mark.parametrize("ending", COMPRESS)
def test_a_compressed_file_that_is_cut_or_damaged_is_refused(folder, ending):
    data = COMPRESS[ending](os.urandom(5000).hex().encode())
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 255
    for wrong in (data[:-9], data[: len(data) // 2], b"no such format" * 9, bytes(flipped)):
        (folder / f"a.txt{ending}").write_bytes(wrong)
        with pytest.raises(InputError, match=r"a\.txt"):
            load_corpus(f"a.txt{ending}")


def test_a_file_that_asks_for_too_much_memory_is_refused(folder):
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    data = bytearray(lzma.compress(b"x" * 100, filters=filters))
    assert lzma.decompress(bytes(data)) == b"x" * 100
    head = data[12 : 12 + (data[12] + 1) * 4]
    head[4] = 40  # the size of the dictionary: 4 GiB
    head[-4:] = zlib.crc32(bytes(head[:-4])).to_bytes(4, "little")
    data[12 : 12 + len(head)] = head
    (folder / "a.txt.xz").write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        load_corpus("a.txt.xz")


def test_a_bomb_is_refused_before_it_fills_the_memory(folder, monkeypatch):
    monkeypatch.setattr(text_source, "_MOST_IN_MEMORY", 10_000_000)
    with gzip.open(folder / "bomb.gz", "wb") as file:
        for _ in range(64):
            file.write(b"x" * 1_000_000)
    with pytest.raises(InputError, match="tfgen prepare"):
        load_corpus("bomb.gz")


def test_zst_without_its_reader_names_the_extra(folder, monkeypatch):
    (folder / "a.zst").write_bytes(b"x")
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(InputError, match=r"zstandard"):
        load_corpus("a.zst")


# --- counting -------------------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.text("abc", min_size=1, max_size=3), max_size=20), max_size=12), st.integers(1, 12))
def test_words_that_do_not_fit_in_memory_are_counted_exactly(lists, most):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counts_on_disk, "_HELD", 3)
        patch.setattr(counts_on_disk, "_RUNS", 3)
        with counts_on_disk.WordCounts() as counts:
            for words in lists:
                counts.add(words)
            found = counts.most_frequent(most)
    every = [word for words in lists for word in words]
    exact = {word: every.count(word) for word in every}
    assert counts.total == len(every)
    assert counts.distinct == len(exact)
    assert found.items() <= exact.items()
    ranked = sorted(exact, key=lambda word: (-exact[word], word))
    assert set(ranked[:most]) <= set(found)


def test_very_long_words_are_put_aside_too(monkeypatch):
    monkeypatch.setattr(counts_on_disk, "_HELD_CHARACTERS", 1000)
    with counts_on_disk.WordCounts() as counts:
        for i in range(20):
            counts.add([f"{i:0500}"])
            assert len(counts._held) <= 3
        assert len(counts.most_frequent(100)) == 20


def test_a_word_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(splitting, "_LONGEST_WORD", 1000)
    with pytest.raises(InputError, match=r"position 0.*split='character'"):
        list(splitting.words("x" * 200_000))


def test_a_vocabulary_that_counted_part_of_the_words_knows_how_much_it_left_out(monkeypatch):
    text = " ".join(f"w{i % 50}" for i in range(1000))
    whole = Vocabulary.from_texts([text], split="word", max_tokens=8)
    monkeypatch.setattr(counts_on_disk, "_HELD", 5)
    part = Vocabulary.from_texts([text], split="word", max_tokens=8)
    assert part == whole
    assert part.coverage().distinct == whole.coverage().distinct


# --- the cache ------------------------------------------------------------------------------------------------------


def test_a_text_is_found_again_by_content_and_by_how_it_is_read(folder, monkeypatch):
    (folder / "a.txt").write_text(LINES)
    first = prepare_corpus("a.txt")
    (folder / "b.txt").write_text(LINES)
    os.utime("b.txt", (1, 1))  # a clock that went backwards
    with monkeypatch.context() as patch:
        patch.setattr(Vocabulary, "from_pieces", lambda *_, **__: pytest.fail("it is counted again"))
        again = prepare_corpus("b.txt")
    assert again.path == first.path
    assert again.summary() == {**first.summary(), "source": "b.txt"}
    others = [prepare_corpus("a.txt", **how) for how in ({"lines": True}, {"split": "word"}, {"min_count": 2})]
    (folder / "b.txt").write_text(LINES.replace("b", "c"))
    os.utime("b.txt", (1, 1))
    others.append(prepare_corpus("b.txt"))
    assert len({first.path, *(other.path for other in others)}) == 5


@pytest.mark.parametrize("name", ["ids.bin", "manifest.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "longer", "remove"])
def test_what_is_damaged_in_the_cache_is_made_again_and_elsewhere_refused(folder, name, damage):
    (folder / "a.txt").write_text(LINES)
    inside = prepare_corpus("a.txt")
    ids = inside.ids.tolist()  # a file may not be cut short while it is mapped
    for path in (inside.path, prepare_corpus("a.txt", "mine").path):
        data = (path / name).read_bytes()
        flipped = bytes([data[0] ^ 255]) + data[1:]
        wrong = {"cut": data[:-1], "flip": flipped, "empty": b"", "longer": data + b"]", "remove": None}[damage]
        if wrong is None:
            (path / name).unlink()
        else:
            (path / name).write_bytes(wrong)
    with pytest.raises(InputError):
        open_prepared("mine")
    with pytest.raises(InputError, match="choose another directory"):
        prepare_corpus("a.txt", "mine")
    assert prepare_corpus("a.txt").ids.tolist() == ids


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        *(({"max_tokens": value}, "max_tokens must be a whole number") for value in (0, 3, True, 4.5, "9")),
        *(({"min_count": value}, "min_count must be a whole number") for value in (0, True, None)),
        ({"split": "sentence"}, "split must be one of"),
    ],
)
def test_a_limit_means_what_it_means_to_a_vocabulary(folder, limits, message):
    """Nothing is read before, let alone made."""
    with pytest.raises(InputError, match=message):
        prepare_corpus("no such file", **limits)
    with pytest.raises(InputError, match=message):
        Vocabulary.from_texts(["text"], **limits)
    assert not (folder / "keras").exists()


def test_limits_may_be_numbers_of_numpy(folder):
    (folder / "a.txt").write_text("to be or not to be")
    numbers = prepare_corpus("a.txt", max_tokens=np.int64(6), min_count=np.int16(2))
    assert numbers.vocabulary == Vocabulary.from_texts(["to be or not to be"], max_tokens=6, min_count=2)
    assert prepare_corpus("a.txt", max_tokens=6, min_count=2).path == numbers.path


def test_ids_that_the_vocabulary_lacks_are_refused_though_their_hash_is_right(folder):
    (folder / "a.txt").write_text(LINES)
    path = prepare_corpus("a.txt", "mine").path
    ids = b"\xff" * (path / "ids.bin").stat().st_size
    (path / "ids.bin").write_bytes(ids)
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "ids_sha256": hashlib.sha256(ids).hexdigest()}))
    with pytest.raises(InputError, match="changed after"):
        open_prepared(path)


def test_a_directory_that_holds_something_else_is_left_alone(folder):
    (folder / "a.txt").write_text(LINES)
    (folder / "mine").mkdir()
    assert prepare_corpus("a.txt", "mine").path.name == "mine"  # it was empty
    assert prepare_corpus("a.txt", "mine").path.name == "mine"  # it is the same
    with pytest.raises(InputError, match="something else"):
        prepare_corpus("a.txt", "mine", split="word")
    with pytest.raises(InputError, match="no directory"):
        prepare_corpus("a.txt", "no/where")
    (folder / "empty.txt").touch()
    with pytest.raises(InputError, match="is empty"):
        prepare_corpus("empty.txt", "other")
    assert not (folder / "other").exists()


def test_a_text_that_changes_while_it_is_read_is_refused(folder, monkeypatch):
    (folder / "a.txt").write_text(LINES)
    count = Vocabulary.from_pieces

    def change(*args):
        (folder / "a.txt").write_text(LINES * 2)
        return count(*args)

    monkeypatch.setattr(Vocabulary, "from_pieces", change)
    with pytest.raises(InputError, match="changed while it was read"):
        prepare_corpus("a.txt")
    assert entries(folder) == []


def test_a_disk_with_too_little_space_is_refused_before_ids_are_written(folder, monkeypatch):
    (folder / "a.txt").write_text(LINES)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 5, 5))
    monkeypatch.setattr(ids_file.IdsFile, "add", lambda *_: pytest.fail("it writes"))
    with pytest.raises(InputError, match=rf"has 5 bytes free, and {len(LINES)} are needed"):
        prepare_corpus("a.txt")
    assert entries(folder) == []


# --- training -------------------------------------------------------------------------------------------------------


def test_batches_of_a_prepared_corpus_are_those_of_the_text(folder):
    from tfgen import datasets

    (folder / "a.txt").write_text(LINES * 30)
    for cut, reading in (("streams", {}), ("documents", {"lines": True})):
        loaded = load_corpus("a.txt", **reading)
        found = prepare_corpus("a.txt", **reading)
        vocabulary = Vocabulary.from_corpus(loaded)
        both = [
            getattr(datasets, cut)(*given, batch_size=4, length=5)
            for given in ((loaded, vocabulary), (found,), (found, vocabulary))
        ]
        for part in (0, 1):
            rows = [[np.stack(batch) for batch in each[part].as_numpy_iterator()] for each in both]
            assert all(np.array_equal(a, b) for other in rows[1:] for a, b in zip(rows[0], other, strict=True))


def test_a_prepared_corpus_knows_its_vocabulary_and_no_other(folder):
    from tfgen import datasets

    (folder / "a.txt").write_text(LINES * 30)
    found = prepare_corpus("a.txt")
    with pytest.raises(InputError, match="another vocabulary"):
        datasets.streams(found, Vocabulary(["x"]))
    with pytest.raises(InputError, match="needs a vocabulary"):
        datasets.streams(load_corpus("a.txt"))
    wider = Vocabulary([*found.vocabulary.tokens[3:], "z"])
    assert prepare_corpus("a.txt", vocabulary=wider).vocabulary == wider
    with pytest.raises(InputError, match="characters that the vocabulary lacks"):
        prepare_corpus("a.txt", vocabulary=Vocabulary(["t", "o"]))


def test_preparing_needs_no_tensorflow(folder):
    (folder / "a.txt").write_text(LINES)
    program = "import sys, tfgen; tfgen.prepare_corpus('a.txt'); print({'tensorflow', 'keras'} & {*sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env={**ENVIRONMENT, **os.environ}
    )
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="this system does not tell peaks of memory")
def test_memory_does_not_grow_with_the_text(folder):
    """Not by half as much as the text grows: the figures are in docs/reliability.md."""
    program = (
        "import sys, tfgen; tfgen.prepare_corpus(sys.argv[1]);"
        "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    )
    peaks = []
    for size in (1, 60):
        (folder / "a.txt").write_text("So it goes, ü.\n" * (size << 16))
        done = process(program, "a.txt")
        peaks.append(int(done.stdout) * 1024)
    assert peaks[1] - peaks[0] < pathlib.Path("a.txt").stat().st_size / 2
