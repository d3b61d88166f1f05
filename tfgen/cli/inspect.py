"""`tfgen inspect`: what a model file says of itself, without loading TensorFlow, and which engine runs it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from tfgen import model_files
from tfgen.cli import engines, options, terminal
from tfgen.errors import InputError
from tfgen.support import wording
from tfgen.vocabulary.vocabulary import Vocabulary


@click.command(epilog=options.examples("tfgen inspect romeo.keras", "tfgen inspect romeo.keras --json"))
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write one JSON object.")
def inspect(model: Path, as_json: bool) -> None:
    """Say what MODEL was trained on, when, with what, and how well."""
    config = model_files.read_config(model)
    try:
        vocabulary = Vocabulary.from_config(config["vocabulary"])
        network = list(_layers(config))
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(f"{str(model)!r} is damaged: {wording.clause(error)}; train or save it again.") from None
    of_texts = {"split": vocabulary.split, "texts_end": vocabulary.ends, "normalize": vocabulary.normalize}
    of_texts |= {"lower": True} if vocabulary.lower else {}
    facts = {
        "model": str(model),
        "bytes": model.stat().st_size,
        "vocabulary": {"tokens": len(vocabulary), **of_texts},
        "network": network,
        **engines.described(config),
        **(config.get("provenance") or {}),
    }
    if as_json:
        click.echo(terminal.as_json(facts))
        return
    console, lines = terminal.console(), [*_flat(facts)]
    widest = max(len(name) for name, _ in lines)
    for name, value in lines:
        console.print(terminal.on_one_line(f"{name:<{widest}} {value}"))


def _layers(config: dict[str, Any]) -> Iterator[str]:
    """Name the layers of the network, with their sizes."""
    network = config.get("network", {})
    parts = network.get("config", {})
    if network.get("class_name") == "EncoderDecoder":
        yield f"encoder {_encoder(parts['encoder'])}"
        yield from _layers({"network": parts["decoder"]})
        yield from ["Attention"] * bool(parts["attention"])
        return
    for member in parts.get("members", []):
        yield from _layers({"network": member})
    for layer in parts.get("layers", []):
        if layer.get("class_name") == "InputLayer":
            continue
        yield _named(layer)


def _encoder(encoder: Mapping[str, Any]) -> str:
    """Name an encoder; a network of the user's own may have hundreds of layers."""
    layers = encoder.get("config", {}).get("layers")
    if not isinstance(layers, list):  # of our own it is a number
        return _named(encoder)
    count = sum(layer.get("class_name") != "InputLayer" for layer in layers)
    return f"{encoder.get('class_name')} of {wording.number(count, 'layer')}"


def _named(layer: Mapping[str, Any]) -> str:
    options = layer.get("config", {})
    if layer.get("class_name") == "NGrams":
        return f"NGrams(order {options['order']}, {options['entries'] - 1:,} of at least two tokens)"
    if layer.get("class_name") == "TimeDistributed":
        return f"TimeDistributed({_named(options['layer'])})"
    sizes = [str(options[name]) for name in ("units", "output_dim", "rate") if options.get(name) is not None]
    return f"{layer.get('class_name')}({', '.join(sizes)})"


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Give a line for each fact; what was left open is none."""
    for name, value in facts.items():
        if value is None:
            continue
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):  # members of a mixture
            yield from _flat({f"{name}.{number}": each for number, each in enumerate(value, start=1)}, prefix)
        elif isinstance(value, list):
            yield prefix + name, ", ".join(map(str, value))
        else:
            yield prefix + name, f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
