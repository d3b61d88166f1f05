"""Two columns of a table as pairs of a source and a text: row by row, whatever the table holds."""

import bz2
import csv
import gzip
import io
import json
import pathlib
import tempfile

import pytest
from corpora_support import TEXT, shared_file
from hypothesis import given
from hypothesis import strategies as st

from tfgen.corpora import compressed, files, text_source
from tfgen.corpora.corpus import Corpus
from tfgen.corpora.pairs import Pairs, load_pairs, open_pairs
from tfgen.corpora.text_source import Reading
from tfgen.errors import InputError

# What tables trip over: quotes, delimiters, newlines, blanks of all kinds, references to blanks, marks in the middle.
CELLS = st.one_of(
    st.sampled_from(["", " ", "\t\n", "\u3000", "\xa0", "&nbsp;", " &#32;", "&#3;", "\ufeff", '"', ",", "x"]),
    st.lists(st.sampled_from([*"a,\t\"'\\\n\r ;#&e\u0301\ufeff\x1f\x85\u2028", "&nbsp;", "&quot;"])).map("".join),
    TEXT,
)
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8)
READING = st.fixed_dictionaries(
    {
        "unescape": st.booleans(),
        "normalize": st.sampled_from([None, "NFC", "NFKD"]),
        "control": st.sampled_from(["error", "replace"]),
    }
)


def table(rows, name="a.csv", header=("written", "other", "iso"), mark=""):
    """A table that holds these rows of three cells."""
    if name.startswith("a.jsonl"):
        text = "".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in rows)
    else:
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, delimiter="\t" if ".tsv" in name else ",", quoting=csv.QUOTE_ALL)
        writer.writerows([header, *rows] if header else rows)
        text = stream.getvalue()
    return (mark + text).encode()


def load_bytes(data, name="a.csv", source="written", column="iso", **reading):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, name)
        path.write_bytes(data)
        return load_pairs(path, source=source, column=column, **reading)


def refusal(data, name="a.csv", **columns):
    with pytest.raises(InputError) as caught:
        load_bytes(data, name, **columns)
    message = str(caught.value)
    assert len(message.splitlines()) == 1, message
    return message


def expected(rows, **reading):
    """The pairs of these rows by definition: a row counts if both of its cells have text before and after cleaning."""
    clean = Reading(**reading).clean
    kept = [(a, b) for a, _, b in rows if a.strip() and b.strip()]
    return [(clean(a), clean(b)) for a, b in kept if clean(a).strip() and clean(b).strip()]


def rows_of(pairs):
    return list(zip(pairs.sources.documents, pairs.texts.documents, strict=True))


@given(ROWS, READING, st.sampled_from(["a.csv", "a.tsv", "a.jsonl"]), st.sampled_from(["", "\ufeff"]))
def test_each_text_stands_beside_the_source_of_its_row(rows, reading, name, mark):
    data = table(rows, name, mark=mark if name != "a.jsonl" or rows else "")
    pairs = expected(rows, **reading)
    how = reading if name == "a.jsonl" else {"quoting": "rfc4180", **reading}
    if not pairs:
        with pytest.raises(InputError):
            load_bytes(data, name, **how)
        return
    assert rows_of(load_bytes(data, name, **how)) == pairs


@given(ROWS, READING, st.integers(1, 5))
def test_both_sides_agree_when_they_are_read_in_pieces(rows, reading, size):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(compressed, "PIECE", size)
        patch.setattr(text_source, "PIECE", size)
        path = pathlib.Path(folder, "a.csv")
        path.write_bytes(table(rows))
        sides = open_pairs(path, source="written", column="iso", quoting="rfc4180", **reading)
        documents = ["".join(side.pieces()).split("\x03")[:-1] for side in sides]
    assert list(zip(*documents, strict=True)) == expected(rows, **reading)


FORBIDDEN = st.sampled_from(["a\x03", "\x00", "b", "", " "])


@given(st.lists(st.tuples(FORBIDDEN, st.just("-"), FORBIDDEN), min_size=1))
def test_what_cannot_be_learned_is_refused_on_both_sides_or_on_neither(rows):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "a.jsonl")
        path.write_bytes(table(rows, "a.jsonl"))

        def outcome(side):
            try:
                return sum(piece.count("\x03") for piece in side.pieces())
            except InputError:
                return "refused"

        one, other = map(outcome, open_pairs(path, source="written", column="iso"))
        replaced = load_counts(path)
    assert one == other
    assert one in ("refused", replaced)


def load_counts(path):
    """The number of pairs where what cannot be learned is replaced; it is the same on both sides."""
    sides = open_pairs(path, source="written", column="iso", control="replace")
    (count,) = {sum(piece.count("\x03") for piece in side.pieces()) for side in sides}
    return count


