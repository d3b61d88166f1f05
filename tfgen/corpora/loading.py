"""From what a user names to a corpus."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tfgen.corpora.columns import Quoting
from tfgen.corpora.corpus import Corpus
from tfgen.corpora.encodings import Errors
from tfgen.corpora.forms import Form
from tfgen.corpora.sources import STANDARD_INPUT, StrPath, as_names, find
from tfgen.corpora.text_source import Control, Reading, TextSource
from tfgen.errors import InputError
from tfgen.support import keywords


@keywords.suggesting
def load_corpus(
    source: StrPath | Sequence[StrPath],
    *,
    column: str | None = None,
    lines: bool = False,
    encoding: str = "utf-8",
    unescape: bool = False,
    strip_gutenberg: bool = False,
    normalize: Form | None = None,
    control: Control = "error",
    keep_line_ends: bool = False,
    delimiter: str | None = None,
    quoting: Quoting | None = None,
    paragraphs: bool = False,
    split_on: str | None = None,
    errors: Errors = "strict",
    lower: bool = False,
) -> Corpus:
    r"""Load text to learn from.

    One text becomes one document without an end (`ends=False`). Several files become one document each, and the rows
    of a column and the lines of a text too (`ends=True`). Texts are kept as they are, unless cleaning is asked for, but
    for a byte order mark (U+FEFF) at the beginning of a file and the ends of lines (`\n`, `\r\n` or `\r`), which become
    `\n`. Nothing else is left out except what holds nothing to learn: blank lines and cells, empty files among several.

    Args:
        source: One of these, or a list of them:

            - a path to a file; `.gz`, `.bz2`, `.xz` and, with the extra `zst`, `.zst` are decompressed;
            - a folder: every file of text below it, in sorted order; linked folders are followed once; hidden, binary
              and special files, those of version control, and links to nothing are counted and not read;
            - a name in `NAMED_CORPORA` (a path of that name, if there is one, comes first);
            - a glob such as `poems/*.txt`: the files it matches, in sorted order; `**` stands for any folders;
            - `"-"`: standard input.
        column: Take one column of a `.csv`, `.tsv`, `.tab`, `.jsonl`, `.ndjson` or `.json` file. In a table this is a
            name in its first row, which then is a header; or a number counted from 1, and then no row is taken for a
            header. A table without a header laid out as AG News is published (three columns, the first of each row a
            class from 1 to 4) also answers to `class`, `title` and `description`. In JSON it is a key
            (`a.b` for key b of the object under key a) of the objects, one a line or all in an array. Blank cells,
            `null` and missing keys are left out and counted.
        lines: Make a document of each line; not with `column`. Lines end with `\n`, `\r\n` or `\r`; other separators
            belong to the text.
        encoding: The encoding of the files, as Python names it.
        unescape: Turn HTML's character references (`&lt;`, and ` #39;`, damaged as in AG News) into characters.
        strip_gutenberg: Cut each text to what lies between Project Gutenberg's START and END lines.
        normalize: A Unicode normalisation form.
        control: What to do with NUL, U+0003 (END OF TEXT) and lone surrogates, which cannot be learned: report the
            first as an error, or replace each with U+FFFD.
        keep_line_ends: Leave `\r\n` and `\r` in the texts as they are.
        delimiter: What stands between the cells of a table, one character. None takes that of its `sep=` line (Excel's)
            or its ending; `;` in a .csv file whose first row is not cut by commas.
        quoting: "rfc4180": a cell in double quotes may hold delimiters, newlines and doubled quotes; "none": a quote is
            a character like others. None takes rfc4180 for .csv and none for .tsv and .tab, and refuses a cell that
            holds lines shaped like rows, as after a stray quote.
        paragraphs: Make a document of what lies between blank lines, such as a poem.
        split_on: Make a document of what lies between the matches of this regular expression, in which `^` and `$`
            stand for the borders of a line, such as `^---$`; blank documents, and ends of lines around one, are left
            out. Each file is held in memory, of up to 16,777,216 characters.
        errors: What to do with bytes that are not of the encoding: report the first, with likely encodings ("strict"),
            put U+FFFD in their place ("replace"), or leave them out ("ignore"); their number is in `noticed`.
        lower: Make the texts lower case, each character by itself; a vocabulary of the corpus does the same to prompts.

    Returns:
        The corpus. Its `source` is `source` as given, with the column: `"news.csv[title]"`.

    Raises:
        InputError: The source cannot be found, read, decoded or downloaded, or holds no text, or an argument is not
            among those allowed. The message is one line that says how to repair it.

    >>> names = load_corpus("unicode-names", lines=True)
    >>> names.documents[:3], names.ends
    (('SPACE', 'EXCLAMATION MARK', 'QUOTATION MARK'), True)
    >>> load_corpus("romeo_and_julia.txt", normalize="nfc")
    Traceback (most recent call last):
    tfgen.errors.InputError: normalize must be one of 'NFC', 'NFD', 'NFKC', 'NFKD'; received 'nfc'.
    """
    return open_source(
        source,
        column=column,
        lines=lines,
        encoding=encoding,
        unescape=unescape,
        strip_gutenberg=strip_gutenberg,
        normalize=normalize,
        control=control,
        keep_line_ends=keep_line_ends,
        delimiter=delimiter,
        quoting=quoting,
        paragraphs=paragraphs,
        split_on=split_on,
        errors=errors,
        lower=lower,
    ).load()


def open_source(source: StrPath | Sequence[StrPath], **reading: Any) -> TextSource:
    """Find text, to be read in pieces and more than once.

    Args:
        source: As for `load_corpus`.
        **reading: As for `load_corpus`.

    Raises:
        InputError: It cannot be found, or an argument is not among those allowed.

    >>> next(open_source("unicode-names").pieces())[:12]
    'SPACE\\x03EXCLAM'
    """
    if message := keywords.unexpected(reading, [field.name for field in dataclasses.fields(Reading)]):
        raise TypeError(message)
    how = Reading(**reading)
    names = as_names(source)
    if names.count(STANDARD_INPUT) > 1:
        raise InputError(f"standard input is read once; received it {names.count(STANDARD_INPUT)} times: name it once.")
    passed_over: Counter[str] = Counter()
    texts = tuple(text for name in names for text in find(name, how.encoding, passed_over))
    return TextSource(texts, how, _label(names, how.column), +passed_over)


def _label(names: list[str], column: str | None) -> str:
    shown = ["standard input" if name == STANDARD_INPUT else name for name in names[:3]]
    label = ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return label if column is None else f"{label}[{column}]"
