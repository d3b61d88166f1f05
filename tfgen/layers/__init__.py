"""Recurrent layers that read integer tokens as one-hot rows, and a transformer; they train fast on a CPU.

| module | its one idea |
|---|---|
| `keras_layers` | Keras' recurrent layers, reading ids, running `recurrence` on a CPU |
| `attention` | a decoder looks at what an encoder has read |
| `first_state` | from a feature vector to the state in which a decoder begins |
| `transformer` | blocks of attention to what came before, over a window |
| `transformer_block` | one such block |
| `bidirectional` | two readers of one sequence, one from each end |
| `ngrams` | a table of n-grams, which is counted and not trained |
| `stepping` | how a layer is read and stepped, its state a value |
| `recurrence` | the cells of LSTM and GRU, the loop over time, and its gradient written by hand |
| `time_major` | rows first for Keras, steps first for loops |
| `graphs` | functions that are compiled once for each model |
"""

import keras  # noqa: F401 - first, so that our classes are registered before a module of this room is half imported

from tfgen.layers.attention import Attention
from tfgen.layers.bidirectional import Bidirectional
from tfgen.layers.first_state import FirstState
from tfgen.layers.keras_layers import GRU, LSTM, SimpleRNN
from tfgen.layers.ngrams import NGrams
from tfgen.layers.stepping import Stepped
from tfgen.layers.transformer import Transformer

__all__ = ["GRU", "LSTM", "Attention", "Bidirectional", "FirstState", "NGrams", "SimpleRNN", "Stepped", "Transformer"]


def __dir__() -> list[str]:
    return __all__
