"""Pictures of letters, 24 x 24, beside their names in Unicode: "LATIN SMALL LETTER E WITH ACUTE".

The pictures are drawn from the faces of DejaVu, which come with matplotlib (free, of Bitstream Vera's licence); the
names come with Python. A name is put together of words, script, case, letter and marks, so that one can be right that
has never been read. Two things are kept from training: one whole face, and a tenth of the letters in every face.
"""

import functools
import pathlib
import unicodedata
import zlib
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont

SIDE = 24
SCRIPTS = ("LATIN", "GREEK", "CYRILLIC", "ARMENIAN", "GEORGIAN")
FACES = (
    *("Sans", "Sans-Bold", "Sans-Oblique", "Sans-BoldOblique"),
    *("SansMono", "SansMono-Bold", "SansMono-Oblique", "SansMono-BoldOblique"),
    *("Serif", "Serif-Bold", "Serif-Italic", "Serif-BoldItalic"),
)
HELD_OUT_FACE = "Serif-Italic"
# Pixels: capitals bear up to two marks above, and hooks hang below the line that all letters stand on.
_SIZE, _LINE = 16, 18


class Letters(NamedTuple):
    """Pictures (N, 24, 24, 1) in [0, 1], ink is 1; the letters, and their names, row by row."""

    pictures: np.ndarray
    letters: list[str]
    names: list[str]

    def where(self, kept: list[bool]) -> "Letters":
        """Give the rows for which `kept` is true."""
        letters = [letter for letter, keep in zip(self.letters, kept, strict=True) if keep]
        return Letters(self.pictures[np.array(kept)], letters, [unicodedata.name(letter) for letter in letters])


class Split(NamedTuple):
    """What is trained on; the other letters in the same faces; and those that were trained on, in another face."""

    train: Letters
    unseen_letters: Letters
    unseen_face: Letters


def is_held_out(letter: str) -> bool:
    """Whether a letter is one of the tenth that no face shows in training; a hash decides, so it never changes."""
    return zlib.crc32(letter.encode()) % 10 == 0


@functools.cache
def drawn(face: str) -> Letters:
    """Draw every letter of the five scripts that a face has; takes a third of a second."""
    path = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf", f"DejaVu{face}.ttf")
    letters = [chr(code) for code in sorted(FT2Font(str(path)).get_charmap()) if _is_letter(chr(code))]
    font = ImageFont.truetype(str(path), _SIZE)
    pictures = np.stack([_picture(letter, font) for letter in letters])
    return Letters(pictures, letters, [unicodedata.name(letter) for letter in letters])


def split(held_out_face: str = HELD_OUT_FACE) -> Split:
    """Draw all faces and part them; no letter and no face of the test parts is shown in training."""
    other = [drawn(face) for face in FACES if face != held_out_face]
    every = Letters(
        np.concatenate([each.pictures for each in other]),
        [letter for each in other for letter in each.letters],
        [name for each in other for name in each.names],
    )
    face = drawn(held_out_face)
    train = every.where([not is_held_out(letter) for letter in every.letters])
    known = set(train.letters)
    return Split(
        train,
        every.where([is_held_out(letter) for letter in every.letters]),
        face.where([letter in known for letter in face.letters]),
    )


def ceiling(letters: Letters) -> float:
    """Give the share of names that can be right at best: of letters that look alike, as A and А do, one is."""
    return len(np.unique(letters.pictures.reshape(len(letters.names), -1), axis=0)) / len(letters.names)


def words_right(names: list[str], written: list[str]) -> float:
    """Give the share of the true names' words that are written at their place."""
    pairs = [(name.split(), text.split()) for name, text in zip(names, written, strict=True)]
    right = sum(one == other for name, text in pairs for one, other in zip(name, text, strict=False))
    return right / sum(len(name) for name, _ in pairs)


def nearest(train: Letters, pictures: np.ndarray) -> list[str]:
    """Name each picture as the training picture that is nearest, pixel by pixel: the baseline."""
    known = train.pictures.reshape(len(train.names), -1)
    lengths = (known**2).sum(axis=1)
    rows = pictures.reshape(len(pictures), -1)
    # |a - b|^2 without the |a|^2 that is the same for all; in pieces, for all at once take a gigabyte.
    pieces = [rows[start : start + 500] for start in range(0, len(rows), 500)]
    return [train.names[found] for piece in pieces for found in (lengths - 2 * piece @ known.T).argmin(axis=1)]


def _is_letter(letter: str) -> bool:
    return unicodedata.category(letter)[0] == "L" and unicodedata.name(letter).split()[0] in SCRIPTS


def _picture(letter: str, font: ImageFont.FreeTypeFont) -> np.ndarray:
    """Draw a letter, its middle in the middle, on the line that is the same for all letters: (24, 24, 1)."""
    image = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(image).text((SIDE / 2, _LINE), letter, fill=255, font=font, anchor="ms")
    return np.asarray(image, np.float32)[..., np.newaxis] / 255
