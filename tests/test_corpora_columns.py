"""One column of a CSV, TSV or JSON-lines file."""

import csv
import io
import json
import time

import pytest
from corpora_support import TEXT, load_bytes, refusal, refusal_of_bytes, shared_file
from hypothesis import given
from hypothesis import strategies as st

from tfgen.corpora import columns, compressed, files, json_rows, load_corpus
from tfgen.errors import InputError

NOT_BLANK = TEXT.filter(str.strip)


def table(rows, **dialect) -> bytes:
    stream = io.StringIO(newline="")
    csv.writer(stream, **dialect).writerows(rows)
    return stream.getvalue().encode()


@given(st.lists(NOT_BLANK, min_size=1), st.sampled_from([("a.csv", ","), ("a.tsv", "\t"), ("a.TAB", "\t")]))
def test_cells_come_back_as_csv_wrote_them(cells, kind):
    name, delimiter = kind
    data = table([["id", "title"], *([i, cell] for i, cell in enumerate(cells))], delimiter=delimiter)
    corpus = load_bytes(data, name, column="title", keep_line_ends=True, quoting="rfc4180")
    assert corpus.documents == tuple(cells)
    assert corpus.ends is True
    assert corpus.source.endswith("[title]")


@given(st.lists(NOT_BLANK, min_size=1), st.booleans(), st.sampled_from(["a.jsonl", "a.ndjson"]))
def test_strings_come_back_as_json_wrote_them(cells, ascii_only, name):
    lines = [json.dumps({"id": i, "title": cell}, ensure_ascii=ascii_only) for i, cell in enumerate(cells)]
    data = "\n".join(lines).encode()
    assert load_bytes(data, name, column="title", keep_line_ends=True).documents == tuple(cells)


def test_blank_cells_and_blank_lines_are_no_documents():
    assert load_bytes(b'title\nRain\n\n""\n  \nSun\n', "a.csv", column="title").documents == ("Rain", "Sun")
    assert load_bytes(b'{"t": 3}\n{"t": "Rain"}', "a.jsonl", column="t").documents == ("3", "Rain")
    assert load_bytes(b'{"t": "Rain"}\r\n\n{"t": ""}\n', "a.jsonl", column="t").documents == ("Rain",)


def test_a_number_counts_columns_and_takes_no_row_for_a_header():
    assert load_bytes(b"id,title\n1,Rain\n", "a.csv", column="2").documents == ("title", "Rain")
    # A number is a position even where a cell of the first row reads the same.
    assert load_bytes(b"2,Rain\n3,Sun\n", "a.csv", column="2").documents == ("Rain", "Sun")
    assert load_bytes(b'{"2": "Rain"}', "a.jsonl", column="2").documents == ("Rain",)


def test_a_cell_may_be_larger_than_the_csv_module_allows_and_its_limit_is_left_alone():
    limit = csv.field_size_limit()
    assert load_bytes(table([["t"], ["x" * 200_000]]), "a.csv", column="t").characters == 200_000
    # The first row is looked at for what stands between its cells.
    assert load_bytes(f"t;{'x' * 200_000}\na;b\n".encode(), "a.csv", column="t").documents == ("a",)
    assert load_bytes(f"{'x' * 200_000};y\n".encode(), "a.csv", column="1").characters == 200_000
    refusal_of_bytes(b't\n"open', "a.csv", column="t")
    assert csv.field_size_limit() == limit


def test_the_layout_of_ag_news_answers_to_its_column_names():
    data = b'"3","Rain","It rains."\n"4","Sun","It\nshines."\n'
    assert load_bytes(data, "news.csv", column="title").documents == ("Rain", "Sun")
    assert load_bytes(data, "news.csv", column="description").documents == ("It rains.", "It\nshines.")
    refused = refusal_of_bytes(data, "news.csv", column="headline")
    assert "'3', 'Rain', 'It rains.'" in refused
    assert "'class', 'title', 'description'" in refused
    numbered = b"".join(b"%d,Rain,It rains.\n" % i for i in range(1, 6))
    assert "line 5 begins with '5'" in refusal_of_bytes(numbered, "news.csv", column="title")
    assert len(load_bytes(numbered, "news.csv", column="2").documents) == 5
    assert "no column 'title'" in refusal_of_bytes(b'"7","Rain","It rains."\n', "news.csv", column="title")


