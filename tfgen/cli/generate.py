"""`tfgen generate`: text from a model file, shown while it is written."""

import inspect
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from tfgen import model_files
from tfgen.cli import engines, options, terminal
from tfgen.cli import novel as redrawing
from tfgen.cli import prompts as of_prompts
from tfgen.cli import sources as of_model
from tfgen.instant.writer import Writer
from tfgen.support import interrupts, wording
from tfgen.vocabulary import separators

_TOGETHER = 256  # prompts, or sources, that are written from at once


@click.command(
    epilog=options.examples(
        'tfgen generate romeo.keras "ROMEO:" --temperature 0.5 --length 500',
        "tfgen generate names.keras -n 20 --novel names.txt",
    )
)
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("prompts", metavar="[PROMPT]...", nargs=-1)
@click.option("--prompts", "prompts_file", type=click.Path(path_type=Path), help="Go on from each line of this file.")
@click.option("-n", "count", type=options.whole(1, 10**5), default=1, show_default=True, help="How many texts.")
@click.option("--separator", metavar="LINE", help="Put this line between texts.  [one that no text can hold]")
@click.option(
    "--novel",
    multiple=True,
    metavar="CORPUS",
    help="Draw a text again that is a whole document of this corpus; repeatable.",
)
@click.option(
    "--length", type=options.whole(1, 10**8), default=300, show_default=True, help="New tokens of a text, at most."
)
@options.temperatures()
@options.sampling
@options.transforms
@options.steering
@click.option("--num-beams", type=options.whole(1, 1000), default=1, help="Search for the likeliest text instead.")
@of_model.given(
    "Write from this text, where MODEL has an encoder; repeatable.",
    'Write from each line of this file; "-" reads standard input.',
)
@click.option("--seed", type=options.whole(0, 2**62), help="The same seed writes the same text.")
@options.unknown
@click.option("--echo/--no-echo", default=True, help="Whether to begin with the prompt.")
@click.option("-q", "--quiet", is_flag=True, help="Do not tell the seed on standard error, nor anything else.")
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
    prompts: tuple[str, ...],
    prompts_file: Path | None,
    separator: str | None,
    novel: tuple[str, ...],
    quiet: bool,
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
    """Write on from each PROMPT ("-" reads one from standard input) with MODEL, a .keras file.

    Each text ends where such texts end, or after --length tokens. A model with an encoder writes from a source: from
    each of several in turn. Texts that may hold ends of lines have a line between them that none of them can hold.
    At several temperatures the same seed writes under a heading for each.
    """
    transforms = {name: settings.pop(name) for name in options.TRANSFORMS}
    for temperature in temperatures:
        _check_that_all_matter(transforms, temperature)
    if scores and not as_json:
        raise click.UsageError("--scores goes with --json.")
    if num_beams > 1 and (count > num_beams or scores or settings["stop"] or settings["max_time"]):
        raise click.UsageError("--num-beams gives at most as many texts, and takes no --scores, --stop or --max-time.")
    if novel and (num_beams > 1 or 0 in temperatures):
        raise click.UsageError("--novel draws again, which at --temperature 0 and with --num-beams changes nothing.")
    if [*prompts, str(prompts_file), str(sources_file), *novel].count("-") > 1:
        raise click.UsageError("of prompts, sources and a corpus one can be standard input: give files for the others.")
    config = model_files.read_config(model)  # says at once what is wrong with the file
    begun = of_prompts.read(config, prompts, prompts_file)
    lines = of_model.read(model, config, sources, sources_file)
    if lines is not None and min(len(lines), len(begun)) > 1:
        raise click.UsageError("several prompts go with one source, and several sources with one prompt.")
    known = redrawing.documents(config, novel) if novel else None
    shown = {**transforms, "num_beams": num_beams if num_beams > 1 else None}
    tokens = (sum(map(len, begun)) + len(begun) * count * settings["length"]) * len(temperatures)
    drawn = settings["seed"] is None and any(temperatures) and num_beams == 1
    settings["seed"] = secrets.randbits(32) if settings["seed"] is None else settings["seed"]
    with interrupts.deferred():
        generator: Any = engines.load(model, config, engine, tokens, {**settings, **shown, "scores": scores})
        of_prompts.check(begun, generator.vocabulary, settings["unknown"])
        of_model.check(lines or [], generator, settings["unknown"])
        notes = [] if quiet else of_prompts.notes(begun, generator.vocabulary)
        notes += [f"seed {settings['seed']}"] if drawn and not (quiet or as_json) else []
        each: Sequence[str | None] = [None] if lines is None else lines
        jobs = [(prompt, line) for prompt in begun for line in each]
        for number, temperature in enumerate(temperatures):
            settings["temperature"] = temperature
            if len(temperatures) > 1 and not as_json:
                _tell(notes)  # they are of all
                notes = []
                _write("\n" * (number > 0) + f"--- temperature {temperature:g} ---\n")
            call: dict[str, Any] = {"n": count, "echo": echo}
            if isinstance(generator, Writer):
                call |= engines.arguments(settings)
            else:
                call |= {"num_beams": num_beams, **_arguments(settings, transforms)}
                call |= {"return_scores": True} if scores else {}
            if not as_json and known is None and len(jobs) == count == num_beams == 1:
                _stream(generator, jobs[0], call, notes)
                notes = []
                continue
            again = None
            groups = _groups(generator, jobs, call)
            if known is not None:
                again = redrawing.Redrawing(known, generator.vocabulary.normalized, _again(generator, jobs, call))
                groups = again(groups, [prompt for prompt, _ in jobs], echo, settings["seed"])
            if as_json:
                of = {"model": str(model), **_named(begun), **({} if lines is None else {"sources": lines})}
                _tell_all({**of, **_given({**settings, **shown})}, groups, again, scores, notes)
            else:
                between = separators.between(generator.vocabulary, begun) if separator is None else f"\n{separator}\n"
                _show(groups, between, notes)
                if again is not None and again.copies and not quiet:
                    _tell([f"{wording.number(again.copies, 'copy', 'copies')} of whole documents drawn again"])
            notes = []


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


