"""What an export says of itself, as one JSON file: all that a client needs beside the model, and where it came from."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import Any

import tfgen
from tfgen.support import bounded_json, plain_files
from tfgen.vocabulary.vocabulary import END, PADDING, UNKNOWN, Vocabulary

NAME = "tfgen.json"
_LARGEST = 256 << 20  # bytes; it is some megabytes with the largest vocabulary


def write(vocabulary: Vocabulary, directory: Path, described: dict[str, Any], about: dict[str, Any]) -> None:
    """Write it into a directory whose other files are there already.

    Args:
        vocabulary: Of the model.
        directory: Of the export.
        described: The format, and what a client of it must know beside the vocabulary, as plain JSON types.
        about: What is known of the model itself, such as `network` and `provenance`.
    """
    description = {
        **described,
        "vocabulary": {**_tokens(vocabulary), "writable": vocabulary.writable.tolist()},
        **about,
        "versions": {"tfgen": tfgen.__version__, **{name: _version(name) for name in ("tensorflow", "keras", "numpy")}},
        "sha256": {
            path.relative_to(directory).as_posix(): _digest(path)
            for path in sorted(directory.rglob("*"))
            if path.is_file()
        },
    }
    text = json.dumps(description, ensure_ascii=False, indent=1)
    (directory / NAME).write_text(text + "\n", encoding="utf-8")


def files(directory: Path) -> set[str] | None:
    """Give the files of an export, itself among them, as paths within it; None where nothing says which they are."""
    try:
        with plain_files.opened(directory / NAME) as file:
            description = bounded_json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return None
    listed = description.get("sha256") if isinstance(description, dict) else None
    return {NAME, *listed} if isinstance(listed, dict) else None


def tensor(name: str, tensor: Any) -> dict[str, Any]:
    """Describe a tensor, or its `tf.TensorSpec`; null stands for a free axis."""
    return {"name": name, "shape": tensor.shape.as_list(), "dtype": tensor.dtype.name}


def of_sources(vocabulary: Vocabulary) -> dict[str, Any]:
    """Describe the vocabulary of sources that are texts: its tokens, and the id that closes each source."""
    return {**_tokens(vocabulary), "closed_by": END}


def _tokens(vocabulary: Vocabulary) -> dict[str, Any]:
    return {
        "split": vocabulary.split,
        # A client brings texts into this form before it reads them: graphs of TensorFlow cannot. null: as they are.
        "normalize": vocabulary.normalize,
        "lower": vocabulary.lower,
        "tokens": list(vocabulary.tokens),
        "padding": PADDING,
        "unknown": UNKNOWN,
        "end": END,
    }


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(package: str) -> str:
    # tensorflow-cpu is the same package under another name.
    names = (package, f"{package}-cpu")
    return next((metadata.version(name) for name in names if _installed(name)), "")


def _installed(package: str) -> bool:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True
