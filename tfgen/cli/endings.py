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
        why = {1: "The epoch is done", 2: "Both epochs are done"}.get(wanted, f"All {number} are done")
    elif ended and ended.startswith("no better"):
        why = f"Stopped after {done} of {number}, for the validation was {ended}"
    else:
        why = f"Stopped after {done} of {number}"
    prefix, part = ("val_", "validation") if "val_nats" in result else ("", "training")
    nats, bits = result.get(f"{prefix}nats"), result.get(f"{prefix}bits")
    said = "" if nats is None else f", {part} {cost(nats, settings.get('split', 'character'), bits)}"
    return f"{why}; epoch {result['kept_epoch']} is kept{said}."


def beside_counts(counts: str, nats: float, provenance: Mapping[str, Any], mixed: bool = False) -> str:
    """Say whether a network predicts the validation part better than counts do, and what to do if it does not.

    Args:
        counts: Their name.
        nats: Per token, of the counts.
        provenance: What the model of the network knows.
        mixed: Whether it is mixed with them in any case.

    >>> beside_counts("counts", 1.5, {"result": {"val_nats": 1.2}})
    'validation 1.200 nats: better than counts, 1.500 nats'
    >>> beside_counts("counts", 1.5, {"result": {"val_nats": 1.6, "ended": "all epochs done"}})
    'the network has not beaten counts yet, 1.600 nats against 1.500 nats: train it for more epochs'
    >>> beside_counts("counts", 1.5, {"result": {"val_nats": 1.6, "ended": "no better for 4 epochs"}})
    'the network has not beaten counts, 1.600 nats against 1.500 nats: --ngrams 7 mixes it with them'
    """
    result, split = provenance.get("result", {}), provenance.get("settings", {}).get("split", "character")
    reached, unit = result.get("val_nats"), "nats" if split == "character" else f"nats per {split}"
    if reached is not None and reached < nats:
        return f"validation {reached:.3f} {unit}: better than {counts}, {nats:.3f} {unit}"
    said = "" if reached is None else f"{reached:.3f} {unit} against "
    is_over = (result.get("ended") or "").startswith("no better")
    advice = ("" if mixed else ": --ngrams 7 mixes it with them") if is_over else ": train it for more epochs"
    return f"the network has not beaten {counts}{'' if is_over else ' yet'}, {said}{nats:.3f} {unit}{advice}"


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
