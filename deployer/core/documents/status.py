"""The document of `deployer status --json`, which `up --json` prints once it is done."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from deployer.core.documents.base import Document, Target, Time
from deployer.core.domain import State


@dataclass(frozen=True, kw_only=True)
class Existing:
    """One thing that exists, looked up."""

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
    """Null: it does not run."""
    gpu_memory_mib: int | None
    """What its processes hold on this machine's GPUs."""
    idle_since: Time | None
    """When its last request ended; null: it is answering one, or that is not known."""
    requests: int | None
    """Answered since it was started; null: the engine does not count."""
    output_tokens: int | None
    usd_per_hour: Decimal | None
    cost_so_far_usd: Decimal | None
    expires_at: Time | None
    """When it is removed whatever happens."""
    resources: tuple[Existing, ...]


@dataclass(frozen=True, kw_only=True)
class StatusDocument(Document):
    """Deployments, as they are now."""

    deployments: tuple[DeploymentStatus, ...]
