"""Where one token ends and the next begins: the rule for words, on code points alone.

Words are lossless: a token keeps the one space before it, every other white space is a token, and joining the tokens
gives the text back. The rule reads the classes of neighbouring characters, with operators that NumPy arrays and
TensorFlow tensors share, so that `tfgen.vocabulary.keras_layers` runs this very rule in the graph. (Regular
expressions would not do: Python's and RE2's disagree about Unicode.)

1. A mark, a joiner or an emoji modifier belongs to the character before it, and takes no further part.
2. Letters, digits and connectors (`_`) run together into words; an apostrophe between two of them stays inside.
3. Every other character stands alone, and so do characters of scripts written without spaces.
4. A space belongs to the token after it, unless white space follows.

Axis letters: T time, counted in characters (code points); N words.
"""

import functools
import itertools
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tfgen.corpora.corpus import END_OF_TEXT
from tfgen.errors import InputError, check_instance

Split = Literal["character", "word"]

# The classes of characters. From WORD upward a character can be part of a word.
ALONE, SPACE, WHITE, APOSTROPHE, WORD, EXTENDER, JOINER = range(7)

PIECE = 1 << 16  # characters worked on together: enough to amortise NumPy's calls, few enough to stay in a cache

_LONGEST_WORD = 1 << 20  # characters: a word is held whole while its end is looked for

# Scripts written without spaces between words: each character is a token (with the marks that follow it). Blocks are
# given whole, so that characters which a later Unicode adds to them are split alike.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # iteration mark, closing mark, zero
    (0x3040, 0x312F),  # Hiragana, Katakana, Bopomofo
    (0x31A0, 0x31BF),  # Bopomofo extended
    (0x31F0, 0x31FF),  # Katakana phonetic extensions
    (0x3400, 0x4DBF),  # CJK extension A
    (0x4E00, 0x9FFF),  # CJK unified ideographs
    (0xF900, 0xFAFF),  # CJK compatibility ideographs
    (0xFF66, 0xFF9F),  # halfwidth Katakana
    (0x1AFF0, 0x1B16F),  # Kana extended and supplement, small Kana
    (0x20000, 0x3FFFF),  # CJK extension B and beyond
)
_EMOJI_EXTENDERS = ((0x1F3FB, 0x1F3FF), (0xE0020, 0xE007F))  # skin tones; tags, as in the flag of Scotland
_ZERO_WIDTH_NON_JOINER, _ZERO_WIDTH_JOINER = 0x200C, 0x200D


class Runs(NamedTuple):
    """The class of every code point, as runs of equal class: run k begins at `firsts[k]` and is of `classes[k]`."""

    firsts: npt.NDArray[np.int32]
    classes: npt.NDArray[np.int32]


@functools.cache
def class_runs() -> Runs:
    """Return the classes of all code points, from this Python's `unicodedata`.

    A character that a later Unicode assigns is of class ALONE until then: splitting stays lossless, but may differ
    between Python versions for such characters.
    """
    classes = class_of_every_code_point()
    firsts = np.flatnonzero(np.diff(classes, prepend=-1))
    return Runs(firsts.astype(np.int32), classes[firsts].astype(np.int32))


@functools.cache
def class_of_every_code_point() -> npt.NDArray[np.int8]:
    """Return the same as a table, which NumPy looks up faster."""
    characters = [chr(point) for point in range(sys.maxunicode + 1)]
    categories = np.array([unicodedata.category(character) for character in characters])
    major = categories.astype("U1")
    classes = np.full(len(characters), ALONE, np.int8)
    classes[np.isin(major, ["L", "N"]) | (categories == "Pc")] = WORD
    for first, last in _UNSPACED:
        classes[first : last + 1] = ALONE
    classes[major == "M"] = EXTENDER  # after _UNSPACED, whose blocks hold marks too
    for first, last in _EMOJI_EXTENDERS:
        classes[first : last + 1] = EXTENDER
    classes[_ZERO_WIDTH_NON_JOINER] = EXTENDER
    classes[_ZERO_WIDTH_JOINER] = JOINER
    classes[[ord("'"), ord("’")]] = APOSTROPHE
    classes[[character.isspace() for character in characters]] = WHITE
    classes[ord(END_OF_TEXT)] = WHITE  # it ends a text as a newline ends a line: no space may stick to it
    classes[ord(" ")] = SPACE
    return classes


def is_white(classes: Any) -> Any:
    """Find the characters that are white space; arrays or tensors of classes in, booleans out."""
    return (classes == SPACE) | (classes == WHITE)


def extends(before: Any, this: Any) -> Any:
    """Find the characters that belong to the character before them, as a mark belongs to its letter.

    Args:
        before: classes (T,) of the characters before, an array or a tensor.
        this: classes (T,) of the characters themselves.

    Returns:
        Booleans (T,). What follows a zero-width joiner is joined: a family of emoji is one character to its reader.
    """
    sticks = (this >= EXTENDER) | ((before == JOINER) & ~is_white(this))
    return sticks & ~is_white(before)


