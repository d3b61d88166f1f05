"""`tfgen generate`: text from a model file, shown while it is written."""

import inspect
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tfgen import model_files
from tfgen.cli import engines, options, terminal
from tfgen.cli import sources as of_model
from tfgen.corpora.corpus import find_forbidden
from tfgen.errors import InputError
from tfgen.instant.writer import Writer
from tfgen.support import interrupts

_SOURCES = 256  # that are written from at once


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("prompt", default="")
@click.option("-n", "count", type=options.whole(1, 10**5), default=1, show_default=True, help="How many texts.")
@click.option(
    "--length", type=options.whole(1, 10**8), default=300, show_default=True, help="New tokens of a text, at most."
)
@options.temperatures
@options.sampling
@options.transforms
@options.steering
@click.option("--num-beams", type=options.whole(1, 1000), default=1, help="Search for the likeliest text instead.")
@of_model.given(
    "Write from this text, where MODEL has an encoder; repeatable.",
    'Write from each line of this file; "-" reads standard input.',
)
@click.option("--seed", type=options.whole(0, 2**62), help="The same seed writes the same text.")
@click.option(
    "--unknown",
    type=click.Choice(["error", "skip", "unknown"]),
    default="error",
    show_default=True,
    help="What to do with characters of the prompt that the model has never seen.",
)
@click.option("--echo/--no-echo", default=True, help="Whether to begin with the prompt.")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Write a JSON object, with seed and settings, for each temperature; infinity is a string.",
)
@click.option("--scores", is_flag=True, help="With --json: the log-probabilities of each new token.")
@engines.option
def generate(
    model: Path,
    prompt: str,
    count: int,
    num_beams: int,
    temperatures: tuple[float, ...],
    echo: bool,
    as_json: bool,
    scores: bool,
    sources: tuple[str, ...],
    sources_file: Path | None,
    engine: str | None,
    **settings: Any,
) -> None:
    """Write on from PROMPT ("-" reads it from standard input) with MODEL, a .keras file.

    Each text ends where such texts end, or after --length tokens. A model with an encoder writes from a source: from
    each of several in turn. At several temperatures the same seed writes under a heading for each.
    """
    if scores and not as_json:
        raise click.UsageError("--scores goes with --json.")
    transforms = {name: settings.pop(name) for name in options.TRANSFORMS}
    for temperature in temperatures:
        _check_that_all_matter(transforms, temperature)
    if num_beams > 1 and (count > num_beams or scores or settings["stop"] or settings["max_time"]):
        raise click.UsageError("--num-beams gives at most as many texts, and takes no --scores, --stop or --max-time.")
    if prompt == "-" and str(sources_file) == "-":
        raise click.UsageError("the prompt and the sources cannot both be standard input.")
    piped = terminal.read_standard_input() if prompt == "-" else None
    if found := find_forbidden(piped or prompt):
        raise InputError(f"the prompt holds {found}; remove it.")
    config = model_files.read_config(model)  # says at once what is wrong with the file
    prompt = prompt if piped is None else of_model.as_read_by(config, piped)
    lines = of_model.read(model, config, sources, sources_file)
    shown = {**transforms, "num_beams": num_beams if num_beams > 1 else None}
    asked = {**settings, **shown, "scores": scores}
    tokens = (len(prompt) + count * settings["length"]) * len(temperatures)
    settings["seed"] = secrets.randbits(32) if settings["seed"] is None else settings["seed"]
    with interrupts.deferred():
        generator: Any = engines.load(model, config, engine, tokens, asked)
        for number, temperature in enumerate(temperatures):
            settings["temperature"] = temperature
            if len(temperatures) > 1 and not as_json:
                _write("\n" * (number > 0) + f"--- temperature {temperature:g} ---\n")
            about = {name: value for name, value in {**settings, **shown}.items() if value is not None and value != ()}
            written: dict[str, Any] = {"n": count, "echo": echo}
            if isinstance(generator, Writer):
                call = engines.arguments(settings)
            else:
                call = _arguments(settings, transforms)
                written["num_beams"] = num_beams
            if lines is not None and len(lines) == 1:
                call["source"] = lines[0]
            if as_json:
                scored = {"return_scores": True} if scores else {}
                groups = _groups(generator, prompt, lines, {**written, **scored, **call})
                given = [_numbers(text) if scores else text for texts in groups for text in texts]
                from_ = {} if lines is None else {"sources": lines}
                click.echo(terminal.as_json({"model": str(model), "prompt": prompt, **from_, **about, "texts": given}))
            elif lines is None or len(lines) == 1:
                _show(generator, prompt, written, call)
            else:
                for texts in _groups(generator, prompt, lines, {**written, **call}):
                    _write("".join(f"{text}\n" for text in texts))


