"""The document of `deployer down --json`."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, kw_only=True)
class DownDocument(Document):
    """What was removed of a deployment, and what is left of it. `answers_cut`: how many had not ended in time."""

    deployment: str
    removed: tuple[Removed, ...]
    remaining: tuple[Remaining, ...]
    not_asked: tuple[NotAsked, ...] = ()
    answers_cut: int = 0
