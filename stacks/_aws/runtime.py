"""The client that calls a model, and how its errors are read.

Waiting is ours to do, and to say, so it never tries again by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deployer.core.errors import PrerequisiteError
from deployer.running.gateway.errors import OTHER, Failed, refused

READ_S = 300
"""The longest wait for the next piece of an answer."""


def client(service: str, region: str) -> Any:
    """Return the client of a service that serves models.

    Raises:
        PrerequisiteError: there are no AWS credentials, or none that can be used.
    """
    from botocore.config import Config

    from stacks._aws import credentials
    from stacks._aws.session import client_of, understood

    retries: Any = {"total_max_attempts": 1}  # waiting is ours to do, and to say
    with understood(f"call {service}"):
        session = credentials.session(region)
        if not credentials.check(session):
            raise PrerequisiteError(
                "there are no AWS credentials to sign calls with",
                hint="run 'aws configure' or 'aws sso login', or set AWS_PROFILE",
            )
        return client_of(session, service, config=Config(retries=retries, read_timeout=READ_S))


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
HINTS = {
    403: "the AWS credentials may not call it, or have expired",
    429: "AWS throttles: ask again later, or raise the quota",
}
NOT_READY = ("ModelNotReadyException",)
NO_CAPACITY = "no capacity"
"""SageMaker: a ValidationError whose message says that the inference component has no capacity."""


class Errors:
    """Fulfils `deployer.running.gateway.backend.Errors`: what boto3 raises."""

    def failed(self, error: Exception) -> Failed:
        """See `Errors`: an answer with AWS's own code."""
        said = _said(error)
        code = str(said.get("Code") or type(error).__name__)
        status = STATUS.get(code[:1].upper() + code[1:], OTHER)
        return refused(status, str(said.get("Message") or error), code=code, hints=HINTS)

    def asleep(self, error: Exception) -> bool:
        """See `Errors`: Bedrock's model is not ready, SageMaker's has no capacity; the call itself wakes both."""
        code, message = str(_said(error).get("Code", "")), str(_said(error).get("Message", ""))
        return code in NOT_READY or NO_CAPACITY in message.lower()


def _said(error: Exception) -> Mapping[str, Any]:
    found: Mapping[str, Any] = getattr(error, "response", {}).get("Error", {})
    return found
