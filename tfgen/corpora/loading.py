"""From what a user names to a corpus."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tfgen.corpora.corpus import Corpus, Form
from tfgen.corpora.sources import STANDARD_INPUT, StrPath, as_names, find
from tfgen.corpora.text_source import Control, Reading, TextSource


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
) -> Corpus:
    r"""Load text to learn from.

    One text becomes one document without an end (`ends=False`). Several files become one document each, and the rows
    of a column and the lines of a text too (`ends=True`). Texts are kept as they are, newlines of every kind included,
    but for a byte order mark at the beginning of UTF-8, and unless cleaning is asked for. Nothing else is left out
    except what holds nothing to learn: blank lines and cells, empty files among several.

    Args:
        source: One of these, or a list of them:

            - a path to a file; `.gz`, `.bz2`, `.xz` and, with the extra `zst`, `.zst` are decompressed;
            - a folder: every regular file below it, in sorted order, save hidden ones;
            - a name in `NAMED_CORPORA` (a path of that name, if there is one, comes first);
            - a glob such as `poems/*.txt`: the files it matches, in sorted order; `**` stands for any folders;
            - `"-"`: standard input.
        column: Take one column of a `.csv`, `.tsv`, `.tab`, `.jsonl` or `.ndjson` file. In a table this is a name in
            its first row, which then is a header; or a number counted from 1, and then no row is taken for a header.
            A table without a header laid out as AG News is published (three columns, the first of each row a class
            from 1 to 4) also answers to `class`, `title` and `description`. In JSON lines it is a key.
        lines: Make a document of each line; not with `column`. Lines end with `\n` or `\r\n`; other separators belong
            to the text.
        encoding: The encoding of the files, as Python names it.
        unescape: Turn HTML's character references (`&lt;`, and ` #39;`, damaged as in AG News) into characters.
        strip_gutenberg: Cut each text to what lies between Project Gutenberg's START and END lines.
        normalize: A Unicode normalisation form.
        control: What to do with NUL, U+0003 (END OF TEXT) and lone surrogates, which cannot be learned: report the
            first as an error, or replace each with U+FFFD.

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
    how = Reading(**reading)
    names = as_names(source)
    texts = tuple(text for name in names for text in find(name))
    return TextSource(texts, how, _label(names, how.column))


def _label(names: list[str], column: str | None) -> str:
    shown = ["standard input" if name == STANDARD_INPUT else name for name in names[:3]]
    label = ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return label if column is None else f"{label}[{column}]"
