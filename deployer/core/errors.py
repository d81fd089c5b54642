"""Every error that a user can cause or fix: what happened, where, what to do, and the exit code.

Anything else that escapes a command is a bug: it keeps its traceback and exits with `BUG`.
"""

from __future__ import annotations

import reprlib
from enum import IntEnum

LONGEST_QUOTE = 80

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = LONGEST_QUOTE


def quoted(value: object) -> str:
    """Return what a user wrote as a message shows it: in quotes, on one line, its middle left out when long.

    Never fails: a number of more digits than Python writes is said to be one.
    """
    try:
        return _SHORT.repr(value)
    except ValueError:
        return "a number with thousands of digits"


class Exit(IntEnum):
    """The exit codes that scripts may rely on."""

    DONE = 0
    FAILED = 1  # the remote side, Pulumi or the model server failed
    USAGE = 2  # usage or spec error
    NOTHING_FITS = 3  # nothing fits, or no offer
    REFUSED = 4  # refused by policy: budget, privacy, quota
    STALE = 5  # locked, or a stale plan
    PREREQUISITE = 6  # a tool, daemon, credential, port, disk space or network is missing
    DECLINED = 8
    BUG = 70
    INTERRUPTED = 130


class DeployerError(Exception):
    """An error with a hint that says what to do. `where` names the place: `file:line:column`, a path, a URL.

    `key` is the key of the spec that it is about, such as `targets.local.port`; who has read the file turns it
    into a place (`deployer.spec.load.Loaded.placed`).
    """

    exit_code = Exit.FAILED

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        where: str | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where or key
        self.key = key


class RemoteError(DeployerError):
    """The remote side, Pulumi or the model server failed."""

    exit_code = Exit.FAILED


class UsageError(DeployerError):
    """The command line, the spec or a model file is wrong."""

    exit_code = Exit.USAGE


class NothingFitsError(DeployerError):
    """No hardware on offer holds the model as asked."""

    exit_code = Exit.NOTHING_FITS


class NoCapacityError(NothingFitsError):
    """The provider has no hardware of the wanted kind to spare now."""


class PolicyError(DeployerError):
    """The spec's own policy forbids it."""

    exit_code = Exit.REFUSED


class StaleError(DeployerError):
    """Somebody else is at work on this deployment, or the plan has moved."""

    exit_code = Exit.STALE


class PrerequisiteError(DeployerError):
    """A tool, daemon, credential, port, disk space or network is missing."""

    exit_code = Exit.PREREQUISITE


class DeclinedError(DeployerError):
    """The user said no."""

    exit_code = Exit.DECLINED
