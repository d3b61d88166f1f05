"""What a server refuses, in the shape in which clients of the completions protocol expect errors."""

from __future__ import annotations

import json
from typing import Any


class Refused(Exception):  # noqa: N818 - it is no error of ours
    """A request that is not answered.

    Attributes:
        status: Of HTTP.
        message: One line for whoever asked.
        param: The field that is wrong, if one is.
        code: A word for programs.
        headers: That go with the status.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Keep them."""
        super().__init__(message)
        self.status, self.message, self.param, self.code = status, message, param, code
        self.headers = headers or {}

    @property
    def kind(self) -> str:
        """The `type` that the protocol has for such errors."""
        special = {401: "authentication_error", 429: "rate_limit_error"}
        return special.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")

    def body(self) -> dict[str, Any]:
        """Give what is sent."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def as_json(value: Any) -> bytes:
    """Write JSON: on one line, and of half a character, which UTF-8 cannot hold, the escape.

    >>> as_json({"text": "é"}).decode()
    '{"text":"é"}'
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")
