"""Where a picture goes, what it is, and how a token is shown in it."""

from __future__ import annotations

import importlib.util
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from tfgen.errors import InputError, path_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ENDINGS = (".png", ".svg", ".pdf", ".jpg")
_SHOWN = {code: chr(0x2400 + code) for code in range(0x20)}
_SHOWN |= {ord(" "): "\u2423", 0x03: "\u220e", ord("\n"): "\u21b5", 0x7F: "\u2421"}


def is_installed() -> bool:
    """Tell whether pictures can be drawn."""
    return importlib.util.find_spec("matplotlib") is not None


def check_installed() -> None:
    """Check before any work is done that pictures can be drawn.

    Raises:
        InputError: matplotlib is not installed.
    """
    if not is_installed():
        raise InputError("drawing needs matplotlib; install it: pip install matplotlib.")


def check_path(path: str | os.PathLike[str] | None) -> None:
    """Check before any work is done that a picture can be drawn, and saved there if it is to be saved.

    Raises:
        InputError: matplotlib is not installed, the ending names no format of pictures, or there is no such directory.
    """
    check_installed()
    if path is None:
        return
    path = path_of("path", path)
    if path.suffix.lower() not in _ENDINGS:
        raise InputError(f"the name of a picture ends in {', '.join(_ENDINGS)}; received {str(path)!r}.")
    parent = Path(os.path.realpath(path)).parent if path.is_symlink() else path.parent
    if not parent.is_dir():
        raise InputError(f"there is no directory {str(parent)!r} for the picture; make it, or choose another.")


def picture(width: float, height: float) -> Figure:
    """Begin a picture that a notebook shows and `savefig` writes, width by height in inches.

    It belongs to no window: pyplot, which keeps all figures, is not asked.
    """
    from matplotlib.figure import Figure

    class Picture(Figure):
        def _repr_png_(self) -> bytes:
            drawn = io.BytesIO()
            self.savefig(drawn, format="png", dpi=100)
            return drawn.getvalue()

    return Picture(figsize=(width, height), layout="constrained")


def saved(figure: Figure, path: str | os.PathLike[str] | None) -> Figure:
    """Save a picture, if it is to be saved, and hand it on."""
    if path is not None:
        figure.savefig(path, dpi=120)
    return figure


def visible(token: str) -> str:
    """Give a token that can be seen: a space, a line's end, the end of a text and other such characters as pictures.

    >>> visible("a b" + chr(10))
    'a␣b↵'
    """
    # A dollar would begin a formula; half a character cannot be drawn.
    return token.translate(_SHOWN).encode("utf-8", "replace").decode("utf-8").replace("$", r"\$")
