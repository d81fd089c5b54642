"""A cloud as `deployer idle` asks it: what exists there, since when nobody uses it, and how it is ended.

Protocols and neutral records only: what they are read from is each provider's own matter. Several providers may
share one cloud (`deployer.providers.api.Provider.cloud`), which is then asked once. A part that is None means that
the cloud cannot. A scope is what a cloud is asked for at a time, such as a region. Times are seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, Protocol

from deployer.agents.idle import Observation
from deployer.core.domain import State
from deployer.providers.inventory import Found

Unknown = Literal["unknown"]


@dataclass(frozen=True)
class Gap:
    """What could not be seen or done in a scope, and what the cloud said. `blind`: its machines were not seen."""

    scope: str
    error: str
    blind: bool = False


@dataclass(frozen=True)
class Scopes:
    """Where to look. `everywhere`: also for what has no scope of its own; `gaps`: what could not be found out."""

    names: tuple[str, ...] = ()
    everywhere: bool = True
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True)
class Terms:
    """What a policy says of a machine, as it stands on the machine itself. None: it is not said.

    `expires_at` is a time that somebody wrote later (`idle extend`), and goes before `expires_after_s`, which counts
    from the machine's last start. `budget_usd` is what the deployment may cost in a month.
    """

    idle_after_s: float | None = None
    idle_action: Literal["stop", "destroy", "none"] = "stop"
    expires_after_s: float | None = None
    expires_at: float | None = None
    budget_usd: Decimal | None = None
    over_budget: Literal["stop", "warn"] = "stop"


@dataclass(frozen=True)
class Machine:
    """One machine.

    `provider` is whose offers price it by `type`; `state` is pending, running, stopping or stopped; `address` says
    that it has a public address that is paid for, and `address_stays` that it keeps that while it is stopped; `group`
    is what would replace it when it ends; `can_stop` False: it can only be destroyed. `started_at` is its last start,
    `made_at` its first. `ours` False: it only carries the tag of a deployment (`deployer.providers.inventory.Found`),
    and is never ended; `owner` is who made it.
    """

    id: str
    scope: str
    deployment: str
    provider: str
    state: str
    started_at: float
    type: str
    spot: bool = False
    address: bool = False
    address_stays: bool = False
    group: str | None = None
    stopped_at: float | None = None
    made_at: float = 0.0
    can_stop: bool = True
    ours: bool = True
    owner: str | None = None
    terms: Terms = field(default_factory=Terms)

    @property
    def running(self) -> bool:
        """Whether it runs, so that it can be idle."""
        return self.state in ("pending", "running")

    @property
    def expires_at(self) -> float | None:
        """When it expires, if ever."""
        if self.terms.expires_at is not None:
            return self.terms.expires_at
        after = self.terms.expires_after_s
        return None if after is None else self.started_at + after

    @property
    def counted_by(self) -> str:
        """What its hours are counted by: a group's machines come and go."""
        return self.group or self.id


@dataclass(frozen=True)
class Leftover:
    """Something that exists besides machines: left over once its deployment is gone.

    `lives`: a deployment is there while this is (a group of machines); `everywhere`: it has no scope of its own;
    `loose`: it hangs on nothing although it should; `disk_of` names the machines whose disk it is, and `ends` says that
    it ends with them. It costs what the pricing rule of its type says of `found.inputs`.
    """

    found: Found
    lives: bool = False
    everywhere: bool = False
    loose: bool = False
    disk_of: tuple[str, ...] = ()
    ends: bool = False


@dataclass(frozen=True)
class Sleeper:
    """What is served without a machine and sleeps by itself.

    `state` is in the words of `status`, or unknown; `awake` None: that is not told.
    """

    found: Found
    state: State | Unknown = "unknown"
    awake: bool | None = None


@dataclass(frozen=True)
class Swept:
    """Everything that one look found in some scopes, and what could not be seen."""

    machines: Sequence[Machine] = ()
    leftovers: Sequence[Leftover] = ()
    sleepers: Sequence[Sleeper] = ()
    gaps: Sequence[Gap] = ()

    @property
    def blind(self) -> frozenset[str]:
        """The scopes whose machines were not seen: nothing there is known to be left over."""
        return frozenset(gap.scope for gap in self.gaps if gap.blind)


