"""Recurrent layers that read integer tokens as one-hot rows, and that train fast on a CPU.

| module | its one idea |
|---|---|
| `keras_layers` | Keras' recurrent layers, reading ids, running `recurrence` on a CPU |
| `stepping` | how a layer is read and stepped, its state a value |
| `recurrence` | the cells of LSTM and GRU, the loop over time, and its gradient written by hand |
| `time_major` | rows first for Keras, steps first for loops |
"""

import keras  # noqa: F401 - first, so that our classes are registered before a module of this room is half imported

from tfgen.layers.keras_layers import GRU, LSTM, SimpleRNN
from tfgen.layers.stepping import Stepped

__all__ = ["GRU", "LSTM", "SimpleRNN", "Stepped"]
