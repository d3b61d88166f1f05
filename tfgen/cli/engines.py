"""Which engine writes: NumPy's, which starts at once, or TensorFlow, which runs everything and is faster in the end.

The request alone decides, and what a model is made of; both write the same texts and give the same messages.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tfgen import model_files
from tfgen.cli import tensorflow_log
from tfgen.errors import InputError
from tfgen.support import interrupts, wording
from tfgen.terms.settings import PLAIN

if TYPE_CHECKING:
    from tfgen.instant.writer import Writer
    from tfgen.text_generator import TextGenerator

# TensorFlow takes three seconds to begin, and then, once XLA has compiled the loop, saves some 40 microseconds a token
# of a usual network and 200 of a large one (docs/performance.md): it pays for requests of more tokens than these.
_MOST_TOKENS = 20_000
_RUN = {*PLAIN, "length", "min_length", "stop", "max_time", "seed", "unknown"}

option = click.option(
    "--engine",
    type=click.Choice(["numpy", "tensorflow"]),
    help="What runs MODEL: numpy begins at once, tensorflow does everything.  [the request decides]",
)


def arguments(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Give those of the settings that NumPy's engine takes, which all begin with the default of None or of nothing."""
    return {name: value for name, value in asked.items() if name in _RUN}


def load(
    path: Path, config: dict[str, Any], engine: str | None, tokens: int, asked: Mapping[str, Any]
) -> Writer | TextGenerator:
    """Load a model with the engine for a request.

    Args:
        path: Of the model.
        config: What `model_files.read_config` has given for it.
        engine: The one that was asked for, if any.
        tokens: How many are to be read and written.
        asked: All settings, by name; None, False and nothing ask for nothing.

    Raises:
        UsageError: NumPy's engine was asked for, and lacks one of the settings.
        InputError: The model is damaged, or is not run by the engine that was asked for.
    """
    lacking = [f"--{name.replace('_', '-')}" for name in asked if name not in _RUN and asked[name] not in (None, False)]
    if lacking and engine == "numpy":
        raise click.UsageError(f"--engine numpy takes no {', '.join(lacking)}; leave out one or the other.")
    if engine != "tensorflow" and not lacking and (engine or tokens <= _MOST_TOKENS):
        with interrupts.deferred():
            from tfgen.instant.reading import read
            from tfgen.instant.writer import Writer

        try:
            return Writer(*read(path, config))
        except InputError as error:
            if engine:
                raise InputError(f"{wording.clause(error)}: leave out --engine numpy.") from None
    # It also says what is wrong with a file that NumPy's engine has refused.
    tensorflow_log.import_tensorflow()
    with interrupts.deferred():
        return model_files.load(path)


def described(config: dict[str, Any]) -> dict[str, str]:
    """Say which engine writes short texts of a model, and why it is not NumPy's."""
    from tfgen.portable.layers import layers_of_config

    try:
        layers_of_config(config)
    except InputError as error:
        return {"engine": "tensorflow", "engine_reason": str(error)}
    return {"engine": "numpy"}