def test_other_layouts_without_a_header_may_be_known():
    class Ledger:
        def columns(self, first):
            return ["day", "note"] if first[0] == "1" else []

        def fault(self, row):
            return "" if row[0].isdecimal() else "has no day"

    def read(text, column):
        return [cell.text for cell in columns.read_column([text], ".csv", "a.csv", column, Ledger())]

    assert read("1,Rain\n2,Sun\n", "note") == ["Rain", "Sun"]
    assert read("day,note\n2,Sun\n", "note") == ["Sun"]
    with pytest.raises(InputError, match="line 2 has no day, so that its columns have no names"):
        read("1,Rain\nx,Sun\n", "note")
    with pytest.raises(InputError, match=r"no column 'title'.* or of 'day', 'note', or a number from 1 to 3"):
        read("1,Rain,It rains.\n", "title")


def test_ag_news_itself():
    path = shared_file("ag_news_test.csv")
    titles = load_corpus(path, column="title", unescape=True)
    assert len(titles.documents) == 7600
    assert titles.documents == load_corpus(path, column="2", unescape=True).documents
    assert titles.documents[0] == "Fears for T N pension after talks"
    text = "\n".join(titles.documents)
    assert "doesn't" in text
    assert "J&J" in text
    assert not any(damaged in text for damaged in ("#39;", "#36;", "&lt;", "quot;", " amp;"))


@pytest.mark.parametrize(
    ("data", "column", "fact"),
    [
        (b"id,title\n1,a\n", "titel", "no column 'titel' in its first row, which is 'id', 'title'"),
        (b"id,title\n1,a\n", "3", "no column 3; its columns are numbered 1 to 2"),
        (b"id,title\n1,a\n", "0", "no column 0"),
        (b"id,title\n1,a\n", "9" * 5000, "no column 9999"),
        (b"id,title\n1,a\n2\n", "title", "line 3 has 1 cells where the first row has 2"),
        (b'id,title\n1,"a\nb"\n2,a,b\n', "title", "line 4 has 3 cells"),
        (b'id,title\n1,"a"b\n', "title", "line 2: "),
        (b'id,title\n1,a\n2,"open\n\n', "title", "line 3: unexpected end of data"),
        (b"id,title\n1,\n2,\n", "title", "empty in each"),
        (b"id,title\n", "title", "no rows"),
        (b"", "title", "no rows"),
        (b"id,title\n1,a\xff\n", "title", "byte 0xff at offset 12"),
        (b"id,title\n1,a\x03\n", "title", "line 2 holds U+0003 (END OF TEXT, which marks where a text ends)"),
        (",".join(f"column{i}" for i in range(3000)).encode(), "x", "and 2992 more"),
    ],
)
def test_what_is_wrong_in_a_table_is_named(data, column, fact):
    assert fact in refusal_of_bytes(data, "a.csv", column=column)


@pytest.mark.parametrize(
    ("data", "fact"),
    [
        (b'{"t": "a"}\n{"t": "b"', "line 2 is not JSON"),
        (b"title\n", "line 1 is not JSON"),
        (b"[1]", "line 1 holds a JSON list"),
        (b'{"v": "a"}\n\n{"u": "b"}', "has no column 't' in any row; the first one has 'v'"),
        (b"{}", "the first one has nothing"),
        (b'{"t": 3.5}', "line 1: column 't' is float, neither a string nor a whole number"),
        (b'{"t": true}', "line 1: column 't' is bool, neither a string nor a whole number"),
        (b'{"t": null}', "empty in each"),
        (b'{"t": ' + b"[" * 100_000, "line 1 is JSON too deep"),
        (b'{"t": ' + b"1" * 10_000 + b"}", "too long"),
        (b'{"t": ""}\n{"t": " "}', "empty in each"),
        (b'{"t": "a"}\n{"t": "b\\u0003"}', "line 2 holds U+0003"),
        (b'{"t": "b\\ud83d"}', "line 1 holds U+D83D (a lone surrogate"),
    ],
)
def test_what_is_wrong_in_json_lines_is_named(data, fact):
    assert fact in refusal_of_bytes(data, "a.jsonl", column="t")


