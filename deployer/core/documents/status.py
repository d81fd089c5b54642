"""The document of `deployer status --json`, which `up --json` prints once it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal

from deployer.core.documents.base import Document, Target, Time
from deployer.core.domain import State
from deployer.core.records import dataclass


@dataclass(frozen=True, kw_only=True)
class Existing:
    """One resource that was found to exist."""

    type: str
    name: str
    id: str


@dataclass(frozen=True, kw_only=True)
class DeploymentStatus:
    """One deployment as it is now."""

    name: str
    target: Target
    provider: str
    state: State
    awake: bool | None
    """False: it sleeps, and the next call wakes it; null: it does not sleep by itself."""
    endpoint: str | None
    started_at: Time
    uptime_seconds: int | None
    """Null: it is not running."""
    gpu_memory_mib: int | None
    """GPU memory that its processes use on this machine."""
    idle_since: Time | None
    """When its last request ended; null: it is answering one, or the time is unknown."""
    requests: int | None
    """Requests answered since it was started; null: the engine does not count them."""
    output_tokens: int | None
    usd_per_hour: Decimal | None
    cost_so_far_usd: Decimal | None
    expires_at: Time | None
    """When it is removed, whether or not it is in use."""
    resources: tuple[Existing, ...]
    unkept: Mapping[str, str] = field(default_factory=dict)
    """Why keys of its spec's policy have no effect, by the key."""


@dataclass(frozen=True, kw_only=True)
class NotSeen:
    """A deployment that was not checked: its record is damaged, or its provider did not answer."""

    deployment: str
    target: Target | None
    """Null: its record cannot be read."""
    provider: str | None
    error: str
    hint: str | None


@dataclass(frozen=True, kw_only=True)
class StatusDocument(Document):
    """Deployments, as they are now."""

    deployments: tuple[DeploymentStatus, ...]
    gaps: tuple[NotSeen, ...] = ()
