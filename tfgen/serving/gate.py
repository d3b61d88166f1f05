"""Who may ask: the host that was called, the page that calls, the token; and what every answer tells a browser.

A page of somebody else's in the user's browser reaches every server of the machine: under a name of its own, which it
lets resolve to 127.0.0.1 (DNS rebinding), or by posting without reading the answer. The Host header tells the first,
Origin and the content type the second, and no header ever lets such a page read an answer.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from typing import Any

from tfgen.serving.refusals import Refused, as_json

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_OPEN = ("/", "/healthz")  # without a token: nothing in them is worth one, nor in what opens the pages of models
_OPENERS = "/pages/"

_HEADERS = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Gate:
    """An ASGI application that lets through what may come in."""

    def __init__(
        self, app: Asgi, names: Collection[str] = LOOPBACK, addresses: bool = False, token: str | None = None
    ) -> None:
        """Stand before an application.

        Args:
            app: What answers.
            names: Hosts under which it may be called, without port.
            addresses: Whether it may be called under any address that is a number, which nobody can rebind.
            token: What clients must send as `Authorization: Bearer`; None for nothing.
        """
        self._app = app
        self._names = {name.lower() for name in names}
        self._addresses = addresses
        self._token = None if token is None else _digest(token.encode())

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            try:
                self._check(scope)
            except Refused as refused:
                await refuse(refused, _guarded(send))
            else:
                await self._app(scope, receive, _guarded(send))

    def _check(self, scope: Message) -> None:
        hosts = _values(scope, b"host")
        if len(hosts) != 1 or not self._known(hosts[0]):
            raise Refused(421, "this server does not answer under the name in the Host header.", code="wrong_host")
        origins = _values(scope, b"origin")
        if origins and origins not in ([f"http://{hosts[0]}".lower()], [f"https://{hosts[0]}".lower()]):
            raise Refused(403, "pages of other origins may not use this server.", code="wrong_origin")
        if self._token is not None and not (scope["path"] in _OPEN or scope["path"].startswith(_OPENERS)):
            self._check_token(_values(scope, b"authorization", lower=False))

    def _known(self, host: str) -> bool:
        found = re.fullmatch(r"(?:\[([0-9a-f:.]+)\]|([^\s\[\]:/@]+))(?::[0-9]{1,5})?", host)
        name = (found[1] or found[2]).removesuffix(".") if found else ""
        return name in self._names or (self._addresses and _is_address(name))

    def _check_token(self, given: list[str]) -> None:
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        # Digests of one length, so that the time tells nothing, not even how long the token is.
        right = hmac.compare_digest(_digest(token.strip().encode("utf-8", "replace")), self._token or b"")
        if scheme.lower() != "bearer" or not right:
            raise Refused(
                401,
                "a token is needed: send it as 'Authorization: Bearer TOKEN', which clients call their API key.",
                code="invalid_api_key",
                headers={"www-authenticate": "Bearer"},
            )


async def refuse(refused: Refused, send: Send) -> None:
    """Send a refusal; the connection ends, for there may be a body that nobody reads."""
    headers = {"content-type": "application/json", "connection": "close", **refused.headers}
    body = as_json(refused.body())
    headers["content-length"] = str(len(body))
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": refused.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})


def _guarded(send: Send) -> Send:
    """Add what browsers should know to every answer that does not say it itself."""

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            said = {name.lower() for name, _ in headers}
            missing = [(name.encode(), value.encode()) for name, value in _HEADERS.items() if name.encode() not in said]
            message = {**message, "headers": headers + missing}
        await send(message)

    return guarded


def _values(scope: Message, name: bytes, lower: bool = True) -> list[str]:
    found = [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]
    return [value.lower() for value in found] if lower else found


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
