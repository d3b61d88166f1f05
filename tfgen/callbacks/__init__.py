"""Keras callbacks to watch a text generator learn and to keep it from harm; all work with plain `fit`.

| module | its one idea |
|---|---|
| `progress` | one line that says how far a run is |
| `samples` | what is written meanwhile |
| `learning_curve` | losses against what was read |
| `keep_epochs` | the network on its way, to be looked at later |
| `stop_on_nan` | a run that has gone wrong ends |

`Resume`, which keeps a run, is of `tfgen.fitting`.
"""

from tfgen.callbacks.keep_epochs import KeepEpochs
from tfgen.callbacks.learning_curve import LearningCurve
from tfgen.callbacks.progress import Progress
from tfgen.callbacks.samples import Mistakes, SampleText
from tfgen.callbacks.stop_on_nan import StopOnNaN
from tfgen.fitting.resume import Resume

__all__ = ["KeepEpochs", "LearningCurve", "Mistakes", "Progress", "Resume", "SampleText", "StopOnNaN"]


def __dir__() -> list[str]:
    return __all__
