"""A `fit` that loses nothing.

| module | its one idea |
|---|---|
| `model` | the Keras model: loss over real targets, the carried state kept right in `fit` |
| `shared_steps` | one step of training, of one process or of several workers |
| `together` | a `fit` of several workers begins and ends alike in all of them |
| `callback_lists` | callbacks, however they are nested |
| `carried_state` | the state that `fit` carries from batch to batch |
| `snapshot` | all that a `fit` holds between two batches, as a value |
| `ids` | ids of arrays that a network lacks are refused |
| `adamw` | AdamW in one pass over each weight |
| `resume` | a run that goes on where another was killed |
"""

import keras  # noqa: F401 - first, see tfgen.layers