@given(ROWS.filter(expected), st.sampled_from(["1", "written"]), st.sampled_from(["3", "iso"]))
def test_a_column_has_a_name_or_a_number_and_one_name_makes_the_first_row_a_header(rows, source, column):
    pairs = rows_of(load_bytes(table(rows), source=source, column=column))
    header = [] if {source, column} & {"written", "iso"} else [("written", "iso")]
    assert pairs == header + expected(rows)
    assert pairs == [(a, b) for b, a in rows_of(load_bytes(table(rows), source=column, column=source))]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_a_compressed_table(compress):
    name = {gzip.compress: "a.csv.gz", bz2.compress: "a.csv.bz2"}[compress]
    assert rows_of(load_bytes(compress(table([("May 4", "", "05-04")])), name)) == [("May 4", "05-04")]


def test_several_tables_follow_one_another(tmp_path):
    for name, cells in (("a.csv", ("1", "", "one")), ("b.jsonl", ("2", "", "two"))):
        (tmp_path / name).write_bytes(table([cells], "a.jsonl" if name == "b.jsonl" else name))
    pairs = load_pairs(tmp_path, source="written", column="iso")
    assert rows_of(pairs) == [("1", "one"), ("2", "two")]
    assert (pairs.sources.source, pairs.texts.source) == (f"{tmp_path}[written]", f"{tmp_path}[iso]")


def test_the_layout_of_ag_news_answers_to_its_column_names():
    data = b'"3","Rain","It rains."\n"4","Sun","It\nshines."\n'
    assert rows_of(load_bytes(data, source="class", column="title")) == [("3", "Rain"), ("4", "Sun")]
    assert rows_of(load_bytes(data, source="title", column="1")) == [("Rain", "3"), ("Sun", "4")]
    assert "line 3 begins with '5'" in refusal(b"3,a,b\n4,a,b\n5,c,d\n", source="class", column="title")
    assert "no column 'headline'" in refusal(data, source="class", column="headline")
    # A first row in which only one of two known names stands is the first of a table without a header.
    assert rows_of(load_bytes(b"1,title,x\n", source="class", column="title")) == [("1", "title")]


def test_ag_news_itself():
    pairs = load_pairs(shared_file("ag_news_test.csv"), source="class", column="title", unescape=True)
    assert pairs.texts.number_of_documents == 7600
    assert set(pairs.sources.documents) == {"1", "2", "3", "4"}


@pytest.mark.parametrize(
    ("data", "columns", "fact"),
    [
        (b"id,iso\n1,a\n", {}, "no column 'written' in its first row, which is 'id', 'iso'"),
        (b"written,id\n1,a\n", {}, "no column 'iso' in its first row, which is 'written', 'id'"),
        (b"written,iso\n1,a\n", {"source": "3"}, "no column 3; its columns are numbered 1 to 2"),
        (b"written,iso\n1,a\n", {"source": "iso"}, "source and column are both 'iso'"),
        (b"written,iso\n1,a\n", {"source": "2"}, "one and the same column for '2', 'iso'"),
        (b"written,iso\n1,a\n", {"source": 2}, "source must be a str such as 'title' or '2'; received 2"),
        (b"written,iso\n1,a\n", {"column": None}, "column must be a str"),
        (b"written,iso\n,a\n ,b\n", {}, "no row has text in both 'iso' and 'written'"),
        (b"written,iso\n,a\nb,\n", {}, "no row has text in both 'iso' and 'written'"),
        (b"written,iso\n", {}, "no pairs"),
        (b"", {}, "no pairs"),
        (b"written,iso\n1,a\n2\n", {}, "line 3 has 1 cells where the first row has 2"),
        (b"written,iso\n1,a\n", {"normalize": "nfc"}, "normalize must be one of"),
    ],
)
def test_what_cannot_be_paired_is_refused_with_a_reason(data, columns, fact):
    assert fact in refusal(data, **columns)


def test_lines_of_json_are_refused_by_their_number():
    assert "has no column 'iso' in any row; the first one has 'written'" in refusal(b'{"written": "a"}\n', "a.jsonl")
    assert "holds no pairs" in refusal(b'{"written": "a", "iso": null}\n', "a.jsonl")


def test_what_is_no_table_is_refused():
    assert "a column cannot be read from" in refusal(b"May 4", "dates.txt")
    for name in ("-", "python-docs"):
        with pytest.raises(InputError, match=r"cannot be read from standard input|has no columns; remove source and"):
            load_pairs(name, source="written", column="iso")


def test_a_table_without_end_is_refused_before_it_fills_the_memory(monkeypatch):
    monkeypatch.setattr(files, "LONGEST_RECORD", 1000)
    monkeypatch.setattr("tfgen.corpora.columns.LONGEST_RECORD", 1000)
    assert "1,000 characters" in refusal(b'written,iso\n"' + b"x\n" * 3000 + b'",y\n')
    monkeypatch.setattr(text_source, "_MOST_IN_MEMORY", 100)
    assert "tfgen.prepare_pairs" in refusal(b"written,iso\n" + b"12345,1\n" * 100)


def test_pairs_are_as_many_sources_as_texts_that_end():
    two, three = (Corpus.from_texts(["x"] * count) for count in (2, 3))
    with pytest.raises(InputError, match="received 2 sources for 3 texts"):
        Pairs(two, three)
    with pytest.raises(InputError, match="'text' is a running text"):
        Pairs(Corpus.from_text("x"), Corpus.from_text("y"))
