"""Peers take turns: each in a process of its own, one of them at work at a time, so that no threads disturb others.

A benchmark is one script. Started by a person it asks its peers in turn, and prints a table. Started by itself with the
name of a peer it is that peer: it does its work whenever a line comes, and answers with the seconds that it took.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from typing import Any

PEER = "--peer"


def become(peers: dict[str, Callable[..., Callable[[], Any]]], arguments: Sequence[str]) -> None:
    """Be the peer that the arguments name: do its work for each line of standard input."""
    work = peers[arguments[0]](*arguments[1:])
    work()  # compiles
    print(flush=True)
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        print(json.dumps({"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}), flush=True)


def take_turns(
    peers: dict[str, Sequence[Any]], rounds: int, threads: int = 1, clock: str = "wall"
) -> dict[str, list[float]]:
    """Let peers work in turn.

    Args:
        peers: Their arguments, by name in the table; the first argument is the peer's own name.
        rounds: How often each works.
        threads: How many threads each may use.
        clock: "wall", or "cpu" for the time of all threads together.

    Returns:
        Seconds of each round, by name.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3", "THREADS": str(threads)}
    processes = {}
    times: dict[str, list[float]] = {name: [] for name in peers}
    try:
        for name, arguments in peers.items():
            command = [sys.executable, sys.argv[0], PEER, *map(str, arguments)]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            processes[name] = subprocess.Popen(command, env=environment, text=True, **pipes)
            _answer(processes[name], name)  # one after the other: starting up takes both cores
        for _ in range(rounds):
            for name, process in processes.items():
                process.stdin.write("\n")
                process.stdin.flush()
                times[name].append(json.loads(_answer(process, name))[clock])
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()
    return times


def _answer(process: Any, name: str) -> str:
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"The peer {name!r} has ended; to see why, run it alone: {' '.join(process.args)}")
    return line


def use_threads() -> int:
    """Give TensorFlow the threads that the peer may use; call it before TensorFlow does anything."""
    import tensorflow as tf

    threads = int(os.environ["THREADS"])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    return threads


def installed(package: str) -> bool:
    """Whether a package can be imported."""
    return importlib.util.find_spec(package) is not None


def versions(*packages: str) -> str:
    """Name packages and their versions, and those that are not installed."""
    named = {name: metadata.version(name) for name in packages if installed(name.replace("-", "_"))}
    absent = [name for name in packages if name not in named]
    python = ".".join(map(str, sys.version_info[:3]))
    listed = ", ".join([f"Python {python}", *(f"{name} {version}" for name, version in named.items())])
    return listed + (f"; not installed and left out: {', '.join(absent)}" if absent else "")


def spread(times: Sequence[float], unit: float = 1e-3, digits: int = 0) -> str:
    """Give the median, and the quartiles in brackets, in some unit of seconds."""
    low, middle, high = (quartile / unit for quartile in statistics.quantiles(times, n=4))
    return f"{middle:,.{digits}f} ({low:,.{digits}f}-{high:,.{digits}f})"


def ratio(times: Sequence[float], ours: Sequence[float]) -> float:
    """Give how many times as long a peer takes: the median over the rounds."""
    return statistics.median(one / other for one, other in zip(times, ours, strict=True))
