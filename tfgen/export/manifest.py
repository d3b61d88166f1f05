"""What an export says of itself: format, vocabulary, network, provenance and versions, as one JSON file."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tfgen
from tfgen import vocabulary as vocabularies

if TYPE_CHECKING:
    from tfgen.text_generator import TextGenerator

NAME = "tfgen.json"


def describe(generator: TextGenerator, format: str) -> dict[str, Any]:
    """Give what is known of an export, as plain JSON types."""
    from tfgen import networks

    vocabulary = generator.vocabulary
    return {
        "format": format,
        "vocabulary": {
            "split": vocabulary.split,
            "tokens": list(vocabulary.tokens),
            "padding": vocabularies.PADDING,
            "unknown": vocabularies.UNKNOWN,
            "end": vocabularies.END,
            "writable": vocabulary.writable.tolist(),
        },
        "network": networks.shape(generator.network),
        "provenance": generator.provenance,
        "versions": {"tfgen": tfgen.__version__, **{name: _version(name) for name in ("tensorflow", "keras", "numpy")}},
    }


def write(generator: TextGenerator, format: str, directory: Path) -> None:
    """Write it into a directory."""
    text = json.dumps(describe(generator, format), ensure_ascii=False, indent=1)
    (directory / NAME).write_text(text + "\n", encoding="utf-8")


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
