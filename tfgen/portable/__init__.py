"""A network as kinds, sizes and arrays, for whatever runs it without Keras.

| module | its one idea |
|---|---|
| `layers` | what a layer is, read from what Keras says of it |
| `stored` | its arrays, read from where Keras has written them |

None of it imports TensorFlow or Keras; `tfgen.networks.layers_of` describes a network that is in memory.
"""
