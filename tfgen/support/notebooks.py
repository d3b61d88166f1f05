"""Whether this process serves a notebook, and what is shown in one and changed in its place."""

from __future__ import annotations

import sys
from typing import Any


def is_one() -> bool:
    """Tell whether this process is the kernel of a notebook: Jupyter's, VS Code's or Colab's."""
    interactive = sys.modules.get("IPython")
    return interactive is not None and getattr(interactive.get_ipython(), "kernel", None) is not None


class Place:
    """A place in the output of a cell: what is shown in it takes the place of what was."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._handle: Any = None

    def show(self, text: str, png: bytes | None = None) -> None:
        """Show a text, or a picture where pictures can be shown."""
        from IPython.display import display

        shown = {"text/plain": text} if png is None else {"text/plain": text, "image/png": png}
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)
