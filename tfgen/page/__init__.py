"""A model in a browser: what its JavaScript engine reads, and the engine itself.

| module | its one idea |
|---|---|
| `contents` | a vocabulary and layers as JSON, tables folded |
| `engine.mjs` | the step, the sampler and the draws in plain JavaScript |

None of it imports TensorFlow or Keras.
"""
