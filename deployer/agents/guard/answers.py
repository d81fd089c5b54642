"""Refusals, in OpenAI's form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

KINDS = {
    401: ("authentication_error", "invalid_api_key"),
    408: ("invalid_request_error", "request_timeout"),
    413: ("invalid_request_error", "request_too_large"),
    429: ("rate_limit_error", "too_many_requests"),
    502: ("server_error", "engine_failed"),
    503: ("server_error", "engine_not_ready"),
}
AGAIN_S = 1


def answer(
    status: int,
    body: bytes,
    *,
    goes_on: bool,
    kind: str = "application/json",
    more: Mapping[str, str] | None = None,
) -> bytes:
    """Return a whole answer as bytes."""
    head = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        *(f"{name}: {value}" for name, value in (more or {}).items()),
        *(() if goes_on else ("connection: close",)),
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def refusal(status: int, message: str, *, goes_on: bool = False) -> bytes:
    """Return an error as OpenAI's clients read it; 429 and 503 say when to try again."""
    kind, code = KINDS.get(status, ("invalid_request_error", "invalid_request"))
    error = {"message": message, "type": kind, "param": None, "code": code}
    more = {429: {"retry-after": str(AGAIN_S)}, 503: {"retry-after": str(AGAIN_S)}}
    more[401] = {"www-authenticate": "Bearer"}
    body = json.dumps({"error": error}).encode()
    return answer(status, body, goes_on=goes_on, more=more.get(status))
