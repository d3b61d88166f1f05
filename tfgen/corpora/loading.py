"""From what a user names to a corpus: find, read, check, cut, clean."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

from tfgen.corpora import cleaning, columns, files
from tfgen.corpora.corpus import Corpus, Document, find_forbidden, replace_forbidden
from tfgen.corpora.named import NamedCorpus
from tfgen.corpora.sources import STANDARD_INPUT, StrPath, TextFile, as_names, find
from tfgen.errors import InputError

Form: TypeAlias = Literal["NFC", "NFD", "NFKC", "NFKD"]

_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
_CONTROLS = ("error", "replace")


def load_corpus(
    source: StrPath | Sequence[StrPath],
    *,
    column: str | None = None,
    lines: bool = False,
    encoding: str = "utf-8",
    unescape: bool = False,
    strip_gutenberg: bool = False,
    normalize: Form | None = None,
    control: Literal["error", "replace"] = "error",
) -> Corpus:
    r"""Load text to learn from.

    One text becomes one document without an end (`ends=False`). Several files become one document each, and the rows
    of a column and the lines of a text too (`ends=True`). Texts are kept as they are, newlines of every kind included,
    but for a byte order mark at the beginning of UTF-8, and unless cleaning is asked for. Nothing else is left out
    except what holds nothing to learn: blank lines and cells, empty files among several.

    Args:
        source: One of these, or a list of them:

            - a path to a file;
            - a folder: every regular file below it, in sorted order, save hidden ones;
            - a name in `NAMED_CORPORA` (a path of that name, if there is one, comes first);
            - a glob such as `poems/*.txt`: the files it matches, in sorted order; `**` stands for any folders;
            - `"-"`: standard input.
        column: Take one column of a `.csv`, `.tsv`, `.tab`, `.jsonl` or `.ndjson` file. In a table this is a name in
            its first row, which then is a header; or a number counted from 1, and then no row is taken for a header.
            A table without a header laid out as AG News is published (three columns, the first a class from 1 to 4)
            also answers to `class`, `title` and `description`. In JSON lines it is a key.
        lines: Make a document of each line. Lines end with `\n` or `\r\n`; other separators belong to the text.
        encoding: The encoding of the files, as Python names it.
        unescape: Turn HTML's character references (`&lt;`, and AG News' damaged ` #39;`) into characters.
        strip_gutenberg: Cut each text to what lies between Project Gutenberg's START and END lines.
        normalize: A Unicode normalisation form.
        control: What to do with NUL, U+0003 (END OF TEXT) and lone surrogates, which cannot be learned: report the
            first as an error, or replace each with U+FFFD.

    Returns:
        The corpus. Its `source` is `source` as given, with the column: `"news.csv[title]"`.

    Raises:
        InputError: The source cannot be found, read, decoded or downloaded, or holds no text, or an argument is not
            among those allowed. The message is one line that says how to mend it.

    >>> names = load_corpus("unicode-names", lines=True)
    >>> names.documents[:3], names.ends
    (('SPACE', 'EXCLAMATION MARK', 'QUOTATION MARK'), True)
    >>> load_corpus("romeo_and_julia.txt", normalize="nfc")
    Traceback (most recent call last):
    tfgen.errors.InputError: normalize must be one of 'NFC', 'NFD', 'NFKC', 'NFKD', got 'nfc'
    """
    if normalize is not None:
        _check_choice("normalize", normalize, _FORMS)
    _check_choice("control", control, _CONTROLS)
    files.check_encoding(encoding)
    if not isinstance(column, str | None):
        raise InputError(f"column must be a str such as 'title' or '2', got {column!r}")

    names = as_names(source)
    texts = [text for name in names for text in find(name)]
    documents: list[str] = []
    for text in texts:
        for document in _read(text, column, encoding):
            checked = _check_characters(document, control)
            documents += _cut_and_clean(checked, lines, unescape, strip_gutenberg, normalize)

    label = _label(names, column)
    documents = [document for document in documents if document]
    if not documents:
        raise InputError(_no_text(label, column, lines))
    ends = column is not None or lines or len(texts) > 1 or (isinstance(texts[0], NamedCorpus) and texts[0].ends)
    return Corpus(tuple(documents), ends, label)


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")


def _read(text: TextFile | NamedCorpus, column: str | None, encoding: str) -> Iterator[Document]:
    if isinstance(text, NamedCorpus):
        if column is not None:
            raise InputError(f"{text.name!r} is a named corpus and has no columns; leave column (--column) away")
        yield from text.read()
    elif column is None:
        yield Document(files.decode(text.read(), text.place, encoding), text.place)
    else:
        ending = columns.table_ending(text.path, text.place)
        table = files.decode(text.read(), text.place, encoding)
        yield from columns.read_column(table, ending, text.place, column)


def _check_characters(document: Document, control: str) -> Document:
    found = find_forbidden(document.text)
    if not found:
        return document
    if control == "replace":
        return document._replace(text=replace_forbidden(document.text))
    raise InputError(
        f"{document.place} holds {found}; remove it, or have it replaced by U+FFFD "
        "(control='replace', --control replace)"
    )


def _cut_and_clean(
    document: Document, lines: bool, unescape: bool, strip_gutenberg: bool, normalize: Form | None
) -> Iterator[str]:
    if strip_gutenberg:  # before lines are cut, for its markers are lines themselves
        document = document._replace(text=cleaning.strip_gutenberg(document.text, document.place))
    for text, _ in files.split_lines(document) if lines else [document]:
        cleaned = cleaning.unescape(text) if unescape else text
        yield unicodedata.normalize(normalize, cleaned) if normalize else cleaned


def _label(names: list[str], column: str | None) -> str:
    shown = ["standard input" if name == STANDARD_INPUT else name for name in names[:3]]
    label = ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return label if column is None else f"{label}[{column}]"


def _no_text(label: str, column: str | None, lines: bool) -> str:
    if column is not None:
        return f"{label!r} holds no text: there are no rows, or the column is empty in each; choose another"
    if lines:
        return f"{label!r} holds no text: every line is blank; give a file with some"
    return f"{label!r} is empty; give a file with some text in it"
