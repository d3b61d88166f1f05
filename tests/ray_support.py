"""A Ray whose processes and files can be told from all others: what a test has left is found, and removed."""

import contextlib
import os
import pathlib
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest
from cli_support import ENVIRONMENT

# Long, for a machine that has much else to do.
PATIENCE = 1200
TESTS = str(pathlib.Path(__file__).parent)


def processes_of(folder):
    """The processes of Ray whose files lie below a folder, by their numbers and command lines."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().decode(errors="replace")
            # Ray writes its own names over the environment of its processes, but not over where they write.
            places = [words, (path / "environ").read_bytes().decode(errors="replace")]
            places += [str(each.readlink()) for each in (path / "fd" / "1", path / "fd" / "2")]
        except OSError:
            continue
        if any(folder in place for place in places):
            found[int(path.name)] = words
    return found


def end_processes_of(folder):
    """Kill what is left, and wait for its end."""
    while left := processes_of(folder):
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.1)


def environment_of(folder):
    """The environment of what belongs to a Ray in a folder: one thread, and a token."""
    return {
        **ENVIRONMENT,
        "PYTHONPATH": f"{TESTS}:{ENVIRONMENT['PYTHONPATH']}",
        "TMPDIR": folder,
        "OMP_NUM_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
    }


@pytest.fixture(name="ray_folder")
def ray_folder_fixture():
    """A short path for what Ray leaves, and a look at what it has left."""
    with tempfile.TemporaryDirectory(prefix="tg") as folder:
        yield folder
        deadline = time.monotonic() + PATIENCE
        while (left := processes_of(folder)) and time.monotonic() < deadline:
            time.sleep(0.5)
        end_processes_of(folder)
        assert not left, left
        assert [*pathlib.Path(folder).iterdir()] == []


@contextlib.contextmanager
def ray_with_token():
    """A folder, and the environment of all that belongs to one Ray on several machines."""
    with tempfile.TemporaryDirectory(prefix="tg", ignore_cleanup_errors=True) as folder:
        told = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
        told["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # else Ray takes another address than 127.0.0.1
        try:
            yield folder, environment_of(folder) | told
        finally:
            end_processes_of(folder)


@contextlib.contextmanager
def ray_node(folder, environment, ip, *options, head=None, processes=2, before=()):
    """A machine of a Ray, as `ray start` makes it; gives its process, and the address of the first machine.

    Args:
        folder: For its files; short.
        environment: Of its processes.
        ip: Its address.
        options: More of `ray start`.
        head: The address of the first machine; None makes this the first.
        processes: How many workers it has room for.
        before: Words before its command, such as those that enter a namespace.
    """
    command = [*before, sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--node-ip-address", ip]
    command += ["--num-cpus", str(processes), "--num-gpus", "0", "--object-store-memory", str(128 << 20), *options]
    command += ["--min-worker-port", "0", "--max-worker-port", "0"]
    if head:
        command += ["--address", head]
    else:
        with socket.socket() as free:  # 10001, which Ray would take, may be another's
            free.bind(("", 0))
            command += ["--ray-client-server-port", str(free.getsockname()[1])]
        command += ["--head", "--port", "0", "--temp-dir", folder, "--include-dashboard", "false"]
    said = pathlib.Path(folder, f"{ip}-{secrets.token_hex(2)}.txt")
    with said.open("wb") as file:
        node = subprocess.Popen(command, env=environment, stdout=file, stderr=file, start_new_session=True)
    try:
        deadline = time.monotonic() + PATIENCE
        while "Ray runtime started" not in said.read_text():
            assert node.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.2)
        yield node, head or pathlib.Path(folder, "ray_current_cluster").read_text().strip()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(node.pid, signal.SIGKILL)
        node.wait()
