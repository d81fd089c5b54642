"""AWS's API: clients of one region, made once; its refusals as errors with a hint."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

from deployer.core.errors import (
    DeployerError,
    PolicyError,
    PrerequisiteError,
    RemoteError,
    without_secrets,
)
from stacks._aws import credentials
from stacks._aws.credentials import LOGIN

EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
INVALID = frozenset(
    {
        "AuthFailure",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
CLOCK = frozenset({"RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed"})
"""How the services say that a request bears a wrong time (EC2, STS and S3: "Common errors" of their references)."""
WRONG_TIME = r"(?i)signature (has )?expired|not yet current|time.{0,30}too (large|skewed)"
"""The words of those that refuse the signature for it: "Signature expired: 20260102T030405Z is now earlier than"."""
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
    from stacks._aws.regions import DEFAULT  # late: a container that only calls models has it not

    return Session(region or os.environ.get("AWS_REGION") or DEFAULT)


def has_credentials() -> bool:
    """Whether there is something to sign calls with; settings that cannot be read are told of by the first call."""
    try:
        return _session().get_credentials() is not None
    except Exception:  # noqa: BLE001 - a program that provides them may do anything
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
    return credentials.session()


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
            credentials.check(_session())
            return client_of(_session(), service, region_name=self.region, config=config)


def client_of(session: Any, service: str, **settings: Any) -> Any:
    """Return a client of a boto3 session that fails in no other way than botocore declares.

    Raises:
        PrerequisiteError: the address of AWS that is set is none.
    """
    from stacks._aws.client import Client

    try:
        return Client(session.client(service, **settings))
    except ValueError as error:
        raise PrerequisiteError(
            f"AWS's address on this machine cannot be used: {without_secrets(str(error))}",
            hint="set AWS_ENDPOINT_URL to a URL such as http://127.0.0.1:4566, or unset it",
        ) from error


def code_of(error: BaseException | None) -> str | None:
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
    except DeployerError:
        raise
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


def is_wrong_time(code: str, said: str) -> bool:
    """Whether AWS refuses a call for the time that it bears."""
    return code in CLOCK or (code in INVALID and re.search(WRONG_TIME, said) is not None)


def refused(what: str, code: str, said: str) -> DeployerError:
    """Return the error that AWS's code stands for."""
    said = without_secrets(said.partition("\n")[0])  # the lines below it quote what was signed
    if is_wrong_time(code, said):
        return PrerequisiteError(
            f"AWS refuses the time on this machine's clock, {_now()}: {said}",
            hint="set the clock, and have it kept (sudo timedatectl set-ntp true)",
        )
    if code in EXPIRED:
        return PrerequisiteError(
            "your AWS credentials have expired",
            hint="log in again ('aws sso login'), then run the same command: it goes on from here",
        )
    if code in INVALID:
        return PrerequisiteError(f"AWS does not accept your credentials: {said}", hint=LOGIN)
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


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")


def _unsent(what: str, error: Exception) -> DeployerError:
    """The error of a call that never got an answer, or none of AWS's."""
    from botocore import exceptions as aws

    said = without_secrets(str(error).partition("\n")[0])
    if isinstance(error, aws.NoCredentialsError | aws.PartialCredentialsError):
        return PrerequisiteError("there are no AWS credentials", hint=LOGIN)
    if isinstance(error, aws.HTTPClientError | aws.ConnectionError):
        return PrerequisiteError(
            f"AWS cannot be reached to {what}: {said}",
            hint="check the network and HTTPS_PROXY, then try again",
        )
    return PrerequisiteError(f"AWS's settings on this machine cannot be used: {said}", hint=LOGIN)
