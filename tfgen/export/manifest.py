"""What an export says of itself, as one JSON file: all that a client needs beside the model, and where it came from."""

from __future__ import annotations

import hashlib
import json
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tfgen
from tfgen.vocabulary import vocabulary as vocabularies

if TYPE_CHECKING:
    from tfgen.text_generator import TextGenerator

NAME = "tfgen.json"


def write(generator: TextGenerator, directory: Path, format: str, told: dict[str, Any]) -> None:
    """Write it into a directory whose other files are there already.

    Args:
        generator: What was exported.
        directory: Of the export.
        format: Its name.
        told: What this format tells beside the vocabulary, network, provenance, versions and hashes of the files, as
            plain JSON types.
    """
    from tfgen.networks import recurrent

    description = {
        "format": format,
        **told,
        "vocabulary": _vocabulary(generator.vocabulary),
        "network": recurrent.shape(generator.network),
        "provenance": generator.provenance,
        "versions": {"tfgen": tfgen.__version__, **{name: _version(name) for name in ("tensorflow", "keras", "numpy")}},
        "sha256": {
            path.relative_to(directory).as_posix(): _digest(path)
            for path in sorted(directory.rglob("*"))
            if path.is_file()
        },
    }
    text = json.dumps(description, ensure_ascii=False, indent=1)
    (directory / NAME).write_text(text + "\n", encoding="utf-8")


def _vocabulary(vocabulary: vocabularies.Vocabulary) -> dict[str, Any]:
    return {
        "split": vocabulary.split,
        "tokens": list(vocabulary.tokens),
        "padding": vocabularies.PADDING,
        "unknown": vocabularies.UNKNOWN,
        "end": vocabularies.END,
        "writable": vocabulary.writable.tolist(),
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
