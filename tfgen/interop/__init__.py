"""Weights and networks of other frameworks: PyTorch's recurrent layers with a linear head, GPT-2, and plain Keras.

| module | its one idea |
|---|---|
| `pytorch` | the weights as the state dict of a PyTorch module, in memory and in files |
| `state_dicts` | where each weight stands in that state dict |
| `gpt2` | the same of a transformer, whose twin is GPT-2 of Hugging Face |
| `parts` | a layer and its share of a state dict |
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

With a text encoder (`networks.text_encoder`), whose kind of cell, units and layers are its own, the twin has besides:

            self.encoder_embedding = nn.Embedding(sources, size, padding_idx=0)
            self.encoder = nn.LSTM(size, read, layers, batch_first=True, bidirectional=True)    # or nn.GRU, nn.RNN
            self.first_state = nn.Linear(8 * read, num_layers * 2 * hidden)    # without the 2 for nn.GRU, nn.RNN
            self.attention_score = nn.Linear(2 * read, hidden, bias=False)    # the last two with attention alone
            self.attention_combine = nn.Linear(2 * read + hidden, hidden, bias=False)

and computes, of sources (B, S) that are padded with 0 and end with the id 2, as `TextEncoder.ids` gives them:

            lengths = (sources != 0).sum(1)
            packed = pack_padded_sequence(self.encoder_embedding(sources), lengths, True, enforce_sorted=False)
            places, _ = pad_packed_sequence(self.encoder(packed)[0], True, total_length=sources.shape[1])
            last, mean = places[torch.arange(len(places)), lengths - 1], places.sum(1) / lengths[:, None]
            largest = places.masked_fill((sources == 0)[..., None], -torch.inf).amax(1)
            parts = torch.stack([places[:, 0], last, mean, largest], 1)
            summary = nn.functional.layer_norm(parts, parts.shape[-1:], eps=1e-3).flatten(1)
            states = self.first_state(summary).unflatten(1, (num_layers, 2, hidden)).permute(2, 1, 0, 3)
            h, c = torch.tanh(states[0]), states[1]    # h alone for nn.GRU, nn.RNN
            queries, _ = self.rnn(rows, (h.contiguous(), c.contiguous()))
            scores = queries @ self.attention_score(places).mT
            context = scores.masked_fill((sources == 0)[:, None], -torch.inf).softmax(-1) @ places
            logits = self.fc(torch.tanh(self.attention_combine(torch.cat([context, queries], -1))))

`layers.FirstState` and `layers.Attention` say why. Any other encoder is a module of yours, whose weights are in no
state dict of this room: leave its names out. It gives the places (B, S, P), or a vector a row (B, P), which is the one
part of its summary, and is not normalised if P is below 4.

The twin of a transformer is `transformers.GPT2LMHeadModel(GPT2Config(vocab_size=V, n_positions=W, n_embd=U, n_layer=L,
n_head=H, tie_word_embeddings=False))`, whose names are `transformer.wte.weight`, `transformer.h.0.ln_1.weight` and so
on. Its head is a kernel of its own here: of a GPT-2 whose head is the table of its tokens, `state_dict()` has it twice,
and so it goes here, and back only to one that is not tied.

| name | shape |
|---|---|
| `rnn.weight_ih_l0`, `rnn.weight_hh_l0` | (G U, D), (G U, U) |
| `rnn.bias_ih_l0`, `rnn.bias_hh_l0` | (G U) |
| `embedding.weight` | (V, D) |
| `fc.weight`, `fc.bias` | (V, U), (V) |
| `encoder_embedding.weight` | (W, D) |
| `encoder.weight_ih_l0`, `encoder.weight_ih_l0_reverse` and so on | as those of `rnn`, of N units |
| `first_state.weight`, `first_state.bias` | (H, K), (H) |
| `attention_score.weight` | (U, P) |
| `attention_combine.weight` | (U, P + U) |

Layers after the first are `l1` and so on.

Axis letters: B batch, T time, V vocabulary, W vocabulary of the sources, S places of a source, P features of a place
(2 N of a text encoder), K features of a summary (4 P, or P of a vector), U units, N units of a text encoder, H units of
all first states, D inputs of a layer (V, an embedding's size, or the units below), G gates (4, 3 or 1).
"""

import keras  # noqa: F401 - first, see tfgen.layers

from tfgen.interop.plain_keras import from_keras, to_keras
from tfgen.interop.pytorch import from_torch, load_torch, save_torch, to_torch

__all__ = ["from_keras", "from_torch", "load_torch", "save_torch", "to_keras", "to_torch"]


def __dir__() -> list[str]:
    return __all__