def test_half_characters_are_replaced_on_request():
    assert load_bytes(b'{"t": "b\\ud83d"}', "a.jsonl", column="t", control="replace").documents == ("b\ufffd",)


def test_only_tables_have_columns(monkeypatch):
    endings = ".csv, .tsv, .tab, .jsonl, .ndjson, .json"
    assert endings in refusal_of_bytes(b"a", "a.txt", column="t")
    assert endings in refusal("-", column="t")
    assert "has no columns" in refusal("unicode-names", column="t")
    assert "column must be a str" in refusal("python-docs", column=2)


def test_a_refused_table_leaves_the_csv_module_as_it_was():
    """Even while the error, and with it the half-read table, is still held by the one who caught it."""
    limit = csv.field_size_limit()
    with pytest.raises(InputError) as caught:
        load_bytes(b"id,title\n1,a\n2\n", "a.csv", column="title")
    assert csv.field_size_limit() == limit
    assert load_bytes(b"id,title\n1,a\n", "a.csv", column="title").documents == ("a",)
    assert caught.value is not None


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_json_is_read_as_an_array_or_object_after_object(size, monkeypatch):
    monkeypatch.setattr(compressed, "PIECE", size)
    rows = [{"a": {"b": "Ra]in"}, "n": [1]}, {"a": None}, {}, {"a": {"b": "Sun\r\n\u2028"}}, {"a.b": "Snow"}]
    spaced = "\n\r\n".join(json.dumps(row, indent=1, ensure_ascii=False) for row in rows)
    for text in (json.dumps(rows), json.dumps(rows, indent=2), spaced):
        corpus = load_bytes(text.encode(), "a.json", column="a.b")
        assert corpus.documents == ("Ra]in", "Sun\n\u2028", "Snow")
        assert corpus.noticed["blank_rows"] == 2
    assert "line 2 is not JSON" in refusal_of_bytes(b'[{"t": "a"},\n{"t" 3}]', "a.json", column="t")
    assert "ends inside the array" in refusal_of_bytes(b'[{"t": "a"},\n', "a.json", column="t")
    assert "line 1 holds a JSON int" in refusal_of_bytes(b"[1]", "a.json", column="t")


def test_blank_rows_are_counted_in_every_table():
    for name, data in {
        "a.csv": b"t,u\n,x\na,x\n  ,x\n",
        "a.tsv": b"t\tu\n\tx\na\tx\n \tx\n",
        "a.jsonl": b'{"t": null}\n{"t": "a"}\n{"u": "b"}',
    }.items():
        corpus = load_bytes(data, name, column="t")
        assert (corpus.documents, corpus.noticed) == (("a",), {"blank_rows": 2})


def test_quotes_are_characters_in_tsv_unless_asked_for():
    data = b'id\ttitle\n1\t"Rain\n2\tSun\n3\t5" disk\n'
    assert load_bytes(data, "a.tsv", column="title").documents == ('"Rain', "Sun", '5" disk')
    assert load_bytes(b't\n"a\tb"\n', "a.tsv", column="t", quoting="rfc4180").documents == ("a\tb",)
    assert load_bytes(b't\n"a"\n', "a.csv", column="t", quoting="none").documents == ('"a"',)


def test_a_cell_that_swallowed_rows_is_refused_with_its_line():
    data = b'id,title\n1,Hail\n2,"Rain\n3,Sun\n4,Moon"\n'
    assert "line 3: a cell in quotes holds lines that look like rows" in refusal_of_bytes(data, "a.csv", column="title")
    assert load_bytes(data, "a.csv", column="title", quoting="rfc4180").documents == ("Hail", "Rain\n3,Sun\n4,Moon")
    poem = b'id,poem\n1,"Roses, red\nviolets, blue\nsugar,sweet"\n'
    assert load_bytes(poem, "a.csv", column="poem").number_of_documents == 1


@pytest.mark.parametrize(
    ("data", "options"),
    [
        (b"sep=;\nid;title\n1;a,b\n", {}),
        (b'"sep=|"\r\nid|title\r\n1|a,b\r\n', {}),
        (b"id;title\n1;a,b\n", {}),
        (b"id;title;x, y\n1;a,b;2\n", {}),
        (b"id|title\n1|a,b\n", {"delimiter": "|"}),
    ],
)
def test_delimiters_are_understood_or_given(data, options):
    assert load_bytes(data, "a.csv", column="title", **options).documents == ("a,b",)


