"""A model in a browser: what its JavaScript engine reads, and the engine itself.

| module | its one idea |
|---|---|
| `contents` | a vocabulary and layers as JSON and bytes, tables folded, matrices quantised |
| `kernel` | the product of a matrix and a vector in WebAssembly, assembled by hand |
| `engine.mjs` | the step, the sampler and the draws in JavaScript |

None of it imports TensorFlow or Keras.
"""
