"""The parts of a page put together: one file of HTML that asks nobody for anything."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from math import log
from typing import Any

import numpy as np

import tfgen
from tfgen.page.contents import Weights, contents
from tfgen.portable.layers import Layer
from tfgen.vocabulary.vocabulary import Vocabulary

GENERATOR = "tfgen"
"""How the name of a page's maker begins, in its `meta` element."""

_SCRIPTS = ("english.mjs", "graphemes.mjs", "paper.mjs", "engine.mjs", "page.mjs")
_BETWEEN_MODULES = re.compile(r"^import .*?;\n|^export (?=\w)", re.MULTILINE)
_FIELD = re.compile(r"\{\{(\w+)\}\}")


def assembled(
    vocabulary: Vocabulary,
    layers: Sequence[Layer],
    title: str,
    weights: Weights = "int8",
    provenance: Mapping[str, Any] | None = None,
) -> str:
    """Write a page.

    Args:
        vocabulary: Of characters.
        layers: With their arrays.
        title: Its heading, and the name under which it saves itself.
        weights: The type that matrices are kept in.
        provenance: What is known of the training, see `TextGenerator.provenance`; what the page tells of it is the name
            and the size of the corpus, without its folder, and how well the model did.

    Returns:
        HTML, to be written as UTF-8.

    Raises:
        InputError: As for `contents`.
    """
    model = contents(vocabulary, layers, weights)
    header = {**model.header, "title": title, **_about(layers, dict(provenance or {}))}
    script = "".join(_BETWEEN_MODULES.sub("", _part(name)) for name in _SCRIPTS)
    style = _part("page.css")
    fields = {
        "title": html.escape(title),
        "generator": f"{GENERATOR} {tfgen.__version__}",
        "policy": _policy(script, style),
        "style": style,
        "script": script,
        # No text of a vocabulary ends the element that it stands in.
        "model": json.dumps(header, allow_nan=False).replace("<", "\\u003c"),
        "weights": _base85(model.weights),
    }
    return _FIELD.sub(lambda field: fields[field[1]], _part("page.html"))


def _base85(content: bytes) -> str:
    """Write four bytes, big-endian, as five digits, from "(" on; "}" stands for "<", which could end the element.

    The last bytes are filled up with zeros. It is 6 % shorter than base64.
    """
    words = np.frombuffer(content + bytes(-len(content) % 4), ">u4").astype(np.uint64)
    digits = words[:, np.newaxis] // np.array([85**4, 85**3, 85**2, 85, 1], np.uint64) % np.uint64(85)
    return (digits + np.uint64(ord("("))).astype(np.uint8).tobytes().decode("ascii").replace("<", "}")


def _policy(script: str, style: str) -> str:
    """Allow the script and the style of the page and nothing else: above all no connection to anything."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style))
    script_hash, style_hash = (f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'none'; script-src {script_hash} 'wasm-unsafe-eval'; style-src {style_hash}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _part(name: str) -> str:
    return (resources.files("tfgen.page") / name).read_text(encoding="utf-8")


def _about(layers: Sequence[Layer], provenance: Mapping[str, Any]) -> dict[str, Any]:
    corpus, result = (_mapping(provenance.get(name)) for name in ("corpus", "result"))
    source, characters, nats = corpus.get("source"), corpus.get("characters"), result.get("val_nats")
    told: dict[str, Any] = {
        "layers": ", ".join(f"{layer.class_name}({layer.outputs})" for layer in layers if layer.kind != "dropout"),
        "parameters": sum(array.size for layer in layers for array in layer.arrays.values()),
        "version": tfgen.__version__,
    }
    if isinstance(result.get("finished"), str):
        told["trained"] = result["finished"][:10]
    about: dict[str, Any] = {"about": told}
    if isinstance(source, str):
        about["corpus"] = {"source": re.split(r"[/\\]", source)[-1]}
        about["corpus"] |= {"characters": characters} if isinstance(characters, int) else {}
    if isinstance(nats, (int, float)) and 0 < nats < 100:
        about["learned"] = nats / log(2)
    return about


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