def _stream(generator: Any, job: tuple[str, str | None], call: dict[str, Any], notes: list[str]) -> None:
    """Show one text while it is written."""
    (prompt, line), echo = job, call["echo"]
    call = {name: value for name, value in call.items() if name not in ("n", "echo", "num_beams")}
    pieces = generator.stream(prompt, **call, **({} if line is None else {"source": line}))
    _tell(notes)  # only now, for the prompt was checked
    _write(prompt if echo else "")
    for piece in pieces:
        _write(piece)
    _write("\n")


def _show(groups: Iterator[list[str]], separator: str, notes: list[str]) -> None:
    """Show the texts of each prompt or source when they are written."""
    before = ""
    for texts in groups:
        _tell(notes)
        notes = []
        _write(before + separator.join(texts))
        before = separator
    _write("\n")


def _groups(generator: Any, jobs: list[tuple[str, str | None]], call: dict[str, Any]) -> Iterator[list[Any]]:
    """Give the texts of each job, in turn: so many at once that memory does not grow with their number."""
    if len(jobs) == 1:
        yield from _written(generator, jobs, call, call["seed"])
        return
    rows = call["n"]
    for begin in range(0, len(jobs), _TOGETHER):
        some = jobs[begin : begin + _TOGETHER]
        # Each text has a seed of its own, so that it is the same however many are written at once.
        seeds = [call["seed"] + i for i in range(begin * rows, (begin + len(some)) * rows)]
        yield from _written(generator, some, call, seeds)


def _written(
    generator: Any, jobs: list[tuple[str, str | None]], call: dict[str, Any], seed: int | list[int]
) -> list[list[Any]]:
    lines = [line for _, line in jobs if line is not None]
    call = {**call, "seed": seed, **({"source": lines} if lines else {})}
    written: list[list[Any]] = generator.generate([prompt for prompt, _ in jobs], **call)
    return written


def _again(generator: Any, jobs: list[tuple[str, str | None]], call: dict[str, Any]) -> Callable[..., list[Any]]:
    """Give what draws one text a seed for one of the jobs."""

    def again(job: int, seeds: list[int]) -> list[Any]:
        return _written(generator, [jobs[job]], {**call, "n": len(seeds)}, seeds)[0]

    return again


def _tell_all(
    of: dict[str, Any],
    groups: Iterator[list[Any]],
    again: redrawing.Redrawing | None,
    scores: bool,
    notes: list[str],
) -> None:
    """Write all texts as one JSON object."""
    texts = [_numbers(text) if scores else text for some in groups for text in some]
    _tell(notes)
    redrawn = {} if again is None else {"drawn_again": again.copies}
    click.echo(terminal.as_json({**of, **redrawn, "texts": texts}))


def _given(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None and value != ()}


def _named(prompts: list[str]) -> dict[str, Any]:
    return {"prompt": prompts[0]} if len(prompts) == 1 else {"prompts": prompts}


def _tell(notes: list[str]) -> None:
    """Write notes to standard error, where they are not taken for a part of the text."""
    for note in notes:
        terminal.note(note)


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
