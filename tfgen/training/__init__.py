"""The settings that make a good model of a text, and the run that trains it.

`tfgen train` takes three steps: `Settings` say what is wanted, `prepare` builds vocabulary, batches and generator from
a corpus, `run` fits. Whoever wants it otherwise writes the same few lines with Keras: nothing here is needed to use a
`TextGenerator`.

| module | its one idea |
|---|---|
| `settings` | what a training should be, and what suits a corpus |
| `optimizers` | the optimizer, and how its rate goes |
| `materials` | what is read: vocabulary, batches, lengths of tokens |
| `provenance` | what a model knows of its past |
| `jobs` | everything that a run needs |
| `counting` | counts of the same text, which a network must beat |
| `mixing` | a network mixed with counts |
| `runs` | the run, which keeps the best epoch |
"""

import keras  # noqa: F401 - first, see tfgen.layers

from tfgen.training.counting import Floor, count, floor
from tfgen.training.jobs import Job, prepare, retry
from tfgen.training.mixing import mix
from tfgen.training.optimizers import optimizer
from tfgen.training.runs import run
from tfgen.training.settings import Settings

__all__ = ["Floor", "Job", "Settings", "count", "floor", "mix", "optimizer", "prepare", "retry", "run"]


def __dir__() -> list[str]:
    return __all__
