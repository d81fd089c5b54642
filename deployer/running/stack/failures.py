"""What Pulumi says when an operation fails, as errors with a hint. Pure. What a provider refused, its record explains."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from deployer.core.errors import (
    DeployerError,
    PolicyError,
    PrerequisiteError,
    RemoteError,
    StaleError,
)
from deployer.providers.api import Explain

COUNTED = re.compile(r"\d+ errors? occurred:")
"""What the provider puts before the errors of one operation, each after a star."""
LOCKED = re.compile(
    r"created by (?P<user>\S+?)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)"
)


RAISED = "Traceback (most recent call last)"
EXCEPTION = re.compile(r"^(?P<kind>[A-Za-z_][\w.]*): (?P<words>.*)", re.MULTILINE)
KINDS = {"NotGrantedError": PolicyError, "NotAllowedError": PrerequisiteError}
"""By the name of what a resource's code raises; all others say that it failed."""


@dataclass(frozen=True)
class Lock:
    """Who holds a stack's lock, as its file says."""

    user: str
    host: str
    pid: int
    since: str


def locks_in(text: str) -> tuple[Lock, ...]:
    """Read the locks that the engine names when a stack is locked."""
    found = LOCKED.finditer(text)
    return tuple(Lock(f["user"], f["host"], int(f["pid"]), f["since"]) for f in found)


def locked(name: str, lock: Lock | None) -> StaleError:
    """The error of a stack that somebody else is at work on."""
    who = f"{lock.user} on {lock.host} (pid {lock.pid}, since {lock.since})" if lock else "another"
    return StaleError(
        f"{who} is working on {name}" if lock else f"{who} deployer is working on {name}",
        hint="wait for it to end. If it has died on that machine: 'pulumi cancel' there",
    )


def explained(
    said: str, errors: Sequence[str], name: str, explain: Explain | None = None
) -> DeployerError:
    """Return the error of a failed operation.

    Args:
        said: all that the operation printed.
        errors: what it reported as errors.
        name: the deployment.
        explain: the provider's own reading of a text, where it has one.
    """
    texts = list(errors) or [said]
    for text in texts:
        if RAISED in text:
            return _by_resource(text, name, explain)
        error = explain(text, name) if explain else None
        if error:
            error.hint = error.hint or _goes_on(name)
            return error
    return RemoteError(
        f"{name} was not brought up: {first_line(_telling(texts))}", hint=_goes_on(name)
    )


def _by_resource(text: str, name: str, explain: Explain | None) -> DeployerError:
    """The error that the code of one of our own resources raised: its last line says which, and its hint."""
    kind, told = _raised(text)
    words, _, mend = told.partition(" Mend: ")
    words = words.rstrip(".")
    error = explain(words, name) if explain else None
    error = error or KINDS.get(kind.rpartition(".")[2], RemoteError)(words)
    error.hint = mend or error.hint or _goes_on(name)
    return error


def _raised(text: str) -> tuple[str, str]:
    """What was raised, and its words in one line."""
    found = [*EXCEPTION.finditer(text)]
    if not found:
        return "", first_line(text.rpartition(RAISED)[2])
    return found[-1]["kind"], " ".join(text[found[-1].start("words") :].split())


def _goes_on(name: str) -> str:
    return f"'deployer up' goes on from here; 'deployer down {name}' removes all of it"


def _telling(texts: Sequence[str]) -> str:
    """The text that says most: not the engine's "update failed"."""
    told = [t for t in texts if t.strip() and t.strip() != "update failed"]
    return told[0] if told else "the engine failed"


def first_line(text: str) -> str:
    """Return the first line that tells something, without a count of errors or a list's star."""
    lines = [line.strip().removeprefix("* ") for line in text.strip().splitlines() if line.strip()]
    told = [line for line in lines if not COUNTED.fullmatch(line)]
    return told[0] if told else "no reason was given"
