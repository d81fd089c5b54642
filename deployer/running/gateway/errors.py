"""A failure of the model or its service, as an HTTP status and OpenAI's error object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployer.agents.handler_server.refusal import Refusal

OTHER = 502
"""What is neither the caller's fault nor told as another."""
HINTS = {404: "it does not exist; it may have been deleted by hand: see 'deployer status'"}


class Failed(Refusal):
    """An answer that is an error. `retry` false tells OpenAI's clients not to ask again by themselves."""

    def __init__(self, status: int, message: str, *, code: str, retry: bool = True) -> None:
        super().__init__(status, message)
        self.code, self.retry = code, retry

    def document(self) -> dict[str, Any]:
        """Return OpenAI's error object with the service's own code."""
        kind = {400: "invalid_request_error", 403: "permission_error", 429: "rate_limit_error"}
        of = kind.get(self.status, "server_error")
        return {"error": {"message": self.message, "type": of, "param": None, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """Return what goes with it, for OpenAI's clients too."""
        more = {} if self.retry else {"x-should-retry": "false"}
        return super().headers() | more


def refused(status: int, message: str, *, code: str, hints: Mapping[int, str]) -> Failed:
    """Return the answer of a refusal by the service; `hints` are its own hints by status."""
    hint = hints.get(status) or HINTS.get(status)
    return Failed(status, f"{message} ({hint})" if hint else message, code=code)


def broken(why: str) -> Failed:
    """Say that a stream ended before its end."""
    return Failed(OTHER, f"the answer was cut off: {why}", code="stream_broken")
