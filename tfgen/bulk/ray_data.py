"""Rows of a Dataset of Ray, answered by actors over a model.

An actor that dies is started anew, and what it had is given to another; only so much is read as is worked on.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from typing import Any

from tfgen.bulk.requests import TOGETHER, Request
from tfgen.errors import InputError, path_of, whole_number
from tfgen.machines import cluster


def generate(
    dataset: Any,
    model: str | os.PathLike[str],
    *,
    column: str | None = "prompt",
    source_column: str | None = None,
    seed: int = 0,
    unknown: str = "error",
    workers: int = 2,
    **settings: Any,
) -> Any:
    """Write on from a prompt a row.

    Args:
        dataset: A `ray.data.Dataset` with a column of prompts, or of sources.
        model: A `.keras` file.
        column: The column of prompts; None where all are empty.
        source_column: The column of sources, for a model that writes from texts.
        seed: Row r draws from the seed `seed` + r, where r is its place in the dataset.
        unknown: What a token outside the vocabulary does, see `Vocabulary.encode`.
        workers: How many actors.
        **settings: As for `TextGenerator.generate`: `length`, `temperature` and others.

    Returns:
        A Dataset of the same rows in the same order, with the columns `text` and `seed`.

    Raises:
        InputError: An argument is out of its range, the dataset has no such column, or Ray is not installed.
    """
    return _mapped(dataset, model, Request(False, column, seed, unknown, settings, source_column), workers)


def score(
    dataset: Any,
    model: str | os.PathLike[str],
    *,
    column: str = "text",
    source_column: str | None = None,
    unknown: str = "error",
    workers: int = 2,
) -> Any:
    """Score a text a row.

    Args:
        dataset: A `ray.data.Dataset` with a column of texts.
        model: A `.keras` file.
        column: The column.
        source_column: The column of sources, for a model that writes from texts.
        unknown: What a token outside the vocabulary does, see `Vocabulary.encode`.
        workers: How many actors.

    Returns:
        A Dataset of the same rows in the same order, with `characters`, `nats`, `nats_per_character`,
        `bits_per_character` and `perplexity`.

    Raises:
        InputError: As for `generate`.
    """
    return _mapped(dataset, model, Request(True, column, 0, unknown, source_column=source_column), workers)


class _Rows:
    """An actor that answers rows, in batches as they come."""

    def __init__(self, model: bytes, request: Request) -> None:
        from tfgen.bulk.runs import Answering

        self._answering, self._request = Answering(model, request), request

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        numbers = batch.pop("id")
        read = {name: map(str, batch[name]) for name in self._request.columns}
        rows = [dict(zip(read, row, strict=True)) for row in zip(*read.values(), strict=True)]
        answers = self._answering.rows(rows, numbers)
        return {**batch, **{name: [each[name] for each in answers] for name in answers[0]}}


class _Groups:
    """An actor that answers groups of rows, each a line of JSON."""

    def __init__(self, model: bytes, request: Request) -> None:
        from tfgen.bulk.runs import Answering

        self._answering = Answering(model, request)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        answered = [self._answering.group(tuple(json.loads(each))) for each in batch["item"]]
        return {"item": [json.dumps(each) for each in answered]}


def answered(groups: Iterator[Any], model: bytes, request: Request, workers: int) -> Iterator[Any]:
    """Answer groups of rows, each with its number, in as many actors; they come in any order."""
    data = _ray_data()
    items = [json.dumps(group) for group in groups]
    dataset = data.from_items(items, override_num_blocks=len(items))
    found = _by_actors(dataset, _Groups, model, request, workers, 1)
    for batch in found.iter_batches(batch_size=None, prefetch_batches=0):
        yield from map(json.loads, batch["item"])


def _mapped(dataset: Any, model: str | os.PathLike[str], request: Request, workers: int) -> Any:
    data = _ray_data()
    if not isinstance(dataset, data.Dataset):
        raise InputError(f"dataset must be a ray.data.Dataset; received {type(dataset).__name__}.")
    workers = whole_number("workers", workers, 1)
    content = path_of("model", model).read_bytes()
    for name in request.columns:
        if name not in dataset.columns():
            raise InputError(f"the dataset has the columns {dataset.columns()}; received {name!r}.")
    # The place of a row, whoever reads it.
    numbered = dataset.zip(data.range(dataset.count()))
    return _by_actors(numbered, _Rows, content, request, workers, TOGETHER)


def _by_actors(dataset: Any, kind: type, model: bytes, request: Request, workers: int, together: int) -> Any:
    import ray.data

    return dataset.map_batches(
        kind,
        fn_constructor_args=(model, request),
        batch_size=together,
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
    )


def _ray_data() -> Any:
    """Import Ray Data, and let it keep the order of rows and show nothing of its own."""
    cluster.ray()
    import ray.data

    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray.data
