"""Rows of a Dataset of Ray, answered by actors over a model.

An actor that dies is started anew, and what it had is given to another; only so much is read as is worked on.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from typing import Any

from tfgen.bulk.requests import TOGETHER, Request, readers
from tfgen.errors import InputError, path_of, whole_number
from tfgen.machines import cluster
from tfgen.support import wording


def generate(
    dataset: Any,
    model: str | os.PathLike[str],
    *,
    column: str | None = "prompt",
    source: str | None = None,
    seed: int = 0,
    unknown: str = "error",
    workers: int = 2,
    **settings: Any,
) -> Any:
    """Write on from a prompt a row.

    Args:
        dataset: A `ray.data.Dataset` with a column of prompts.
        model: A `.keras` file.
        column: The column; None begins all texts anew, which goes with a source.
        source: The column with what a model with an encoder reads.
        seed: Row r draws from the seed `seed` + r, where r is its place in the dataset.
        unknown: What a token outside the vocabulary does, see `Vocabulary.encode`.
        workers: How many actors.
        **settings: As for `TextGenerator.generate`: `length`, `temperature` and others.

    Returns:
        A Dataset of the same rows in the same order, with the columns `text` and `seed`.

    Raises:
        InputError: An argument is out of its range, the dataset has no such column, or Ray is not installed.
    """
    return _mapped(dataset, model, Request(False, column, seed, unknown, settings, source), workers)


def score(
    dataset: Any,
    model: str | os.PathLike[str],
    *,
    column: str = "text",
    source: str | None = None,
    unknown: str = "error",
    workers: int = 2,
) -> Any:
    """Score a text a row.

    Args:
        dataset: A `ray.data.Dataset` with a column of texts.
        model: A `.keras` file.
        column: The column.
        source: The column with what a model with an encoder reads.
        unknown: What a token outside the vocabulary does, see `Vocabulary.encode`.
        workers: How many actors.

    Returns:
        A Dataset of the same rows in the same order, with `characters`, `nats`, `nats_per_character`,
        `bits_per_character` and `perplexity`.

    Raises:
        InputError: As for `generate`.
    """
    return _mapped(dataset, model, Request(True, column, 0, unknown, {}, source), workers)


class _Rows:
    """An actor that answers rows, in batches as they come."""

    def __init__(self, model: bytes, request: Request) -> None:
        from tfgen.bulk.runs import Answering

        self._answering, self._request = Answering(model, request), request

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        numbers = batch.pop("id")
        texts = [[_text(value, name) for value in batch[name]] for name in self._request.columns]
        rows = [dict(zip(self._request.columns, row, strict=True)) for row in zip(*texts, strict=True)]
        answers = self._answering.rows(rows, numbers)
        return {**batch, **{name: [each[name] for each in answers] for name in answers[0]}}


class _Groups:
    """An actor that answers groups of rows, each a line of JSON."""

    def __init__(self, model: bytes, request: Request) -> None:
        from tfgen.bulk.runs import Answering

        self._answering = Answering(model, request)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {"item": [json.dumps(self._answered(tuple(json.loads(each)))) for each in batch["item"]]}

    def _answered(self, group: Any) -> Any:
        try:
            return self._answering.group(group)
        except (InputError, TypeError) as error:  # given back, for what is raised would be tried again
            return str(error)


def answered(groups: Iterator[Any], model: bytes, request: Request, workers: int) -> Iterator[Any]:
    """Answer groups of rows, each with its number, in as many actors; they come in any order."""
    ray = cluster.ray()
    beside = cluster.beside(ray, _lines, num_returns="streaming", max_retries=0)
    lines = beside.remote([json.dumps(group) for group in groups], model, request, workers)
    while True:
        cluster.wait(ray, lines)
        try:
            answers = [json.loads(line) for line in ray.get(next(lines))]
        except StopIteration:
            return
        except ray.exceptions.RayError as error:
            reason = wording.shorten(str(error).strip().splitlines()[-1], 300)
            raise InputError(f"Ray has ended the work: {wording.clause(reason)}.") from None
        for answer in answers:
            if isinstance(answer, str):
                raise InputError(answer)
            yield answer


def _lines(items: list[str], model: bytes, request: Request, workers: int) -> Iterator[list[str]]:
    """Answer groups as lines of JSON; what an actor is asked for wrongly is a text."""
    dataset = _ray_data().from_items(items, override_num_blocks=len(items))
    found = _by_actors(dataset, _Groups, model, request, workers, 1)
    for batch in found.iter_batches(batch_size=None, prefetch_batches=0):
        yield batch["item"].tolist()


def _mapped(dataset: Any, model: str | os.PathLike[str], request: Request, workers: int) -> Any:
    data = _ray_data()
    if not isinstance(dataset, data.Dataset):
        raise InputError(f"dataset must be a ray.data.Dataset; received {type(dataset).__name__}.")
    workers = whole_number("workers", workers, 1)
    path, columns = path_of("model", model), dataset.columns() or []
    readers(path, request)
    for name in request.columns:
        if name not in columns:
            raise InputError(f"the dataset has the columns {wording.listing(columns)}; received {name!r}.")
    content = path.read_bytes()
    _answer_first(dataset, content, request)
    # The place of a row, whoever reads it.
    numbered = dataset.zip(data.range(dataset.count()))
    # Of this dataset, which has kept the context of when it was made; groups may come in any order.
    numbered.context.execution_options.preserve_order = True
    return _by_actors(numbered, _Rows, content, request, workers, TOGETHER)


def _answer_first(dataset: Any, model: bytes, request: Request) -> None:
    """Answer the first row here, so that a wrong model or setting is refused at once, in one line."""
    from tfgen.bulk.runs import Answering

    answering = Answering(model, request)
    for row in dataset.take(1):
        answering.rows([{name: _text(row[name], name) for name in request.columns}], [0])


def _text(value: Any, name: str) -> str:
    """Give what stands in a column as a text; a missing one is none."""
    if not isinstance(value, str):
        raise InputError(f"the column {name!r} must hold texts; received {wording.shown(value)}: leave such rows out.")
    return str(value)  # which NumPy may have as a kind of its own


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
    """Import Ray Data, and let it show nothing of its own."""
    cluster.ray()
    import ray.data

    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    return ray.data