def test_delimiters_are_not_guessed_in_prose():
    assert load_bytes(b"Rain; then sun\n", "a.csv", column="1").documents == ("Rain; then sun",)
    assert "delimiter must be one character" in refusal("a.csv", column="t", delimiter="ab")
    assert "quoting is that of a table" in refusal("a.txt", quoting="none")


def test_two_columns_of_one_name_ask_for_the_number():
    message = refusal_of_bytes(b"t,u,t\n1,2,3\n", "a.csv", column="t")
    assert "numbers 1 and 3; give the number of one" in message


@pytest.mark.parametrize("first", ["SEP=;", "sep=;;;", '"sep=;"'])
def test_the_line_that_names_the_delimiter_is_known_in_each_of_its_forms(first):
    assert load_bytes(f"{first}\r\na;b\r\nx;1\r\n".encode(), "a.csv", column="b").documents == ("1",)


@pytest.mark.parametrize("delimiter", ["|", "\t", ";"])
def test_a_header_of_one_cell_names_the_option_for_what_stands_between(delimiter):
    message = refusal_of_bytes(f"a{delimiter}b\nx{delimiter}1\n".encode(), "a.csv", column="c")
    assert f"(delimiter={delimiter!r}, --delimiter" in message


@pytest.mark.parametrize("option", [{"delimiter": ";"}, {"quoting": "none"}])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_options_of_tables_are_not_ignored_in_json(option, name):
    message = refusal_of_bytes(b'{"t": "Rain"}', name, column="t", **option)
    assert message.startswith(next(iter(option)))
    assert "holds JSON" in message


def test_a_mark_where_files_were_joined_is_called_one():
    assert "line 2 begins with a byte order mark" in refusal_of_bytes(
        b'{"t": "a"}\n\xef\xbb\xbf{"t": "b"}', "a.jsonl", column="t"
    )


def test_an_error_in_a_long_json_file_is_named_with_its_line_and_not_read_over(monkeypatch):
    monkeypatch.setattr(files, "LONGEST_RECORD", 1000)
    rows = '[{"t": "a"},\n{"t": "b" "u": 1},\n' + '{"t": "c"},\n' * 1000 + '{"t": "d"}]'
    pieces = [rows[i : i + 100] for i in range(0, len(rows), 100)]
    with pytest.raises(InputError, match="line 2 is not JSON"):
        list(columns.read_column(pieces, ".json", "a.json", "t"))


@given(
    st.integers(1, 40), st.sampled_from(["[1, 2.5e-3, -4]", '"a\\u00e9\\n\\ud83d\\ude00"', "[true, false, null]", "{}"])
)
def test_json_may_be_cut_anywhere(size, value):
    text = f'[{{"v": {value}, "t": "Rain"}},\n {{"t": "Sun", "v": {value}}}]'
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    assert [cell.text for cell in columns.read_column(pieces, ".json", "a.json", "t")] == ["Rain", "Sun"]


def test_blanks_between_rows_of_json_are_passed_at_once_and_counted_as_lines():
    blank = " \t\r\n" * 300_000
    begun = time.process_time()
    assert list(json_rows.rows([blank, "[", blank, '{"t": "a"}', blank, "]", blank], "a.json", ["t"], False)) == [
        (600_001, ["a"])
    ]
    assert time.process_time() - begun < 2


def test_a_long_row_of_json_is_not_parsed_again_with_every_piece():
    text = '[{"t": "Rain", "v": [' + "1," * 200_000 + "1]}]"
    parsed = 0

    class Decoder(json.JSONDecoder):
        def raw_decode(self, s, idx=0):
            nonlocal parsed
            parsed += len(s) - idx
            return super().raw_decode(s, idx)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_rows.json, "JSONDecoder", Decoder)
        pieces = [text[i : i + 1000] for i in range(0, len(text), 1000)]
        assert len(list(columns.read_column(pieces, ".json", "a.json", "t"))) == 1
    assert parsed < 4 * len(text)
