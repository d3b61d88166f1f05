"""The one loop, and texts while they are written."""

import keras  # noqa: F401 - first, see tfgen.layers

from tfgen.writing.texts import Generated

__all__ = ["Generated"]
