"""A vocabulary and layers as the JSON that `engine.mjs` reads.

Axis letters: V vocabulary, D features in, U units, G units of all gates.
"""

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tfgen.errors import InputError
from tfgen.portable.layers import Layer, check_types
from tfgen.vocabulary.vocabulary import Vocabulary


def contents(vocabulary: Vocabulary, layers: Sequence[Layer]) -> dict[str, Any]:
    """Describe a model for the engine.

    What the first layer looks up, an embedding times a kernel plus a bias too, is one table. Matrices lie transposed,
    so that each output is the product of two rows.

    Args:
        vocabulary: Of characters.
        layers: With their arrays, as `portable` describes them.

    Returns:
        Plain JSON types; arrays are float32, little-endian, in base64.

    Raises:
        InputError: The layers compute in float64, or the tokens are words: a browser holds neither.
    """
    if vocabulary.split != "character":
        raise InputError(f"a page holds models of characters; received split={vocabulary.split!r}.")
    check_types(layers)
    if layers[0].dtype != "float32":
        raise InputError(f"a page computes in float32; {layers[0].named} computes in {layers[0].dtype}.")
    kept = [layer for layer in layers if layer.kind != "dropout"]
    table = None
    if kept[0].kind == "embedding" and kept[1].cell:
        table, kept = kept[0].arrays["kernel"] @ kept[1].arrays["kernel"], kept[1:]
    told = [_layer(layer, table if i == 0 else None) for i, layer in enumerate(kept)]
    return {"tokens": [*vocabulary.tokens], "ends": vocabulary.ends, "layers": told}


def _layer(layer: Layer, table: npt.NDArray[Any] | None) -> dict[str, Any]:
    arrays = dict(layer.arrays)
    if layer.cell:
        bias = arrays.pop("bias", np.zeros(arrays["recurrent"].shape[1], np.float32))
        of_rows, of_state = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
        kernel = arrays.pop("kernel")
        if table is not None or layer.options["ids"]:
            arrays["table"] = (kernel if table is None else table) + of_rows  # (V, G)
        else:
            arrays |= {"kernel": kernel.T, "bias": of_rows}
        arrays |= {"recurrent": arrays["recurrent"].T, "state_bias": of_state}
    elif layer.kind == "dense":
        arrays = {"kernel": arrays["kernel"].T, "bias": arrays.get("bias", np.zeros(layer.outputs, np.float32))}
    elif layer.kind == "normalization":
        size = layer.outputs
        arrays = {"scale": np.ones(size, np.float32), "offset": np.zeros(size, np.float32)} | arrays
    options = {name: value for name, value in layer.options.items() if name not in ("ids", "rate")}
    encoded = {name: base64.b64encode(array.astype("<f4").tobytes()).decode() for name, array in arrays.items()}
    return {"kind": layer.kind, "units": layer.outputs, **options, "arrays": encoded}