@dataclass(frozen=True)
class Login:
    """How `deployer idle` gets its credentials where nobody is there (`deployer idle render`).

    `credentials` completes "It needs ..."; `workflow_note` and `workflow_steps` are what a GitHub workflow says and
    does before: whole sentences, and steps in YAML that begin in the first column.
    """

    credentials: str
    workflow_note: str
    workflow_steps: str


class Tags(Protocol):
    """How terms stand on a machine: as tags or labels, in whatever form the cloud lets them have."""

    def write(self, terms: Terms) -> Mapping[str, str]:
        """Write terms as tags."""
        ...

    def read(self, tags: Mapping[str, str]) -> Terms:
        """Read terms from tags, others among them. What cannot be read is not said."""
        ...


class Expiry(Protocol):
    """How the time is moved at which a deployment's machines are removed, by the cloud or by the next look.

    Each call may raise a PrerequisiteError (credentials, permission or network are missing) or a RemoteError.
    """

    def extend(self, scope: str, deployment: str, until: float) -> str | None:
        """Let it live until then, never shorter than it would have.

        Returns:
            The time that now holds (ISO 8601, UTC), or None when it has no machine there.
        """
        ...

    def lift(self, scope: str, deployment: str) -> None:
        """Let it live for ever."""
        ...


class MachineControl(Protocol):
    """What is asked of a cloud's machines. Hundreds are one call, never a call for each."""

    @property
    def tags(self) -> Tags:
        """How terms stand on them."""
        ...

    def observe(
        self, machines: Sequence[Machine], now: float
    ) -> tuple[Mapping[str, Observation], list[Gap]]:
        """Observe the machines that run, by id, in any scopes. One that could not be observed is missing."""
        ...

    def hours(
        self, scope: str, keys: Sequence[str], since: float, now: float
    ) -> tuple[Mapping[str, Decimal], list[Gap]]:
        """How many hours each ran between two times, by `Machine.counted_by`, ended machines too."""
        ...

    def machines(self, scope: str, ids: Sequence[str]) -> list[Machine]:
        """Look at some machines again. One that is gone is missing.

        Raises:
            DeployerError: they could not be looked at.
        """
        ...

    def stop(self, scope: str, ids: Sequence[str]) -> None:
        """Stop machines, all or none.

        Raises:
            DeployerError: the cloud refused; the message is its words.
        """
        ...

    def destroy(self, scope: str, ids: Sequence[str]) -> None:
        """Destroy machines, all or none.

        Raises:
            DeployerError: the cloud refused; the message is its words.
        """
        ...

    def empty(self, scope: str, group: str) -> None:
        """Let a group of ours shrink to no machines; `deployer up` wakes it.

        Raises:
            DeployerError: the cloud refused; the message is its words.
        """
        ...


class Cloud(Protocol):
    """One account of one cloud."""

    @property
    def name(self) -> str:
        """The provider whose offers and regions the catalog has."""
        ...

    @property
    def providers(self) -> tuple[str, ...]:
        """The providers whose deployments lie there."""
        ...

    @property
    def control(self) -> MachineControl | None:
        """What is asked of its machines; None: it rents none."""
        ...

    @property
    def expiry(self) -> Expiry | None:
        """What moves a machine's end; None: that cannot be moved, and the next look ends what has expired."""
        ...

    @property
    def login(self) -> Login | None:
        """How it is logged in to where nobody is there; None: nothing runs there that must be ended."""
        ...

    def configured(self) -> bool:
        """Whether there are credentials to ask with; whether they are valid is seen by asking."""
        ...

    def scopes(self, named: Sequence[str], priced: Sequence[str]) -> Scopes:
        """Say where to look: in the scopes that were named, or (none) in all that the account has.

        Args:
            named: what the user named.
            priced: those that have prices, for an account that may not list its own.

        Raises:
            PrerequisiteError: credentials or network are missing.
            RemoteError: the cloud failed.
        """
        ...

    def sweep(self, scopes: Scopes) -> Swept:
        """Find everything of this tool there. What cannot be seen is a gap.

        Raises:
            DeployerError: nothing at all could be seen.
        """
        ...
