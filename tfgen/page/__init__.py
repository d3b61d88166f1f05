"""A model in a browser: one file of HTML that writes, with the weights and an engine in it.

| module | its one idea |
|---|---|
| `contents` | a vocabulary and layers as JSON and bytes, tables folded, matrices quantised |
| `kernel` | the product of a matrix and a vector in WebAssembly, assembled by hand |
| `assembling` | the parts put together, under a policy that allows no connection |
| `files` | a page as a file |
| `engine.mjs` | the step, the sampler and the draws in JavaScript |
| `graphemes.mjs`, `paper.mjs` | letters as people see them, and a sheet of them |
| `page.mjs`, `page.html`, `page.css` | what a person sees and does |
| `english.mjs` | all that the page says, to be translated |

None of it imports TensorFlow or Keras.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfgen.errors import check_instance
from tfgen.page.assembling import assembled

if TYPE_CHECKING:
    from tfgen.page.contents import Weights

__all__ = ["page"]


def page(model: Any, title: str = "tfgen", weights: Weights = "int8") -> str:
    """Write a model as one page of HTML, which writes texts in any browser and asks no server for anything.

    A page with float32 weights writes the text that `generate` writes with the same prompt, seed and settings.

    Args:
        model: A `TextGenerator`, or a `writing.Writer`: a Sequential of characters.
        title: The heading of the page.
        weights: "int8" (a scale a row), "float16" or "float32".

    Returns:
        HTML, to be written as UTF-8.

    Raises:
        InputError: A page cannot hold the model: the message says why. Or the title is no text.
    """
    from tfgen.networks.described import layers_of

    check_instance("title", title, str, "a text")
    return assembled(_vocabulary(model), layers_of(model), title, weights, getattr(model, "provenance", None))


def _vocabulary(model: Any) -> Any:
    from tfgen.vocabulary.vocabulary import Vocabulary

    vocabulary = getattr(model, "vocabulary", None)
    check_instance("the vocabulary of the model", vocabulary, Vocabulary, "that of a TextGenerator or a Writer")
    return vocabulary


def __dir__() -> list[str]:
    return __all__
