"""The client that calls a model: waiting is ours to do, and to say, so it never tries again by itself."""

from __future__ import annotations

from typing import Any

from deployer.core.errors import PrerequisiteError

READ_S = 300
"""The longest wait for the next piece of an answer."""


def client(service: str, region: str) -> Any:
    """Return the client of a service that serves models.

    Raises:
        PrerequisiteError: there are no AWS credentials.
    """
    import boto3
    from botocore.config import Config

    session = boto3.Session(region_name=region)
    if session.get_credentials() is None:
        raise PrerequisiteError(
            "there are no AWS credentials to sign calls with",
            hint="run 'aws configure' or 'aws sso login', or set AWS_PROFILE",
        )
    retries: Any = {"total_max_attempts": 1}  # waiting is ours to do, and to say
    return session.client(service, config=Config(retries=retries, read_timeout=READ_S))
