"""AWS's API: clients of one region, made once; its refusals as errors with a hint."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

from deployer.core.errors import DeployerError, PolicyError, PrerequisiteError, RemoteError
from stacks._aws.regions import DEFAULT

LOGIN = "'aws sso login' or 'aws configure' provides them; AWS_PROFILE names one of several"
EXPIRED = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
)
INVALID = frozenset(
    {
        "AuthFailure",
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedException"}
)

VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_ENDPOINT_URL",
)
"""What tells AWS's SDK who asks, and where."""


def in_region(region: str | None) -> Session:
    """Return the clients of a region; None is the user's own, or else AWS's first."""
    return Session(region or os.environ.get("AWS_REGION") or DEFAULT)


def has_credentials() -> bool:
    """Whether there is something to sign calls with; settings that cannot be read are told of by the first call."""
    from botocore.exceptions import BotoCoreError

    try:
        return _session().get_credentials() is not None
    except BotoCoreError:
        return True


class Clients(Protocol):
    """Where API clients come from; a test hands in its own."""

    region: str

    def __call__(self, service: str) -> Any:
        """Return the client of a service, such as ec2."""
        ...


_MAKING = threading.Lock()
"""Making clients is not safe in threads; using them is."""


@cache
def _session() -> Any:
    """One for the process: it reads the description of each service (tens of megabytes) once."""
    import boto3

    return boto3.Session()


class Session:
    """The clients of one region. `AWS_ENDPOINT_URL` and all else of AWS's own settings hold."""

    def __init__(self, region: str) -> None:
        self.region = region
        self._clients: dict[str, Any] = {}

    def __call__(self, service: str) -> Any:
        """Return the client of a service, made at first. Threads may share it.

        Raises:
            PrerequisiteError: the configuration names a profile that does not exist.
        """
        with _MAKING:
            if service not in self._clients:
                self._clients[service] = self._made(service)
            return self._clients[service]

    def _made(self, service: str) -> Any:
        from botocore.config import Config

        config = Config(
            retries={"mode": "standard", "max_attempts": 6}, connect_timeout=10, read_timeout=60
        )
        with understood(f"call {service}"):
            return _session().client(service, region_name=self.region, config=config)


def code_of(error: BaseException) -> str | None:
    """Return AWS's name of an error, such as UnauthorizedOperation."""
    answer = getattr(error, "response", None)
    return answer.get("Error", {}).get("Code") if isinstance(answer, Mapping) else None


@contextmanager
def understood(what: str) -> Iterator[None]:
    """Turn whatever AWS's client raises while it does `what` into an error with a hint.

    Raises:
        PrerequisiteError: credentials, permission or network are missing.
        RemoteError: AWS failed.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise refused(what, code_of(error) or "", str(error)) from error
    except BotoCoreError as error:
        raise _unsent(what, error) from error


QUOTAS = frozenset(
    {
        "AddressLimitExceeded",
        "InstanceLimitExceeded",
        "LimitExceeded",
        "LimitExceededException",
        "ResourceLimitExceeded",
        "ServiceQuotaExceededException",
        "VcpuLimitExceeded",
        "VpcLimitExceeded",
    }
)
"""How the services say that the account may not have more."""


def refused(what: str, code: str, said: str) -> DeployerError:
    """Return the error that AWS's code stands for."""
    if code in EXPIRED:
        return PrerequisiteError(
            "your AWS credentials have expired",
            hint="log in again ('aws sso login'), then run the same command: it goes on from here",
        )
    if code in INVALID:
        return PrerequisiteError(f"AWS does not accept your credentials ({code})", hint=LOGIN)
    if code in DENIED:
        return PrerequisiteError(
            f"your AWS credentials may not {what}: {said}",
            hint="ask the account's administrator to allow that action, then run the same command again",
        )
    if code in QUOTAS:
        return PolicyError(
            f"a quota of your AWS account is used up: {said}",
            hint="https://console.aws.amazon.com/servicequotas raises it",
        )
    return RemoteError(f"AWS failed to {what}: {said}")


def _unsent(what: str, error: Exception) -> DeployerError:
    """The error of a call that never got an answer."""
    from botocore.exceptions import HTTPClientError, NoCredentialsError, PartialCredentialsError

    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return PrerequisiteError("there are no AWS credentials", hint=LOGIN)
    if isinstance(error, HTTPClientError):
        return PrerequisiteError(
            f"AWS cannot be reached to {what}: {error}", hint="check the network, then try again"
        )
    return PrerequisiteError(f"AWS's settings on this machine cannot be used: {error}", hint=LOGIN)
