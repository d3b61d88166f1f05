"""A vocabulary and layers as what `engine.mjs` reads: a header of plain JSON types, and bytes.

Axis letters: V vocabulary, D features in, U units, G units of all gates, R rows of a matrix.
"""

import base64
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from tfgen.errors import InputError, check_choice
from tfgen.page.kernel import kernel
from tfgen.portable.layers import Layer
from tfgen.terms.faults import NO_DISTRIBUTION
from tfgen.vocabulary.vocabulary import RESERVED, Vocabulary

Array = npt.NDArray[Any]

Weights = Literal["int8", "float16", "float32"]


class Contents(NamedTuple):
    """What the engine is made of.

    Attributes:
        header: Plain JSON types: `characters` in the order of their ids, from 3 on, `tokens` (how many there are),
            `ends`, `normalize`, `lower`, `weights`, the `layers` with the shapes of their arrays, and the `kernel` in
            base64.
        weights: The arrays one after another, little-endian. A matrix of int8 is preceded by its scales, float32 (R,);
            what is no matrix is float32.
    """

    header: dict[str, Any]
    weights: bytes


def contents(vocabulary: Vocabulary, layers: Sequence[Layer], weights: Weights = "int8") -> Contents:
    """Describe a model for the engine.

    What the first layer looks up, an embedding times a kernel plus a bias too, is one table. Matrices lie transposed,
    so that each row makes one number of the output.

    Args:
        vocabulary: Of characters.
        layers: With their arrays, as `portable` describes them; a page computes in float32, whatever they compute in.
        weights: The type that matrices are kept in; with "int8", each row has a scale.

    Raises:
        InputError: The tokens are words, which a page does not cut; or some weights are not finite.
    """
    check_choice("weights", weights, get_args(Weights))
    if vocabulary.split != "character":
        raise InputError(
            f"a page holds models of characters; received split={vocabulary.split!r}: serve it with tfgen serve."
        )
    if not all(np.isfinite(array).all() for layer in layers for array in layer.arrays.values()):
        raise InputError(NO_DISTRIBUTION)
    described = list(_described(layers))
    header = {
        **told(vocabulary).header,
        "weights": weights,
        "layers": [layer | {"arrays": {name: list(each.shape) for name, each in a.items()}} for layer, a in described],
        "kernel": base64.b64encode(kernel()).decode(),
    }
    return Contents(header, b"".join(_encoded(each, weights) for _, a in described for each in a.values()))


def told(vocabulary: Vocabulary) -> Contents:
    """Describe a vocabulary alone, for a page that a server writes for: its characters, but no words."""
    characters = {"characters": "".join(vocabulary.tokens[len(RESERVED) :])} if vocabulary.split == "character" else {}
    form = {"normalize": vocabulary.normalize, "lower": vocabulary.lower}
    return Contents({**characters, "tokens": len(vocabulary), "ends": vocabulary.ends, **form}, b"")


def _described(layers: Sequence[Layer]) -> Iterator[tuple[dict[str, Any], dict[str, Array]]]:
    kept = [_in_float32(layer) for layer in layers if layer.kind != "dropout"]
    table = None
    if kept[0].kind == "embedding" and kept[1].cell:
        table, kept = kept[0].arrays["kernel"] @ kept[1].arrays["kernel"], kept[1:]
    for i, layer in enumerate(kept):
        options = {name: value for name, value in layer.options.items() if name not in ("ids", "rate")}
        yield {"kind": layer.kind, "units": layer.outputs, **options}, _arrays(layer, None if i else table)


def _in_float32(layer: Layer) -> Layer:
    return dataclasses.replace(layer, arrays={name: each.astype(np.float32) for name, each in layer.arrays.items()})


def _arrays(layer: Layer, table: Array | None) -> dict[str, Array]:
    arrays: Mapping[str, Array] = layer.arrays
    zeros = np.zeros(layer.outputs, np.float32)
    if layer.cell:
        kernel, recurrent = arrays["kernel"], arrays["recurrent"]
        bias = arrays.get("bias", np.zeros(recurrent.shape[1], np.float32))
        of_rows, of_state = bias if bias.ndim == 2 else (bias, None)
        table = kernel if layer.options["ids"] else table
        fed = {"kernel": kernel.T, "bias": of_rows} if table is None else {"table": table + of_rows}  # (V, G)
        return {**fed, "recurrent": recurrent.T} | ({} if of_state is None else {"state_bias": of_state})
    if layer.kind == "dense":
        return {"kernel": arrays["kernel"].T, "bias": arrays.get("bias", zeros)}
    if layer.kind == "normalization":
        return {"scale": arrays.get("scale", zeros + 1), "offset": arrays.get("offset", zeros)}
    return {"table": arrays["kernel"]}


def _encoded(array: Array, weights: Weights) -> bytes:
    if array.ndim == 1 or weights == "float32":
        return array.astype("<f4").tobytes()
    if weights == "float16":
        largest = np.finfo(np.float16).max
        return array.clip(-largest, largest).astype("<f2").tobytes()
    scales = np.maximum(np.abs(array).max(axis=1, keepdims=True) / 127, np.finfo(np.float32).tiny).astype("<f4")
    return scales.tobytes() + np.rint(array / scales).clip(-127, 127).astype(np.int8).tobytes()
