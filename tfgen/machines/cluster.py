"""A Ray of one's own for the time of a block, bound to this machine; or one that is there already.

Whoever reaches a port of Ray can run programs on its machines, so that a token is asked for, and a Ray of one's own
listens on the loopback address alone. Ray reports to nobody.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tfgen.errors import InputError, whole_number
from tfgen.support import interrupts, wording

_ATTEMPTS = 3
# How often signals are looked for, in seconds.
_BREATH = 0.2
_LOOPBACK = "127.0.0.1"
# On Linux Ray puts the address at which others reach the machine in the place of 127.0.0.1, unless it is asked not to,
# in words that are of other systems.
_NO_OTHER_MACHINES = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_OBJECTS = 128 << 20  # bytes of shared memory: texts pass through it, and no model
# What Ray's processes take from the environment of the one that starts them.
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_prestart_worker_first_driver": "0",
    # A machine that has much to do starts them slowly.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",
}
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


def ray() -> Any:
    """Import Ray.

    Raises:
        InputError: It is not installed.
    """
    try:
        import ray
    except ImportError:
        raise InputError(
            "several workers need the packages of Ray, some 500 MB: pip install 'ray[train,data]>=2.60,<3'."
        ) from None
    return ray


@contextlib.contextmanager
def connected(processes: int, address: str | None = None, threads: int | None = None) -> Iterator[Any]:
    """Give Ray while the block runs, and end all that it has started.

    Args:
        processes: How many may run at the same time in a Ray of one's own.
        address: Of a Ray that is there, "HOST:PORT"; None starts one on this machine, which nobody else reaches.
        threads: With how many threads TensorFlow computes in each of them; None shares the cores out.

    Raises:
        InputError: Ray is not installed, or nothing answers at the address.
    """
    processes = whole_number("workers", processes, 1, most=10_000)
    threads = threads or max((os.cpu_count() or 1) // processes, 1)
    with contextlib.ExitStack() as ended:
        with interrupts.deferred(), _own_signals():
            folder = None
            if address is None:
                # Short, for sockets lie in it, whose paths may have a hundred bytes.
                folder = tempfile.mkdtemp(prefix="tfgen")
                ended.callback(shutil.rmtree, folder, ignore_errors=True)
            ended.enter_context(_environment(address, threads, folder))
            found = ray()
            _read_environment()
            options: dict[str, Any] = {"address": address}
            if address is None:
                options = {
                    "address": "local",
                    "num_cpus": processes,
                    "num_gpus": 0,
                    "object_store_memory": _OBJECTS,
                    "include_dashboard": False,
                    "_node_ip_address": _LOOPBACK,
                    "_temp_dir": folder,
                }
            ended.enter_context(_ended(found))
            _begin(found, address, options)
        yield found


def beside(ray: Any, called: Any, **options: Any) -> Any:
    """Give a function or a class as Ray calls it in a process of its own on this machine, which takes no core.

    What uses Ray in a thread belongs there: such a thread would end this process too, if Ray is ended before it is.
    """
    node = ray.get_runtime_context().get_node_id()
    here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)
    return ray.remote(called).options(num_cpus=0, scheduling_strategy=here, **options)


def wait(ray: Any, awaited: Any) -> None:
    """Wait for what Ray computes.

    Raises:
        tfgen.support.interrupts.Stopped: A signal was received.
    """
    while not ray.wait([awaited], timeout=_BREATH)[0]:
        interrupts.check()


@contextlib.contextmanager
def _ended(ray: Any) -> Iterator[None]:
    """End all processes that Ray starts in the block: some of its own would stay until they miss the others."""
    psutil: Any = importlib.import_module("psutil")  # which Ray brings along
    before = {*psutil.Process().children(recursive=True)}
    try:
        yield
    finally:
        started = [each for each in psutil.Process().children(recursive=True) if each not in before]
        ray.shutdown()
        for each in started:
            with contextlib.suppress(psutil.Error):
                each.kill()
        psutil.wait_procs(started, timeout=10)


def _begin(ray: Any, address: str | None, options: dict[str, Any]) -> None:
    """Start Ray or connect to it; a machine that has much to do is asked three times."""
    for attempt in range(_ATTEMPTS):
        try:
            ray.init(**options, log_to_driver=False, logging_level="ERROR")
            return
        except Exception as error:  # Ray raises no class of its own where its processes do not answer in time
            ray.shutdown()
            if attempt == _ATTEMPTS - 1 or address is not None:
                where = "Ray did not start" if address is None else f"no Ray answers at {address!r}"
                raise InputError(f"{where}: {wording.first_line(error)}.") from None


@contextlib.contextmanager
def _environment(address: str | None, threads: int, folder: str | None) -> Iterator[None]:
    """Set what Ray and the processes that it starts read from the environment, for the time of the block."""
    wanted = {"RAY_AUTH_MODE": "token", "TF_NUM_INTRAOP_THREADS": str(threads), **_QUIET}
    if address is None:
        wanted |= {"RAY_AUTH_TOKEN": secrets.token_hex(32), _NO_OTHER_MACHINES: "0"}
    elif os.environ.get("RAY_AUTH_MODE", "token") == "token" and not _has_token():
        raise InputError(
            f"the Ray at {address!r} is asked for with a token, and there is none: put it into ~/.ray/auth_token or "
            "RAY_AUTH_TOKEN (ray get-auth-token prints it), or set RAY_AUTH_MODE=disabled on a network of your own."
        )
    new = {name: value for name, value in wanted.items() if name not in os.environ}
    if folder:
        new["TMPDIR"] = folder  # for what TensorFlow writes, and leaves where its process is killed
    before = {name: os.environ.get(name) for name in new}
    os.environ.update(new)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _read_environment() -> None:
    """Let Ray, which may have been imported long ago, look at its settings again."""
    from ray._private import ray_constants

    may_be_several = not ray_constants.IS_WINDOWS_OR_OSX
    ray_constants.ENABLE_RAY_CLUSTER = ray_constants.env_bool(_NO_OTHER_MACHINES, may_be_several)
    raylet: Any = importlib.import_module("ray._raylet")
    raylet.Config.initialize("")
    raylet.AuthenticationTokenLoader.instance().reset_cache()


def _has_token() -> bool:
    named = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return named or Path("~/.ray/auth_token").expanduser().exists()


@contextlib.contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handlers of signals, which Ray replaces."""
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
