"""The document of `deployer doctor --json`."""

from __future__ import annotations

from collections.abc import Mapping

from deployer.core.documents.base import Document
from deployer.core.records import dataclass


@dataclass(frozen=True)
class Check:
    """One prerequisite that was checked."""

    name: str
    ok: bool | None
    """Null: it could not be determined, or does not matter here."""
    needed: bool
    detail: str
    next_step: str | None = None


@dataclass(frozen=True, kw_only=True)
class DoctorDocument(Document):
    """The prerequisites on this machine, and whether all of them are met."""

    ok: bool
    checks: tuple[Check, ...]


@dataclass(frozen=True, kw_only=True)
class ProviderRow:
    """What one provider can. `lacks` says by part what it means that it cannot."""

    target: str
    provider: str
    engines: tuple[str, ...]
    default_region: str | None
    regions: tuple[str, ...]
    can: tuple[str, ...]
    lacks: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class ProvidersDocument(Document):
    """What every provider that is found can, and cannot."""

    providers: tuple[ProviderRow, ...]
