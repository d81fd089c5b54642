"""The document of `deployer down --json`."""

from __future__ import annotations

from decimal import Decimal

from deployer.core.documents.base import Document
from deployer.core.records import dataclass


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
    """What was removed of a deployment, what is left of it, and what only carries its tag.

    `answers_cut`: how many answers had not ended in time.
    """

    deployment: str
    removed: tuple[Removed, ...]
    remaining: tuple[Remaining, ...]
    not_asked: tuple[NotAsked, ...] = ()
    kept: tuple[Kept, ...] = ()
    record_kept: str | None = None
    """The folder of a damaged record that stays, because a cloud did not answer whether something of it exists."""
    answers_cut: int = 0