def joins(before_that: Any, before: Any, this: Any, after: Any) -> Any:
    """Find the characters that continue the token of the character before them.

    Args:
        before_that: classes (T,) two characters back, an array or a tensor. Here, characters that extend another
            have been taken out; one that is left (it follows white space) counts as part of a word.
        before: classes (T,) one character back.
        this: classes (T,) of the characters themselves.
        after: classes (T,) one character on.

    Returns:
        Booleans (T,).
    """
    within_word = (before >= WORD) & (this >= WORD)
    apostrophe = (before >= WORD) & (this == APOSTROPHE) & (after >= WORD)
    after_apostrophe = (before_that >= WORD) & (before == APOSTROPHE) & (this >= WORD)
    after_space = (before == SPACE) & ~is_white(this)
    return within_word | apostrophe | after_apostrophe | after_space


def token_starts(codepoints: npt.NDArray[np.uint32]) -> npt.NDArray[np.bool_]:
    """Find the characters that begin a word-level token.

    Args:
        codepoints: code points (T,).

    Returns:
        Booleans (T,); the first is always true.
    """
    classes = np.take(class_of_every_code_point(), codepoints, mode="clip")
    starts = ~extends(np.pad(classes, (1, 0), constant_values=WHITE)[:-1], classes)
    padded = np.pad(classes[starts], (2, 1), constant_values=WHITE)
    starts[starts] = ~joins(padded[:-3], padded[1:-2], padded[2:-1], padded[3:])
    return starts


def codepoints(text: str, offset: int = 0) -> npt.NDArray[np.uint32]:
    """Return the code points (T,) of `text`.

    Args:
        text: any text.
        offset: where `text` stands in the whole, for the error message.

    Raises:
        InputError: `text` holds a lone surrogate, which is half a character and has no UTF-8.

    >>> codepoints("née").tolist()
    [110, 233, 101]
    """
    try:
        return np.frombuffer(text.encode("utf-32-le"), "<u4")
    except UnicodeEncodeError as error:
        raise InputError(
            f"the text holds half a character, the lone surrogate U+{ord(text[error.start]):04X}, at position "
            f"{offset + error.start}; remove it, or decode the bytes that it came from."
        ) from None


def cut(pieces: Iterable[str]) -> Iterator[str]:
    """Cut pieces that are long into some that are short enough to be worked on.

    Raises:
        InputError: A piece is no text.
    """
    for piece in pieces:
        check_instance("each piece", piece, str, "a str")
        yield from (piece[begin : begin + PIECE] for begin in range(0, len(piece), PIECE))


def words(text: str) -> Iterator[str]:
    """Cut `text` into word-level tokens, whose concatenation is `text`.

    Args:
        text: any text, however long: it is worked on piece by piece.

    Yields:
        The N tokens in order.

    Raises:
        InputError: `text` holds a lone surrogate, or a word of more than a million characters; the message gives its
            position.

    >>> list(words("Don't go, naïve 漢字!"))
    ["Don't", ' go', ',', ' naïve', ' 漢', '字', '!']
    """
    return itertools.chain.from_iterable(word_lists([text]))


def word_lists(pieces: Iterable[str], begin: int = 0) -> Iterator[list[str]]:
    """Cut a text that comes in pieces into word-level tokens, see `words`; messages count from position `begin`.

    Yields:
        Tokens in order, some thousands at a time.

    >>> list(word_lists(["Don", "'", "t g", "o"]))
    [[], [], [], [], ["Don't", ' go']]
    """
    text = ""
    for piece in cut(pieces):
        text += piece
        # The last token may continue in the next piece, and an apostrophe there may need the one before it, so these
        # two wait. Splitting again from the beginning of a token gives the same tokens.
        codes = codepoints(text, begin)
        bounds = np.flatnonzero(token_starts(codes))[:-1]
        waiting = int(bounds[-1]) if len(bounds) else 0
        yield _tokens(codes[:waiting], bounds[:-1])
        begin, text = begin + waiting, text[waiting:]
        if len(text) > _LONGEST_WORD + PIECE:
            raise InputError(
                f"the text holds a word of more than {_LONGEST_WORD:,} characters at position {begin:,}; split it into "
                "characters (split='character')."
            )
    codes = codepoints(text, begin)
    yield _tokens(codes, np.flatnonzero(token_starts(codes)))


def _tokens(codes: npt.NDArray[np.uint32], starts: npt.NDArray[np.int64]) -> list[str]:
    """Cut code points (T,) before those at `starts` (N,), the first of which is 0.

    A separator goes before each, for `str.split` is several times as fast as N slices.
    """
    if not len(codes):
        return []
    separator = 0 if codes.all() else int(codes.max()) + 1
    if separator > sys.maxunicode or 0xD800 <= separator <= 0xDFFF:
        return [codes[a:b].tobytes().decode("utf-32-le") for a, b in itertools.pairwise([*starts.tolist(), len(codes)])]
    separated = np.full(len(codes) + len(starts), separator, "<u4")
    shifts = np.zeros(len(codes), np.int64)
    shifts[starts] = 1
    separated[np.arange(len(codes)) + np.cumsum(shifts)] = codes
    return separated[1:].tobytes().decode("utf-32-le").split(chr(separator))
