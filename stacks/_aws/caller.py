"""The caller's own public address, the only one that a deployment lets in by default."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from deployer.running.stack import config

ASKED = "https://checkip.amazonaws.com"
"""Answers with the caller's public address. It is AWS's own."""


def cidr(environ: Mapping[str, str]) -> str:
    """Return it as a block of one; where AWS itself is on this machine (an emulator), so is the caller.

    Raises:
        PrerequisiteError: it cannot be learnt.
    """
    here = urlsplit(environ.get("AWS_ENDPOINT_URL", "")).hostname in ("127.0.0.1", "localhost")
    return config.caller_cidr(environ, None if here else ASKED)
