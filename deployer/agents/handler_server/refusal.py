"""Errors in OpenAI's form, so that every OpenAI client raises its own exception for them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

KINDS = {
    400: ("invalid_request_error", "invalid_request"),
    401: ("authentication_error", "invalid_api_key"),
    404: ("invalid_request_error", "not_found"),
    405: ("invalid_request_error", "method_not_allowed"),
    408: ("invalid_request_error", "request_timeout"),
    413: ("invalid_request_error", "request_too_large"),
    429: ("rate_limit_error", "too_many_requests"),
    500: ("server_error", "handler_failed"),
    504: ("server_error", "timeout"),
}
"""OpenAI's `type` and our `code` of each status."""
OTHERS = ("invalid_request_error", "refused")
"""Of every other status below 500, which only the handler itself answers."""


class Refusal(Exception):  # noqa: N818 - it is an answer
    """An answer that is an error: its HTTP status and its words, which must name nothing secret."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        more: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param = status, message, param
        self.more = dict(more or {})

    def document(self) -> dict[str, Any]:
        """Return OpenAI's error object."""
        kind, code = KINDS.get(self.status, OTHERS if self.status < 500 else KINDS[500])
        error = {"message": self.message, "type": kind, "param": self.param, "code": code}
        return {"error": error}

    def body(self) -> bytes:
        """Return it as JSON."""
        return json.dumps(self.document()).encode()

    def headers(self) -> dict[str, str]:
        """What goes with it: when to try again, how to sign in."""
        more = {429: {"retry-after": "1"}, 401: {"www-authenticate": "Bearer"}}
        return more.get(self.status, {}) | self.more | {"content-type": "application/json"}
