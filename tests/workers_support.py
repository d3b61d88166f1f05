"""Several workers as processes of this machine, as anything that sets TF_CONFIG starts them."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parent), "TF_CPP_MIN_LOG_LEVEL": "2"}


# Long, for a machine that has much else to do.
PATIENCE = 1200


@contextlib.contextmanager
def held_ports(count):
    """Find ports, and keep them from all but those who may share them with a socket that does not listen."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        yield [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def started(size, folder, *arguments):
    """Start `worker.py` so many times, and end what is left of it; all that it writes is in the folder."""
    with held_ports(size) as ports, contextlib.ExitStack() as ended:
        addresses = [f"127.0.0.1:{port}" for port in ports]
        processes = []
        for rank in range(size):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
            environment = {**ENVIRONMENT, "TMPDIR": str(folder)} | ({"TF_CONFIG": json.dumps(task)} if size > 1 else {})
            command = [sys.executable, str(HERE / "worker.py"), str(folder), *map(str, arguments)]
            options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
            processes.append(subprocess.Popen(command, env=environment, **options))
            ended.callback(_end, processes[-1])
        yield processes


def _end(process):
    process.kill()
    process.communicate()


def run(size, folder, *arguments):
    """Run `worker.py` so many times, and give the texts that they wrote."""
    with started(size, folder, *arguments) as processes:
        texts = [process.communicate(timeout=PATIENCE)[0] for process in processes]
        assert [process.returncode for process in processes] == [0] * size, "\n".join(texts)
    return texts


def found(folder, cut, rank=0, name="found"):
    """What a worker has written."""
    return dict(np.load(folder / f"{cut}.{name}.{rank}.npz"))
