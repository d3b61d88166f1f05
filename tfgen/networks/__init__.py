"""What gives the next token's distribution.

| module | its one idea |
|---|---|
| `building` | a plain stateful `keras.Sequential` of the usual kind |
| `recurrent` | `prefill` and `step` over a Sequential, the state as a value |
"""

import keras  # noqa: F401 - first, see tfgen.layers

from tfgen.networks.building import CELLS, build
from tfgen.networks.recurrent import (
    State,
    check,
    features,
    logits_of,
    prefill,
    recurrent_layers,
    shape,
    step,
    training_state,
    vocabulary_size,
    with_batch_size,
    zero_state,
)

__all__ = [
    "CELLS",
    "State",
    "build",
    "check",
    "features",
    "logits_of",
    "prefill",
    "recurrent_layers",
    "shape",
    "step",
    "training_state",
    "vocabulary_size",
    "with_batch_size",
    "zero_state",
]
