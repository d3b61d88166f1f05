"""Several workers as processes of this machine, as anything that sets TF_CONFIG starts them."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(HERE.parent), "TF_CPP_MIN_LOG_LEVEL": "2"}


def free_ports(count):
    """Find ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start(size, *arguments):
    """Start `worker.py` so many times."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(size)]
    processes = []
    for rank in range(size):
        task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
        environment = ENVIRONMENT | ({"TF_CONFIG": json.dumps(task)} if size > 1 else {})
        command = [sys.executable, str(HERE / "worker.py"), *map(str, arguments)]
        processes.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
    return processes


def run(size, *arguments):
    """Run `worker.py` so many times, and give the texts that they wrote."""
    processes = start(size, *arguments)
    try:
        texts = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * size, "\n".join(texts)
    return texts


def found(folder, cut, rank=0, name="found"):
    """What a worker has written."""
    return dict(np.load(folder / f"{cut}.{name}.{rank}.npz"))
