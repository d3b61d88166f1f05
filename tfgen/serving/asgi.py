"""Models as an application for any ASGI server."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from tfgen.errors import InputError, check_instance
from tfgen.serving.bounds import Bounds
from tfgen.serving.gate import LOOPBACK, Gate
from tfgen.support import wording
from tfgen.text_generator import TextGenerator

if TYPE_CHECKING:
    from tfgen.serving.service import Service


def check_installed() -> None:
    """Refuse to serve where its packages are not installed.

    Raises:
        InputError: Says how to install them.
    """
    try:
        import prometheus_client  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"serving needs the package {error.name}: from a checkout of this project, pip install '.[serve]'."
        ) from None


class Application(Gate):
    """Models behind a gate; made by `application`."""

    def __init__(self, service: Service, hosts: Collection[str], addresses: bool, token: str | None) -> None:
        """Take what answers, and the arguments of `Gate`."""
        super().__init__(service.app, hosts, addresses, token)
        self._service = service

    def end(self) -> None:
        """Let all requests end where they are; signal handlers may call it."""
        self._service.end()


def application(
    models: Mapping[str, TextGenerator],
    *,
    hosts: Collection[str] = LOOPBACK,
    addresses: bool = False,
    token: str | None = None,
    bounds: Bounds | None = None,
) -> Application:
    """Make the application that serves models by the completions protocol.

    It runs one thread of its own while the server runs, from the start of its lifespan to the end.

    Args:
        models: Under the names that clients call them by.
        hosts: Names under which the server may be called, without port.
        addresses: Whether it may be called under any address that is a number, which nobody can rebind.
        token: What clients must send as `Authorization: Bearer`; None for nothing.
        bounds: Of what they may ask; None for the usual ones.

    Raises:
        InputError: There is no model, or one writes from a source that is neither a text nor a small picture; or
            packages are not installed.
    """
    check_instance("models", models, Mapping, "a mapping of names to models")
    if isinstance(hosts, str) or not isinstance(hosts, Collection) or not all(isinstance(each, str) for each in hosts):
        raise InputError(f"hosts must be a list of names; received {wording.shown(hosts)}.")
    check_instance("addresses", addresses, bool, "True or False")
    check_instance("token", token, str | None, "a text")
    check_instance("bounds", bounds, Bounds | None, "a tfgen.serving.Bounds")
    if not models:
        raise InputError("there is nothing to serve; received no model.")
    for name, model in models.items():
        check_instance("the name of a model", name, str, "a text")
        check_instance("a model", model, TextGenerator, "a tfgen.TextGenerator")
    check_installed()
    from tfgen.serving.service import Service

    service = Service(models, bounds or Bounds(), token is not None)
    return Application(service, hosts, addresses, token)
