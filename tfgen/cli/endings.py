"""What a training run says last: why it ended, which epoch is kept, and what the saved model writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tfgen import model_files
from tfgen.cli import engines
from tfgen.errors import InputError
from tfgen.terms.costs import cost
from tfgen.vocabulary import separators

_LENGTH = 200  # tokens of a sample


def ending(provenance: Mapping[str, Any]) -> str:
    """Say how a run has ended, from what its model knows; nothing where no epoch was complete.

    >>> result = {"epochs": 9, "kept_epoch": 5, "ended": "no better for 4 epochs"}
    >>> ending({"settings": {"epochs": 30}, "result": result})
    'Stopped after 9 of 30 epochs, for the validation was no better for 4 epochs; epoch 5 is kept.'
    >>> ending({"settings": {"epochs": 30}, "result": {"epochs": 9, "kept_epoch": 9, "val_nats": 1.2}})
    'Stopped after 9 of 30 epochs; epoch 9 is kept, validation 1.200 nats (1.731 bits).'
    """
    result, settings = provenance.get("result", {}), provenance.get("settings", {})
    if "kept_epoch" not in result:
        return ""
    done, wanted, ended = result["epochs"], settings.get("epochs", result["epochs"]), result.get("ended")
    number = f"{wanted} epoch{'s' * (wanted > 1)}"
    if ended == "all epochs done":
        why = f"All {number} are done" if wanted > 1 else "The epoch is done"
    elif ended and ended.startswith("no better"):
        why = f"Stopped after {done} of {number}, for the validation was {ended}"
    else:
        why = f"Stopped after {done} of {number}"
    prefix, part = ("val_", "validation") if "val_nats" in result else ("", "training")
    nats, bits = result.get(f"{prefix}nats"), result.get(f"{prefix}bits")
    said = "" if nats is None else f", {part} {cost(nats, settings.get('split', 'character'), bits)}"
    return f"{why}; epoch {result['kept_epoch']} is kept{said}."


def samples(
    path: Path, prompts: Sequence[str], temperatures: Sequence[float], source: str | None = None, at_once: bool = False
) -> str:
    """Give what a saved model writes, under a heading for each temperature.

    Args:
        path: The model file, which is read.
        prompts: One text is written for each.
        temperatures: At each of these.
        source: What is written from, where the model has an encoder.
        at_once: Whether to give nothing where the file cannot be run without TensorFlow.
    """
    try:
        config = model_files.read_config(path)
        generator: Any = engines.load(path, config, "numpy" if at_once else None, 0, {"source": source})
    except InputError:
        if at_once:
            return ""
        raise
    under = {} if source is None else {"source": source}
    blocks = []
    for temperature in temperatures:
        call = {"n": 1, "length": _LENGTH, "temperature": temperature, "seed": 0, "unknown": "skip", **under}
        texts = [generator.generate(prompt, **call)[0] for prompt in prompts]
        shown = separators.between(generator.vocabulary, prompts).join(texts)
        blocks.append(f"--- temperature {temperature:g} ---\n{shown}")
    return "\n\n".join(blocks)
