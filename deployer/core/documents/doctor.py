"""The document of `deployer doctor --json`."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.core.documents.base import Document


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
