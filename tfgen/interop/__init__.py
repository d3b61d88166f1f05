"""Weights and networks of other frameworks: PyTorch's recurrent layers with a linear head, and plain Keras.

| module | its one idea |
|---|---|
| `pytorch` | the weights as the state dict of a PyTorch module, in memory and in files |
| `plain_keras` | the network of Keras' own layers alone |

The PyTorch twin of a generator is a module such as tutorials write:

    class LSTMGenerator(nn.Module):
        def __init__(self, vocab, hidden, num_layers):
            super().__init__()
            self.rnn = nn.LSTM(vocab, hidden, num_layers, batch_first=True)    # or nn.GRU, nn.RNN
            self.fc = nn.Linear(hidden, vocab)

read from one-hot rows, or from `self.embedding = nn.Embedding(vocab, size)`. Row i of its weights is token i of the
vocabulary, the reserved ids included. Neither PyTorch nor safetensors is needed for its state dict; safetensors is for
files.

Axis letters: V vocabulary, U units, D inputs of a layer (V, the embedding's size, or U), G gates (4, 3 or 1).
"""

import keras  # noqa: F401 - first, see tfgen.layers

from tfgen.interop.plain_keras import from_keras, to_keras
from tfgen.interop.pytorch import from_torch, load_torch, save_torch, to_torch

__all__ = ["from_keras", "from_torch", "load_torch", "save_torch", "to_keras", "to_torch"]
