"""The document of `deployer down --json`."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from deployer.core.documents.base import Document


@dataclass(frozen=True, kw_only=True)
class Removed:
    """One resource that was removed."""

    type: str
    id: str


@dataclass(frozen=True, kw_only=True)
class Remaining:
    """One resource that could not be removed."""

    type: str
    id: str
    why: str


@dataclass(frozen=True, kw_only=True)
class NotAsked:
    """A provider that may hold resources of the deployment and did not answer."""

    provider: str
    why: str
    known: bool = False
    """Whether something of the deployment is known to have been made there."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A resource that carries the deployment's tag and was not made by deployer: it is billed on."""

    type: str
    id: str
    region: str
    monthly_usd: Decimal | None


@dataclass(frozen=True, kw_only=True)
class DownDocument(Document):
    """What was removed of a deployment, what is left of it, and what only carries its tag."""

    deployment: str
    removed: tuple[Removed, ...]
    remaining: tuple[Remaining, ...]
    not_asked: tuple[NotAsked, ...] = ()
    kept: tuple[Kept, ...] = ()
