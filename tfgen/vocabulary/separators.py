"""What stands between texts in an output, so that none is taken for a part of another."""

from __future__ import annotations

from collections.abc import Iterable

from tfgen.vocabulary.vocabulary import RESERVED, Vocabulary

_MARKS = "-=~#%*+_"
_LAST = "\u241e"  # SYMBOL FOR RECORD SEPARATOR, where a text may hold all of the others


def between(vocabulary: Vocabulary, prompts: Iterable[str]) -> str:
    r"""Give what to put between two texts of a model: an end of line, or a line that none of them can hold.

    Args:
        vocabulary: Of the model.
        prompts: What texts begin with.

    >>> between(Vocabulary.from_texts(["Rain", "Sun"]), [""]), between(Vocabulary.from_texts(["a\n\n--"]), [""])
    ('\n', '\n===\n')
    """
    known = {character for token in (*vocabulary.tokens[len(RESERVED) :], *prompts) for character in token}
    if not known & {"\n", "\r"}:
        return "\n"
    return f"\n{_line(next((mark for mark in _MARKS if mark not in known), _LAST))}\n"


def split(sample: str, corpus: Iterable[str]) -> list[str]:
    r"""Cut a sample into texts: at the line that stands between them, or at each end of a line.

    Args:
        sample: Texts, with what `between` gives between them.
        corpus: Documents of the kind of these texts.

    >>> split("Rain\nSun\n", ["Snow"]), split("a\n\nb\n---\nc", ["a\nb"])
    (['Rain', 'Sun'], ['a\n\nb', 'c'])
    """
    lines, spans = sample.split("\n"), False
    found = [line for line in map(_line, _MARKS + _LAST) if line in lines]
    for document in corpus:
        spans = spans or "\n" in document
        if found and spans:
            own = document.split("\n")
            found = [line for line in found if line not in own]
    if spans:
        return cut(sample, found[0]) if found else [sample]
    return [line for line in lines if line]


def cut(sample: str, line: str) -> list[str]:
    r"""Cut a sample into texts at a line; those that are empty are left out.

    >>> cut("a\n\nb\n%\nc\n", "%")
    ['a\n\nb', 'c\n']
    """
    texts = f"\n{sample}\n".split(f"\n{line}\n")
    texts[0], texts[-1] = texts[0].removeprefix("\n"), texts[-1].removesuffix("\n")
    return [text for text in texts if text]


def _line(mark: str) -> str:
    return mark * 3
