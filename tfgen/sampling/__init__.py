"""From logits to the next token: transforms that reshape a distribution, and the draw.

A transform is a small immutable value that maps logits (B, V) to logits (B, V); minus infinity means "never". A sampler
is a plain sequence of transforms, applied in that order, but for those that are hard: what they rule out is ruled out
before all else.

| module | its one idea |
|---|---|
| `transform` | what a transform is |
| `temperature` | sharper or flatter |
| `truncation` | cutting off the tail, or the top |
| `bias` | which tokens may come, and which are helped |
| `penalties` | against the same token again |
| `repetition` | against the same passage again |
| `mirostat` | a steady surprise |
| `adaptive` | a steady probability |
| `constraints` | what may come at all: automata, intersected |
| `patterns` | text that matches a regular expression |
| `strings` | text without some strings |
| `chain` | transforms in a row |
| `selection` | the draw |

Axis letters: B batch, T time, V vocabulary, W window.
"""

from tfgen.sampling.adaptive import AdaptiveP
from tfgen.sampling.bias import Allow, Forbid, LogitBias, Mask
from tfgen.sampling.chain import default_chain
from tfgen.sampling.mirostat import Mirostat
from tfgen.sampling.patterns import Pattern
from tfgen.sampling.penalties import FrequencyPenalty, PresencePenalty, RepetitionPenalty
from tfgen.sampling.repetition import DRY, NoRepeatNgram
from tfgen.sampling.selection import draws, select
from tfgen.sampling.temperature import DynamicTemperature, Temperature
from tfgen.sampling.transform import Transform
from tfgen.sampling.truncation import XTC, Epsilon, MinP, TopK, TopNSigma, TopP, Typical
from tfgen.terms.seeds import row_seeds

__all__ = [
    "DRY",
    "XTC",
    "AdaptiveP",
    "Allow",
    "DynamicTemperature",
    "Epsilon",
    "Forbid",
    "FrequencyPenalty",
    "LogitBias",
    "Mask",
    "MinP",
    "Mirostat",
    "NoRepeatNgram",
    "Pattern",
    "PresencePenalty",
    "RepetitionPenalty",
    "Temperature",
    "TopK",
    "TopNSigma",
    "TopP",
    "Transform",
    "Typical",
    "default_chain",
    "draws",
    "row_seeds",
    "select",
]


def __dir__() -> list[str]:
    return __all__
