"""tfgen: text generation with recurrent networks on TensorFlow and Keras 3.

Importing tfgen is cheap: TensorFlow (about six seconds) is imported by the names that compute, when they are first
used. Corpora, vocabularies and the command line's help work without it.
"""

from tfgen.errors import InputError

__version__ = "0.1.0"

__all__ = ["InputError", "__version__"]
