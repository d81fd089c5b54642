"""What makes and looks after a deployment, as a provider brings it: the required calls, and what it may know besides.

All may block; none prompts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

from deployer.core.domain import State
from deployer.core.records import dataclass

Say = Callable[[str], None]
"""Takes one line of progress for the user."""


class Manager(Protocol):
    """Looks after what a provider has made. Every call may block; none prompts."""

    def alive(self, deployment: str) -> bool:
        """Whether anything of it is there and working (a process, a container), healthy or not."""
        ...

    def found(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """What exists of it now: `{"type", "name", "id"}` each, looked up and not remembered."""
        ...

    def logs(self, deployment: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        """The lines of its log, the newest last."""
        ...

    def stop(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """Remove everything and return what was removed: `{"type", "id"}` each. Nothing there: nothing."""
        ...


class Runner(Manager, Protocol):
    """A manager that also makes: the edge of a provider that is applied without Pulumi."""

    def start(self, deployment: str, resources: Sequence[Mapping[str, Any]], say: Say) -> str:
        """Make what `resources` say and return the base URL of the endpoint (`http://127.0.0.1:8080/v1`)."""
        ...


@runtime_checkable
class SupportsRollback(Protocol):
    """What a `Runner` may do besides: keep what runs until what takes its place is healthy.

    The `start` of such a runner sets aside what runs, or leaves it running, so it is not stopped before.
    """

    def settle(self, deployment: str) -> str | None:
        """The new one is healthy: let it take the place of what was kept, and remove that.

        Returns:
            Where it answers from now on; None: where it did before.
        """
        ...

    def put_back(self, deployment: str) -> bool:
        """Remove the new one and start what was kept; False when nothing was."""
        ...


@runtime_checkable
class ChecksOwn(Protocol):
    """What a manager may do besides: tell its own engine from another one at the same address, before it is sent a key."""

    def check_own(self, deployment: str) -> None:
        """See that nobody else answers where the deployment does.

        Raises:
            PrerequisiteError: another process does, or nobody.
        """
        ...


@runtime_checkable
class Drains(Protocol):
    """What a manager may do besides: let what is being answered end before it stops."""

    def drain(self, deployment: str, limit_s: float, say: Say) -> int:
        """Take nothing new, and wait until all answers have ended; return how many have not, after `limit_s`."""
        ...


@runtime_checkable
class ReportsDownload(Protocol):
    """What a `Runner` may know besides: how far its engine is with a download."""

    def cached_bytes(self, deployment: str) -> int | None:
        """The bytes that the engine's model cache holds now; None where it has none that can be seen."""
        ...


@runtime_checkable
class SupportsLookup(Protocol):
    """What a manager may know besides: where a deployment answers now, and why something is left."""

    def endpoint(self, record: Any) -> str | None:
        """The endpoint of a record (`deployer.running.store.Deployment`), looked up."""
        ...

    def why(self, kind: str, identity: str) -> str | None:
        """Why the last `stop` left a thing of that type and id."""
        ...


@runtime_checkable
class ReportsStatus(Protocol):
    """What a manager may know besides: how a deployment is, told by who serves it and not by asking the model."""

    def told(self, record: Any) -> tuple[State, bool | None]:
        """Its state in the words of `status`, and whether it is awake (None: that is not told)."""
        ...


@dataclass(frozen=True)
class MachineUsage:
    """What a cloud says of a deployment's machines besides their state. Times are ISO 8601 in UTC.

    `cost_usd` is what it has cost so far, None where that is unpriced or could not be asked; `idle_since` None: in use,
    or not known; `expires_at` None: nothing is said on the machines.
    """

    cost_usd: Decimal | None
    idle_since: str | None
    expires_at: str | None


@runtime_checkable
class ReportsUsage(Protocol):
    """What a manager may know better than the record: how long machines ran, and when they were last used."""

    def usage(self, record: Any, now: float) -> MachineUsage:
        """Look at a deployment's machines. `now` is in seconds since 1970."""
        ...


@runtime_checkable
class SupportsPause(Protocol):
    """What a manager may do besides: put a deployment to rest until the next `up`."""

    def rest(self, deployment: str) -> None:
        """Put it to rest, so that no call wakes it."""
        ...
