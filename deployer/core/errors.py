"""Every error that a user can cause or fix: what happened, where, what to do, and the exit code.

Anything else that escapes a command is a bug: it keeps its traceback and exits with `BUG`.
"""

from __future__ import annotations

import errno
import os
import re
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


_SECRETS = re.compile(
    r"""(?ix)
    (?<=://) [^/@\s]+ (?=@)                                                # user:password@ in a URL
    | (?<=bearer\ ) [^\s'",]+
    | (?<=credential=) [^\s'",&]+ | (?<=signature=) [^\s'",&]+ | (?<=token=) [^\s'",&]+
    """
)


def without_secrets(text: str) -> str:
    """Return what a library said without what opens something: passwords in URLs, tokens, signatures."""
    return _SECRETS.sub("***", text)


_SYSTEM_HINTS = {
    errno.EACCES: "check who owns it and its permissions (ls -ld), or set DEPLOYER_HOME to a folder of your own",
    errno.EPERM: "check who owns it and its permissions (ls -ld), or set DEPLOYER_HOME to a folder of your own",
    errno.EROFS: "set DEPLOYER_HOME to a folder that you can write to",
    errno.ENOSPC: "free some disk space",
    errno.EDQUOT: "free some disk space: your quota is used up",
    errno.EMFILE: "raise the number of files that may be open: ulimit -n 1024",
    errno.ENOMEM: "free some memory",
}
"""What helps, by what the operating system refused with."""


def system_error(error: OSError) -> PrerequisiteError:
    """Return the error of what the operating system refused: a file, a device, a process, a connection."""
    place = error.filename if isinstance(error.filename, str | bytes | os.PathLike) else None
    named = os.fsdecode(place) if place else None
    said = error.strerror or without_secrets(str(error)) or type(error).__name__
    return PrerequisiteError(
        f"cannot use {named}: {said}" if named else f"the operating system refused: {said}",
        hint=_SYSTEM_HINTS.get(error.errno or 0),
        where=named,
    )
