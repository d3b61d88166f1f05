"""The parts of a page put together: one file of HTML that asks nobody for anything."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from math import log
from typing import Any, NamedTuple, TypeVar

import numpy as np

import tfgen
from tfgen.page.contents import Weights, contents, told
from tfgen.portable.layers import Layer
from tfgen.vocabulary.vocabulary import Vocabulary

GENERATOR = "tfgen"
"""How the name of a page's maker begins, in its `meta` element."""

_MOST_EPOCHS, _MOST_BYTES = 9, 8_000_000  # of checkpoints in a page
_SCRIPTS = (
    *("english.mjs", "graphemes.mjs", "paper.mjs", "attention.mjs", "drawing.mjs", "engine.mjs", "served.mjs"),
    "page.mjs",
)
_OF_PICTURES = "drawing.mjs"  # for models that read some: pages of others are smaller without it
_BETWEEN_MODULES = re.compile(r"^import .*?;\n|^export (?=\w)", re.MULTILINE)
CONNECTS = "connect-src 'self'; "
"""What the policy of a page that a server sends has beside the others; a page that is saved is without it."""

_FIELD = re.compile(r"\{\{(\w+)\}\}")


class Served(NamedTuple):
    """What a page knows of the server that sends it, and that can write in its place.

    Attributes:
        model: The name of the model there.
        length: New tokens of a text, at most.
        prompt: Tokens of a prompt, at most.
        source: Whether the model writes from a source.
        attends: Whether the page shows what it attended to there.
        picture: Height and width of the source, where it is a picture, which is drawn on the page.
    """

    model: str
    length: int
    prompt: int
    source: bool
    attends: bool
    picture: tuple[int, int] | None


def assembled(
    vocabulary: Vocabulary,
    layers: Sequence[Layer] | None,
    title: str,
    weights: Weights = "int8",
    provenance: Mapping[str, Any] | None = None,
    served: Served | None = None,
    epochs: Sequence[tuple[float, Sequence[Layer]]] = (),
) -> str:
    """Write a page.

    Args:
        vocabulary: Of characters, unless the server writes.
        layers: With their arrays; None for a page of which the server writes all.
        title: Its heading, and the name under which it saves itself.
        weights: The type that matrices are kept in.
        provenance: What is known of the training, see `TextGenerator.provenance`; what the page tells of it is the name
            and the size of the corpus, without its folder, and how well the model did.
        served: The server that sends the page, to which alone it may connect; None for a page that connects to nothing.
        epochs: The layers as they were on the way, each with the number of epochs by then; see `chosen_epochs`.

    Returns:
        HTML, to be written as UTF-8.

    Raises:
        InputError: As for `contents`.
    """
    model = told(vocabulary) if layers is None else contents(vocabulary, layers, weights)
    header = {**model.header, "title": title, **_about(layers or (), dict(provenance or {}))}
    header |= {"epochs": [number for number, _ in epochs]} if epochs else {}
    header |= {} if served is None else {"served": served._asdict()}
    is_drawn_on = served is not None and served.picture is not None
    scripts = [name for name in _SCRIPTS if is_drawn_on or name != _OF_PICTURES]
    script = "".join(_BETWEEN_MODULES.sub("", _part(name)) for name in scripts)
    style = _part("page.css")
    fields = {
        "title": html.escape(title),
        "generator": f"{GENERATOR} {tfgen.__version__}",
        "policy": _policy(script, style, "" if served is None else CONNECTS),
        "style": style,
        "script": script,
        # No text of a vocabulary ends the element that it stands in.
        "model": json.dumps(header, allow_nan=False).replace("<", "\\u003c"),
        "weights": _base85(model.weights),
        "epochs": "".join(
            f'<script type="text/plain" class="epoch">{_base85(contents(vocabulary, each, weights).weights)}</script>\n'
            for _, each in epochs
        ),
    }
    return _FIELD.sub(lambda field: fields[field[1]], _part("page.html"))


Epoch = TypeVar("Epoch")


def chosen_epochs(kept: Sequence[Epoch], parameters: int, weights: Weights) -> list[Epoch]:
    """Choose so many of a run's checkpoints that a page stays small: at most 9, and 8 MB together.

    >>> chosen_epochs([*"abcdefghijklm"], 300_000, "int8")
    ['a', 'c', 'd', 'e', 'g', 'i', 'j', 'k', 'm']
    >>> chosen_epochs([*"abcdefghijklm"], 3_000_000, "float32")
    []
    """
    size = parameters * {"int8": 1, "float16": 2, "float32": 4}[weights]
    most = min(_MOST_EPOCHS, len(kept), _MOST_BYTES // size)
    return [kept[round(i * (len(kept) - 1) / max(most - 1, 1))] for i in range(most)]


def _base85(content: bytes) -> str:
    """Write four bytes, big-endian, as five digits, from "(" on; "}" stands for "<", which could end the element.

    The last bytes are filled up with zeros. It is 6 % shorter than base64.
    """
    words = np.frombuffer(content + bytes(-len(content) % 4), ">u4").astype(np.uint64)
    digits = words[:, np.newaxis] // np.array([85**4, 85**3, 85**2, 85, 1], np.uint64) % np.uint64(85)
    return (digits + np.uint64(ord("("))).astype(np.uint8).tobytes().decode("ascii").replace("<", "}")


def _policy(script: str, style: str, connect: str) -> str:
    """Allow the script and the style of the page and nothing else: no connection but to a server of its own."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (script, style))
    script_hash, style_hash = (f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'none'; script-src {script_hash} 'wasm-unsafe-eval'; style-src {style_hash}; img-src data:; "
        f"{connect}base-uri 'none'; form-action 'none'"
    )


def _part(name: str) -> str:
    return (resources.files("tfgen.page") / name).read_text(encoding="utf-8")


def _about(layers: Sequence[Layer], provenance: Mapping[str, Any]) -> dict[str, Any]:
    corpus, result = (_mapping(provenance.get(name)) for name in ("corpus", "result"))
    source, characters = corpus.get("source"), corpus.get("characters")
    nats = result.get("val_nats")  # a token, which need not be a character
    bits = result.get("val_bits", nats / log(2) if isinstance(nats, (int, float)) else None)
    facts: dict[str, Any] = {"version": tfgen.__version__}
    if layers:
        facts["layers"] = ", ".join(
            f"{layer.class_name}({layer.outputs})" for layer in layers if layer.kind != "dropout"
        )
        facts["parameters"] = sum(array.size for layer in layers for array in layer.arrays.values())
    if isinstance(result.get("finished"), str):
        facts["trained"] = result["finished"][:10]
    about: dict[str, Any] = {"about": facts}
    if isinstance(source, str):
        about["corpus"] = {"source": re.split(r"[/\\]", source)[-1]}
        about["corpus"] |= {"characters": characters} if isinstance(characters, int) else {}
    if isinstance(bits, (int, float)) and 0 < bits < 100:
        about["learned"] = bits
    return about


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
