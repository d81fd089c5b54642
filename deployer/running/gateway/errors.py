"""What AWS says of a failure, as an HTTP status and OpenAI's error object."""

from __future__ import annotations

from typing import Any

from deployer.agents.handler_server.refusal import Refusal

STATUS = {
    "ValidationException": 400,
    "ValidationError": 400,
    "AccessDeniedException": 403,
    "ExpiredTokenException": 403,
    "UnrecognizedClientException": 403,
    "ResourceNotFoundException": 404,
    "ThrottlingException": 429,
    "ServiceQuotaExceededException": 429,
    "ModelTimeoutException": 504,
    "ModelNotReadyException": 503,
    "ServiceUnavailableException": 503,
    "ServiceUnavailable": 503,
}
"""By AWS's code; any other failure of the model or the service is a 502."""
OTHER = 502
HINTS = {
    403: "the AWS credentials may not call it, or have expired",
    404: "it does not exist: was it deleted by hand? 'deployer status' checks",
    429: "AWS throttles: ask again later, or raise the quota",
}


class Failed(Refusal):
    """An answer that is an error. `retry` false tells OpenAI's clients not to ask again by themselves."""

    def __init__(self, status: int, message: str, *, code: str, retry: bool = True) -> None:
        super().__init__(status, message)
        self.code, self.retry = code, retry

    def document(self) -> dict[str, Any]:
        """Return OpenAI's error object with AWS's own code."""
        kind = {400: "invalid_request_error", 403: "permission_error", 429: "rate_limit_error"}
        of = kind.get(self.status, "server_error")
        return {"error": {"message": self.message, "type": of, "param": None, "code": self.code}}

    def headers(self) -> dict[str, str]:
        """Return what goes with it, for OpenAI's clients too."""
        more = {} if self.retry else {"x-should-retry": "false"}
        return super().headers() | more


def failed(error: Exception) -> Failed:
    """Turn what boto3 raised into an answer."""
    said = getattr(error, "response", {}).get("Error", {})
    code = str(said.get("Code") or type(error).__name__)
    status = STATUS.get(code[:1].upper() + code[1:], OTHER)
    message = str(said.get("Message") or error)
    hint = HINTS.get(status)
    return Failed(status, f"{message} ({hint})" if hint else message, code=code)


def broken(why: str) -> Failed:
    """Say that a stream ended before its end."""
    return Failed(OTHER, f"the answer was cut off: {why}", code="stream_broken")
