"""What gives the next token's distribution.

| module | its one idea |
|---|---|
| `building` | a plain stateful `keras.Sequential` of the usual kind |
| `chain` | the layers that a text goes through, however a Keras model says so |
| `mixture` | several models of one vocabulary as one |
| `model` | what a language model is: the door for all that predicts a next token |
| `recurrent` | a Sequential of layers that can be stepped, as a language model |
| `encoder_decoder` | an encoder before such a Sequential: text from a picture, another text, a feature vector |
| `source_shapes` | which arrays an encoder takes |
| `text_encoder` | a network that reads a text in both directions |
| `text_reader` | a network of the user's own that reads texts |
| `conditioned` | an encoder and a decoder as a language model |
| `adapting` | models that go on learning while they read |
| `counts` | n-grams that were counted, as a language model |
| `described` | the same as kinds, sizes and arrays, for whatever runs it without Keras |
| `growing` | a network for more tokens, with every weight that it has |
| `functions` | the same by hand: `prefill` and `step`, the state an argument and a result |
"""

import keras  # noqa: F401 - first, see tfgen.layers

from tfgen.layers.stepping import CELLS
from tfgen.networks.building import build
from tfgen.networks.chain import plain
from tfgen.networks.conditioned import Conditioned
from tfgen.networks.counts import Counts, ngram
from tfgen.networks.described import layers_of
from tfgen.networks.encoder_decoder import EncoderDecoder
from tfgen.networks.functions import features, logits_of, prefill, step, zero_state
from tfgen.networks.mixture import Mixture
from tfgen.networks.model import LanguageModel
from tfgen.networks.recurrent import (
    Recurrent,
    State,
    check,
    recurrent_layers,
    shape,
    training_state,
    vocabulary_size,
    with_batch_size,
)
from tfgen.networks.text_encoder import TextEncoder, text_encoder
from tfgen.networks.text_reader import TextReader

__all__ = [
    "CELLS",
    "Conditioned",
    "Counts",
    "EncoderDecoder",
    "LanguageModel",
    "Mixture",
    "Recurrent",
    "State",
    "TextEncoder",
    "TextReader",
    "build",
    "check",
    "features",
    "layers_of",
    "logits_of",
    "ngram",
    "plain",
    "prefill",
    "recurrent_layers",
    "shape",
    "step",
    "text_encoder",
    "training_state",
    "vocabulary_size",
    "with_batch_size",
    "zero_state",
]


def __dir__() -> list[str]:
    return __all__
