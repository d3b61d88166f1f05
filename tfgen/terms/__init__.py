"""What a text is asked to be, and what is said of it, whatever writes it; none of this imports TensorFlow.

| module | its one idea |
|---|---|
| `settings` | the plain settings of a sampler: their order and their ranges |
| `limits` | when writing stops, beside the end of the text itself |
| `stops` | strings that end a text |
| `seeds` | each row's own source of draws |
| `sources` | what a text is written from, as it is given: texts or numbers |
| `draws` | the numbers that come from it, in NumPy |
| `scores` | how likely a text was found |
| `faults` | what can become of a network that has learned nothing, or of a sampler that forbids everything |
"""
