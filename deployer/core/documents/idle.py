"""The documents of `deployer idle --json` and of the commands below it."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from deployer.core.documents.base import Document, Time
from deployer.core.domain import State
from deployer.core.records import dataclass

IdleBasis = Literal["measured", "estimated", "unknown"]
"""How the idle time of a machine was determined."""
Stack = Literal["recorded here", "not recorded here"]


@dataclass(frozen=True, kw_only=True)
class Instance:
    """One machine, how long it has been idle, and what is done about it."""

    deployment: str
    region: str
    id: str
    instance_type: str
    state: str
    """The state as the cloud names it."""
    stack: Stack
    """Whether this computer has a record of its deployment."""
    owner: str | None = None
    """Who made it; null: nothing says so."""
    idle_seconds: int | None
    """Null: it could not be determined."""
    idle_basis: IdleBasis
    usd_per_hour: Decimal | None
    cost_since_idle_usd: Decimal | None
    expires_at: Time | None
    month_to_date_usd: Decimal | None
    """Spent by its whole deployment this month; null: it has no budget, or that is not known."""
    decision: Literal["keep", "stop", "destroy"]
    reason: str


@dataclass(frozen=True, kw_only=True)
class IdleEndpoint:
    """A serverless endpoint: it scales to zero by itself, so it is kept."""

    deployment: str
    region: str
    type: str
    id: str
    state: State | Literal["unknown"]
    awake: bool | None
    stack: Stack
    decision: Literal["keep"] = "keep"
    reason: str


@dataclass(frozen=True, kw_only=True)
class Orphan:
    """A resource whose deployment is gone."""

    type: str
    id: str
    region: str
    deployment: str
    monthly_usd: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """A resource that only carries a tag of deployer's, as a copied disk or image does."""

    type: str
    id: str
    region: str
    deployment: str
    monthly_usd: Decimal | None


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A region in which not everything could be seen or done."""

    region: str
    error: str


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What happened to one machine that was to be stopped or destroyed."""

    deployment: str
    region: str
    id: str
    done: Literal["stop", "destroy", "keep", "failed"]
    """keep: it was in use again when it was checked a second time."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class IdleDocument(Document):
    """`idle`: everything that was found."""

    instances: tuple[Instance, ...]
    endpoints: tuple[IdleEndpoint, ...]
    orphans: tuple[Orphan, ...]
    left: tuple[Orphan, ...]
    """What is still billed of deployments that have no machine any more; `deployer down` removes it."""
    gaps: tuple[Gap, ...]
    tagged: tuple[Tagged, ...] = ()
    """What carries the tag of a deployment and was not made by deployer: it is billed, and never touched."""


@dataclass(frozen=True, kw_only=True)
class EndedDocument(IdleDocument):
    """`idle stop` and `idle destroy`: everything that was found, and which machines were stopped or destroyed."""

    acted: tuple[Ended, ...]


@dataclass(frozen=True, kw_only=True)
class PausedDocument(Document):
    """`idle stop NAME`: a serverless deployment that is paused; no call wakes it."""

    deployment: str
    paused: Literal[True] = True


@dataclass(frozen=True, kw_only=True)
class Extended:
    """When the machines of one region now expire."""

    region: str
    expires_at: Time


@dataclass(frozen=True, kw_only=True)
class ExtendedDocument(Document):
    """`idle extend`: the new expiry of a deployment."""

    deployment: str
    extended: tuple[Extended, ...]
