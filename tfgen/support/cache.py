"""Where tfgen keeps what it made or fetched once: below `$KERAS_HOME`, or `~/.keras`, where Keras keeps such things."""

import os
import tempfile
from pathlib import Path

from tfgen.errors import InputError

_NAME = "tfgen"


def directory() -> Path:
    """Give the directory, which need not exist.

    Raises:
        InputError: This user has no home.
    """
    try:
        return Path(os.environ.get("KERAS_HOME") or "~/.keras").expanduser() / _NAME
    except RuntimeError:
        raise InputError("there is no home directory for a cache; set KERAS_HOME to a directory.") from None


def fallback() -> Path:
    """Give the directory that Keras takes where the other one cannot be written; only for what is small."""
    return Path(tempfile.gettempdir(), ".keras", _NAME)
