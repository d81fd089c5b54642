"""A cloud that exists in this process: it has two scopes, machines, a group, leftovers, and tells what it was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from deployer.agents.idle import Observation
from deployer.core.clock import iso
from deployer.core.errors import PrerequisiteError, RemoteError
from deployer.providers.cloud import (
    Expiry,
    Gap,
    Leftover,
    Login,
    Machine,
    MachineControl,
    Scopes,
    Sleeper,
    Swept,
    Tags,
    Terms,
)

SCOPES = ("north", "south")


class FakeTags:
    """Fulfils `deployer.providers.cloud.Tags` with two words only."""

    def write(self, terms: Terms) -> Mapping[str, str]:
        """See `Tags`."""
        return {"idle-action": terms.idle_action, "over-budget": terms.over_budget}

    def read(self, tags: Mapping[str, str]) -> Terms:
        """See `Tags`."""
        over = "warn" if tags.get("over-budget") == "warn" else "stop"
        return replace(Terms(over_budget=over), idle_action=tags.get("idle-action", "stop"))  # type: ignore[arg-type]


@dataclass
class FakeControl:
    """Fulfils `deployer.providers.cloud.MachineControl`.

    `used` is when each was last used (missing: that cannot be read), `ran` how many hours each ran; `refused` cannot be
    ended. `calls` is what was asked, in order.
    """

    machines_there: dict[str, Machine] = field(default_factory=dict)
    used: dict[str, float] = field(default_factory=dict)
    ran: dict[str, Decimal] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    unreadable: bool = False
    calls: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    @property
    def tags(self) -> Tags:
        """See `MachineControl`."""
        return FakeTags()

    def observe(
        self, machines: Sequence[Machine], now: float
    ) -> tuple[Mapping[str, Observation], list[Gap]]:
        """See `MachineControl`."""
        ids = [one.id for one in machines if one.running]
        self.calls.append(("observe", tuple(ids)))
        gaps = [Gap("north", "no metrics") for key in ids if key not in self.used]
        seen = {
            one.id: Observation(one.started_at, self.used[one.id], now, state=one.state)
            for one in machines
            if one.running and one.id in self.used
        }
        return seen, list(dict.fromkeys(gaps))

    def hours(
        self,
        scope: str,
        keys: Sequence[str],
        since: float,
        now: float,
    ) -> tuple[Mapping[str, Decimal], list[Gap]]:
        """See `MachineControl`."""
        self.calls.append((f"hours {scope}", tuple(keys)))
        return {key: self.ran[key] for key in keys if key in self.ran}, []

    def machines(self, scope: str, ids: Sequence[str]) -> list[Machine]:
        """See `MachineControl`."""
        self.calls.append((f"machines {scope}", tuple(ids)))
        if self.unreadable:
            raise RemoteError("the cloud is asleep")
        return [self.machines_there[key] for key in ids if key in self.machines_there]

    def stop(self, scope: str, ids: Sequence[str]) -> None:
        """See `MachineControl`."""
        self._end(f"stop {scope}", ids)

    def destroy(self, scope: str, ids: Sequence[str]) -> None:
        """See `MachineControl`."""
        self._end(f"destroy {scope}", ids)

    def empty(self, scope: str, group: str) -> None:
        """See `MachineControl`."""
        self._end(f"empty {scope}", [group])

    def _end(self, call: str, ids: Sequence[str]) -> None:
        self.calls.append((call, tuple(ids)))
        if self.refused.intersection(ids):
            raise RemoteError("it is protected")

    @property
    def ended(self) -> list[tuple[str, tuple[str, ...]]]:
        """The calls that ended something or tried to."""
        return [one for one in self.calls if one[0].startswith(("stop", "destroy", "empty"))]


@dataclass
class FakeExpiry:
    """Fulfils `deployer.providers.cloud.Expiry`: `until` is when each deployment is removed, by scope and name."""

    until: dict[tuple[str, str], float] = field(default_factory=dict)

    def extend(self, scope: str, deployment: str, until: float) -> str | None:
        """See `Expiry`."""
        held = self.until.get((scope, deployment))
        if held is None:
            return None
        self.until[scope, deployment] = max(held, until)
        return iso(self.until[scope, deployment])

    def lift(self, scope: str, deployment: str) -> None:
        """See `Expiry`."""
        self.until.pop((scope, deployment), None)


@dataclass
class FakeCloud:
    """Fulfils `deployer.providers.cloud.Cloud`. `down`: it does not answer at all."""

    control: MachineControl | None = None
    expiry: Expiry | None = None
    leftovers: Sequence[Leftover] = ()
    sleepers: Sequence[Sleeper] = ()
    gaps: Sequence[Gap] = ()
    credentials: bool = True
    down: bool = False
    name: str = "aws"  # whose offers the catalog has
    providers: tuple[str, ...] = ("aws",)
    login: Login | None = None
    swept: list[Scopes] = field(default_factory=list)

    def configured(self) -> bool:
        """See `Cloud`."""
        return self.credentials

    def scopes(self, named: Sequence[str], priced: Sequence[str]) -> Scopes:
        """See `Cloud`."""
        if self.down or not self.credentials:
            raise PrerequisiteError(f"{self.name} cannot be asked")
        return Scopes(tuple(named), everywhere=False) if named else Scopes(SCOPES)

    def sweep(self, scopes: Scopes) -> Swept:
        """See `Cloud`."""
        self.swept.append(scopes)
        control = self.control
        machines = control.machines_there.values() if isinstance(control, FakeControl) else ()
        return Swept(list(machines), self.leftovers, self.sleepers, self.gaps)
