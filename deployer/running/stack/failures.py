"""What the engine and AWS say when an operation fails, as errors with a mend. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from deployer.core.errors import (
    DeployerError,
    NothingFitsError,
    PolicyError,
    PrerequisiteError,
    RemoteError,
    StaleError,
)
from stacks._aws.session import refused

API_ERROR = re.compile(r"(?:api error |RequestID: [\w-]*, )(\w+): *(.*)", re.DOTALL)
"""How AWS's SDK for Go writes what was refused; an error that its service's model names is without "api error"."""
COUNTED = re.compile(r"\d+ errors? occurred:")
"""What the provider puts before the errors of one operation, each after a star."""
CAPACITY = frozenset(
    {
        "InsufficientInstanceCapacity",
        "InsufficientHostCapacity",
        "InsufficientCapacity",
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "Unsupported",  # "your requested instance type is not supported in your requested zone"
    }
)
LOCKED = re.compile(
    r"created by (?P<user>\S+?)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<since>\S+)"
)


RAISED = "Traceback (most recent call last)"
EXCEPTION = re.compile(r"^(?P<kind>[A-Za-z_][\w.]*): (?P<words>.*)", re.MULTILINE)
CLIENT_ERROR = re.compile(r"An error occurred \((?P<code>\w+)\).*?operation[^:]*: (?P<words>.*)")
"""How boto3 writes what AWS refuses."""
CODE = re.compile(r"(?P<code>[A-Z]\w+Exception): (?P<words>.*)")
KINDS = {"NotGrantedError": PolicyError, "NotAllowedError": PrerequisiteError}
"""By the name of what a resource's code raises; all others say that it failed."""


class NoCapacityError(NothingFitsError):
    """AWS has no machine of the type there now."""


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


def explained(said: str, errors: Sequence[str], name: str) -> DeployerError:
    """Return the error of a failed operation: `errors` are the engine's own, `said` all that it printed."""
    texts = list(errors) or [said]
    for text in texts:
        if RAISED in text:
            return _by_resource(text, name)
        found = API_ERROR.search(text)
        if found:
            return _by_aws(found[1], _first_line(found[2]), text, name)
    return RemoteError(
        f"{name} was not brought up: {_first_line(_telling(texts))}",
        hint=f"'deployer up' goes on from here; {_removes(name)}",
    )


def _by_resource(text: str, name: str) -> DeployerError:
    """The error that the code of one of our own resources raised: its last line says which, and its mend."""
    kind, told = _raised(text)
    words, _, mend = told.partition(" Mend: ")
    words = words.rstrip(".")
    aws = CLIENT_ERROR.search(words) or CODE.match(words)
    if aws:
        error = refused(f"bring up {name}", aws["code"], aws["words"])
    else:
        error = KINDS.get(kind.rpartition(".")[2], RemoteError)(words)
    error.hint = mend or error.hint or f"'deployer up' goes on from here; {_removes(name)}"
    return error


def _raised(text: str) -> tuple[str, str]:
    """What was raised, and its words in one line."""
    found = [*EXCEPTION.finditer(text)]
    if not found:
        return "", _first_line(text.rpartition(RAISED)[2])
    return found[-1]["kind"], " ".join(text[found[-1].start("words") :].split())


def _removes(name: str) -> str:
    return f"'deployer down {name}' removes all of it"


def _by_aws(code: str, words: str, text: str, name: str) -> DeployerError:
    what = _attempt(text)
    if code in CAPACITY:
        return NoCapacityError(
            f"AWS has no capacity to {what}: {words}",
            hint=f"try again later, another targets.cloud-gpu.region or instance; "
            f"'deployer down {name}' removes what was made so far",
        )
    error = refused(what, code, words)
    if type(error) is RemoteError:
        error.hint = f"'deployer up' goes on from here; {_removes(name)}"
    return error


def _attempt(text: str) -> str:
    """What was tried, in the provider's words: "creating EC2 Instance" becomes "create EC2 Instance"."""
    found = re.search(
        r"\b(creat|updat|delet|modify|read|attach|stopp?|start)ing ([^:(]{3,60})", text
    )
    if found is None:
        return "do it"
    verb = {"creat": "create", "updat": "update", "delet": "delete", "stopp": "stop"}.get(
        found[1], found[1]
    )
    return f"{verb} {found[2].strip()}"


def _telling(texts: Sequence[str]) -> str:
    """The text that says most: not the engine's "update failed"."""
    told = [t for t in texts if t.strip() and t.strip() != "update failed"]
    return told[0] if told else "the engine failed"


def _first_line(text: str) -> str:
    lines = [line.strip().removeprefix("* ") for line in text.strip().splitlines() if line.strip()]
    told = [line for line in lines if not COUNTED.fullmatch(line)]
    return told[0] if told else "no reason was given"
