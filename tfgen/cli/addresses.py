"""Where a server listens, and under which names it is called."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from tfgen.errors import InputError
from tfgen.support import wording


def listening(host: str, port: int) -> socket.socket:
    """Take an address, before a model is loaded for nothing.

    Raises:
        InputError: It is taken, or none of this machine.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        listener = socket.socket(family, kind)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except (OSError, UnicodeError) as error:
        said = getattr(error, "strerror", None) or wording.first_line(error)
        raise InputError(
            f"{host} cannot be listened on at port {port}: {said}; choose another --host or --port."
        ) from None
    return listener


def is_open(listener: socket.socket) -> bool:
    """Whether others than this machine reach it."""
    return not _address(listener).is_loopback


def names(listener: socket.socket, host: str) -> tuple[list[str], bool]:
    """Say under which names a server may be called, and whether under any address that is a number; see `Gate`."""
    everywhere = _address(listener).is_unspecified
    return ["localhost", "127.0.0.1", "::1", host, *([socket.gethostname()] if everywhere else [])], everywhere


def url(listener: socket.socket, host: str, token: str | None) -> str:
    """Give the address for a browser: what stands behind # is never sent anywhere."""
    name = socket.gethostname() if _address(listener).is_unspecified else host
    shown = f"[{name}]" if ":" in name else name
    return f"http://{shown}:{listener.getsockname()[1]}/" + (f"#token={token}" if token else "")


def _address(listener: socket.socket) -> Any:
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0])
