"""What calls to AWS are signed with: resolved once, checked before it is used, never shown."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from deployer.core.errors import DeployerError, PrerequisiteError, without_secrets

LOGIN = "'aws sso login' or 'aws configure' provides them; AWS_PROFILE names one of several"
VARIABLES: Mapping[str, str] = {
    "access_key": "AWS_ACCESS_KEY_ID",
    "secret_key": "AWS_SECRET_ACCESS_KEY",
    "token": "AWS_SESSION_TOKEN",
}


def session(region: str | None = None) -> Any:
    """Return a boto3 session that asks for an MFA code in a terminal alone, and takes no web page for an answer.

    Raises:
        BotoCoreError: AWS's settings on this machine cannot be used.
    """
    import boto3
    from botocore.session import get_session

    from stacks._aws.client import refuse_html

    made = get_session()
    made.register("before-parse", refuse_html)
    resolver: Any = made.get_component("credential_provider")
    resolver.get_provider("assume-role")._prompter = _code  # noqa: SLF001 - botocore has no other way
    return boto3.Session(botocore_session=made, region_name=region)


def _code(prompt: str) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        raise _code_wanted("there is no terminal to ask in")
    from getpass import getpass

    return getpass(prompt)


def _code_wanted(why: str) -> PrerequisiteError:
    return PrerequisiteError(
        f"your AWS profile asks for an MFA code, and {why}",
        hint="run it in a terminal, or provide credentials that last a while first: "
        'eval "$(aws configure export-credentials --format env)"',
    )


def check(made: Any) -> bool:
    """Say whether a session has credentials, after looking at them.

    Raises:
        PrerequisiteError: they cannot be obtained, or hold what no credentials do.
        BotoCoreError: as AWS's SDK says it.
        ClientError: AWS does not give them.
    """
    from botocore.exceptions import BotoCoreError, ClientError, RefreshWithMFAUnsupportedError

    try:
        found = made.get_credentials()
        frozen = found.get_frozen_credentials() if found else None
    except RefreshWithMFAUnsupportedError as error:  # a code serves once
        raise _code_wanted("its last one has been used") from error
    except (BotoCoreError, ClientError, DeployerError):
        raise
    except Exception as error:
        raise PrerequisiteError(
            f"your AWS credentials cannot be obtained: {_why(error)}", hint=LOGIN
        ) from error
    if frozen is None:
        return False
    for part, variable in VARIABLES.items():
        value = getattr(frozen, part, None) or ""
        if not value and part != "token":
            raise PrerequisiteError(f"{variable} (from {found.method}) is empty", hint=LOGIN)
        if not _is_sendable(value):
            raise PrerequisiteError(
                f"{variable} (from {found.method}) holds a line end, a space or another character "
                "that no AWS key has",
                hint="set it again without that character",
            )
    return True


def _is_sendable(value: object) -> bool:
    """Whether it is text that a header can hold: a program may print anything for a key."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value


def _why(error: Exception) -> str:
    """What went wrong on this machine, in a line that shows nothing of what a program printed."""
    if isinstance(error, OSError):
        return f"{error.filename or 'a program'} cannot be run: {error.strerror or type(error).__name__}"
    if isinstance(error, ValueError | AttributeError | TypeError):
        return "credential_process printed something else than AWS's JSON of credentials"
    said = without_secrets(str(error)).partition("\n")[0]
    return f"{type(error).__name__}: {said}"
