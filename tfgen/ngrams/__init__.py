"""How often each token has followed those before it, and what that says of the next one.

| module | its one idea |
|---|---|
| `counting` | all n-grams of a text, sorted, in memory that does not grow with the text but with what is new in it |
| `kneser_ney` | interpolated modified Kneser-Ney smoothing: from counts to probabilities |
| `adaptive` | counts that go on counting while a text is read |
| `tables` | these probabilities as a few sorted arrays, and how they are looked up |

None of it imports TensorFlow or Keras; `tfgen.layers.NGrams` holds the arrays in a network.
"""
