"""Each process of Ray Train is said who the others are, as TensorFlow reads it.

Ray Train's own setting for TensorFlow does the same, and imports TensorFlow into two more processes.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

import ray
from ray.train.backend import Backend, BackendConfig

# In each process, the socket that keeps its port from all others until TensorFlow listens there.
_held: list[socket.socket] = []


class Addresses(BackendConfig):
    """Sets TF_CONFIG in each process."""

    @property
    def backend_cls(self) -> type[Backend]:
        """What sets it."""
        return _Told


class _Told(Backend):
    def on_start(self, worker_group: Any, backend_config: BackendConfig) -> None:
        """Ask each process for its address, and tell all of them all."""
        addresses = worker_group.execute(_address)
        told = [worker_group.execute_single_async(rank, _tell, addresses, rank) for rank in range(len(addresses))]
        ray.get(told)


def _address() -> str:
    host = ray.util.get_node_ip_address()
    free = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if sys.platform == "linux":  # where two sockets that say so share a port, unless both listen
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _held.append(free)
    free.bind(("", 0))
    port = free.getsockname()[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _tell(addresses: list[str], rank: int) -> None:
    os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}})
