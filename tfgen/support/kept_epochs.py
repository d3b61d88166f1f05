"""Where the weights of a run are kept that is to be looked at: a directory beside the model, a file for each."""

import contextlib
import re
from pathlib import Path

_NAME = re.compile(r"epoch-(\d{4,7}\.\d{4})\.weights\.h5")


def directory(model: Path) -> Path:
    """Give the directory of a model file.

    >>> directory(Path("romeo.keras")).name
    'romeo.epochs'
    """
    return model.with_suffix(".epochs")


def place(directory: Path, epochs: float) -> Path:
    """Give the file of the weights after so many epochs.

    >>> place(Path("romeo.epochs"), 0.25).name
    'epoch-0000.2500.weights.h5'
    """
    return directory / f"epoch-{epochs:09.4f}.weights.h5"


def found(directory: Path) -> list[tuple[float, Path]]:
    """List what is there: after how many epochs, and the file, in the order of training."""
    if not directory.is_dir():
        return []
    named = ((_NAME.fullmatch(path.name), path) for path in directory.iterdir())
    return sorted((float(match[1]), path) for match, path in named if match and path.is_file())


def clear(directory: Path) -> None:
    """Remove what is there, and the directory if nothing else is in it."""
    for _, path in found(directory):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        directory.rmdir()
