"""The document of `deployer doctor --json`."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.core.documents.base import Document


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool | None
    """Null: it could not be told, or does not matter here."""
    needed: bool
    detail: str
    next_step: str | None = None


@dataclass(frozen=True, kw_only=True)
class DoctorDocument(Document):
    """What is needed to run here, and whether all of it is there."""

    ok: bool
    checks: tuple[Check, ...]
