"""One function in several processes that train together: Ray Train places them, and starts them again where one died.

What a user did wrong ends all of them at once, and is not tried again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from tfgen.errors import InputError
from tfgen.machines import cluster, voices
from tfgen.support import interrupts, wording

_RESTARTS = 3


def train_together(
    function: Callable[[Any], None], argument: Any, *, workers: int, folder: Path, address: str | None = None
) -> None:
    """Call a function in several processes, each of which may join the others (`tfgen.workers.join`).

    What the first of them writes to its standard streams is written here. If one dies, all begin again, three times at
    most: the function goes on where a checkpoint is.

    Args:
        function: Of a module, so that each process can import it.
        argument: Plain values.
        workers: How many processes.
        folder: Where Ray keeps its notes of the run, which are removed; several machines must share it.
        address: Of a Ray that is there; None starts one here.

    Raises:
        InputError: Of any of the processes; or one died again and again.
        tfgen.support.interrupts.Stopped: A signal was received; all processes have ended.
    """
    with interrupts.deferred(), cluster.connected(workers, address) as ray:
        room = int(ray.cluster_resources().get("CPU", 0))
        if address is not None and room < workers:
            click.echo(f"Ray has cores for {room} workers now; waiting for those of {workers}.", err=True)
        board = cluster.beside(ray, voices.Board).remote()
        config = {
            "function": function,
            "argument": argument,
            "board": board,
            "terminal": voices.Terminal(sys.stdout.isatty(), shutil.get_terminal_size().columns),
            "folder": str(Path.cwd()),
        }
        try:
            _watch(ray, board, cluster.beside(ray, _train, max_retries=0).remote(config, workers, str(folder)))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _train(config: dict[str, Any], workers: int, notes: str) -> str:
    """Run Ray Train until all have ended; give the reason if they did not end well."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    from tfgen.machines.addresses import Addresses

    trainer = DataParallelTrainer(
        _one,
        backend_config=Addresses(),
        train_loop_config=config,
        scaling_config=ScalingConfig(num_workers=workers),
        run_config=RunConfig(name="run", storage_path=notes, failure_config=FailureConfig(max_failures=_RESTARTS)),
    )
    try:
        trainer.fit()
    except Exception as error:  # of any class of Ray's
        return str(error) or type(error).__name__
    return ""


def _watch(ray: Any, board: Any, training: Any) -> None:
    """Write what is said until all have ended, or one has made a mistake."""
    while True:
        ended = bool(ray.wait([training], timeout=0)[0])
        hearing = board.hear.remote()
        cluster.wait(ray, hearing)
        said = ray.get(hearing)
        for stream, text in said.pieces:
            getattr(sys, stream).write(text)
        for stream in {name for name, _ in said.pieces}:
            getattr(sys, stream).flush()
        if said.mistakes:
            raise InputError(said.mistakes[0])
        interrupts.check()
        if ended and not said.pieces:
            break
    try:
        reason = ray.get(training)
    except ray.exceptions.RayError as error:  # its own process was ended
        reason = str(error)
    if reason:
        reason = wording.shorten(" ".join(reason.split()), 300)
        raise InputError(f"the workers ended again and again: {wording.clause(reason)}.")


def _one(config: dict[str, Any]) -> None:
    """Call the function in one of the processes."""
    from ray import train

    board, is_chief = config["board"], train.get_context().get_world_rank() == 0
    message = None
    try:
        with contextlib.chdir(config["folder"]), contextlib.ExitStack() as streams:
            if is_chief:
                os.environ["COLUMNS"] = str(config["terminal"].columns)
                streams.enter_context(voices.heard(board, config["terminal"]))
            config["function"](config["argument"])
    except click.ClickException as error:
        message = error.format_message()
    except InputError as error:
        message = str(error)
    except OSError as error:
        message = f"{error.strerror or error}" + (f": {error.filename}." if error.filename else ".")
    if message is not None:  # which is not tried again
        import ray

        ray.get(board.give_up.remote(message))
