"""tfgen: text generation with recurrent networks on TensorFlow and Keras 3.

Importing tfgen is cheap. TensorFlow, which takes seconds, is imported with the first name that computes; corpora,
vocabularies and the command line's help work without it.
"""

from tfgen.support import early  # isort: skip - before anything that takes time

if early.is_command():
    early.end_at_once()

import importlib
import importlib.abc
import importlib.machinery
import os
import sys
from typing import Any

from tfgen.errors import InputError

__version__ = "0.1.0"

# Public name: the module it lives in. A module is public under its own name.
_PUBLIC = {
    "Corpus": "corpora",
    "Generated": "writing",
    "NAMED_CORPORA": "corpora",
    "Pairs": "corpora",
    "Prepared": "prepared",
    "PreparedPairs": "prepared",
    "Session": "writing",
    "TextGenerator": "text_generator",
    "Vocabulary": "vocabulary",
    "load_corpus": "corpora",
    "load_pairs": "corpora",
    "open_prepared": "prepared",
    "open_prepared_pairs": "prepared",
    "prepare_corpus": "prepared",
    "prepare_pairs": "prepared",
    **{
        name: name
        for name in (
            "bulk",
            "callbacks",
            "comparison",
            "corpora",
            "datasets",
            "export",
            "interop",
            "layers",
            "machines",
            "metrics",
            "networks",
            "novelty",
            "page",
            "plots",
            "sampling",
            "serving",
            "training",
            "workers",
            "writing",
        )
    },
}

__all__ = ["InputError", "__version__", *sorted(_PUBLIC)]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'tfgen' has no attribute {name!r}")
    module = importlib.import_module(f"tfgen.{_PUBLIC[name]}")
    return module if name == _PUBLIC[name] else getattr(module, name)


def __dir__() -> list[str]:
    return __all__


def _register_with_keras() -> None:
    """Import everything that Keras can load from a file, so that it is registered."""
    for module in ("fitting.adamw", "layers", "metrics", "text_generator", "vocabulary.keras_layers"):
        importlib.import_module(f"tfgen.{module}")


class _WhenKerasIsImported(importlib.abc.MetaPathFinder):
    """Registers tfgen's classes with Keras once Keras is there, whichever of the two was imported first.

    `keras.saving.load_model` finds a class only if it is registered, and must do so after a bare `import tfgen`, which
    does not import Keras. A module of ours may be the one that imports it, and is then half executed while the others
    are imported: so none of them uses another's names before it is called, but for `text_generator`, whose base class
    is there for it alone.
    """

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if fullname != "keras":
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_register(module: Any) -> None:
            sys.meta_path.remove(self)
            execute(module)
            _register_with_keras()

        spec.loader.exec_module = execute_and_register  # type: ignore[method-assign]
        return spec


def _keep_notebooks_quiet() -> None:
    """Keep what TensorFlow reports of itself out of a notebook, which shows it in red."""
    from tfgen.support import notebooks, standard_error

    if notebooks.is_one():
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
        standard_error.sift_from_now_on()


_keep_notebooks_quiet()
if "keras" in sys.modules:
    _register_with_keras()
else:
    sys.meta_path.insert(0, _WhenKerasIsImported())