def _check_that_all_matter(transforms: dict[str, Any], temperature: float) -> None:
    """Refuse transforms that would do nothing as they are combined."""
    asked = [name for name, value in transforms.items() if value is not None]
    for name, of in (("xtc_threshold", "xtc_probability"), ("adaptive_decay", "adaptive_target")):
        if name in asked and of not in asked:
            raise click.UsageError(f"{_option(name)} goes with {_option(of)}.")
    last = [_option(name) for name in ("xtc_probability", "mirostat", "adaptive_target") if name in asked]
    if last and temperature == 0:
        raise click.UsageError(f"{last[0]} can do nothing at --temperature 0; leave out one or the other.")
    if "mirostat" in asked and "adaptive_target" in asked:
        raise click.UsageError("--mirostat and --adaptive-target each decide what is drawn; leave out one of them.")


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _show(generator: Any, prompt: str, written: dict[str, Any], call: dict[str, Any]) -> None:
    """Show one text while it is written, or several when they are."""
    if written["n"] == written.get("num_beams", 1) == 1:
        pieces = generator.stream(prompt, **call)  # first, for it checks the prompt
        _write(prompt if written["echo"] else "")
        for piece in pieces:
            _write(piece)
        _write("\n")
    else:
        separator = "\n" if generator.vocabulary.ends else "\n\n"
        _write(separator.join(generator.generate(prompt, **written, **call)) + "\n")


def _groups(generator: Any, prompt: str, lines: list[str] | None, call: dict[str, Any]) -> Iterator[list[Any]]:
    """Give the texts of each source, in turn: so many sources at once that memory does not grow with their number."""
    if lines is None or len(lines) == 1:
        yield generator.generate(prompt, **call)
        return
    rows = call["n"]
    for begin in range(0, len(lines), _SOURCES):
        some = lines[begin : begin + _SOURCES]
        # Each text has a seed of its own, so that it is the same however many are written at once.
        seeds = [call["seed"] + i for i in range(begin * rows, (begin + len(some)) * rows)]
        yield from generator.generate(prompt, source=some, **{**call, "seed": seeds})


def _arguments(settings: dict[str, Any], transforms: dict[str, Any]) -> dict[str, Any]:
    """Give the arguments of `generate`; transforms that are asked for stand around the chain of the plain settings."""
    from tfgen import sampling

    names = inspect.signature(sampling.default_chain).parameters
    plain = {name: value for name, value in settings.items() if name in names}
    if not plain["temperature"]:  # nothing is left to be cut off
        plain = {name: plain[name] for name in ("temperature", "repetition_penalty")}
    others = {name: value for name, value in settings.items() if name not in names}
    asked = {name: value for name, value in transforms.items() if value is not None}
    before = {"pattern": sampling.Pattern, "dry": sampling.DRY, "top_n_sigma": sampling.TopNSigma}
    chain = [transform(asked[name]) for name, transform in before.items() if name in asked]
    chain += sampling.default_chain(**plain)
    if "xtc_probability" in asked:
        chain.append(sampling.XTC(asked["xtc_probability"], asked.get("xtc_threshold", 0.1)))
    if "mirostat" in asked:
        chain.append(sampling.Mirostat(asked["mirostat"]))
    if "adaptive_target" in asked:
        chain.append(sampling.AdaptiveP(asked["adaptive_target"], asked.get("adaptive_decay", 0.9)))
    return {**others, "sampler": chain}


def _numbers(text: Any) -> dict[str, Any]:
    return {
        "text": text.text,
        "finish_reason": text.finish_reason,
        "tokens": text.tokens,
        "log_probabilities": text.log_probabilities.tolist(),
        "sampler_log_probabilities": text.sampler_log_probabilities.tolist(),
        "alternatives": [dict(each) for each in text.alternatives],
    }


def _write(text: str) -> None:
    try:
        sys.stdout.write(terminal.for_output(text))
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has what it wants
        raise click.exceptions.Exit(0) from None
