"""The document of `deployer doctor --privacy NAME --json`."""

from __future__ import annotations

from deployer.core.documents.base import Document, Target, Time
from deployer.core.records import dataclass


@dataclass(frozen=True)
class Finding:
    """One statement about where data goes, and what was seen of it."""

    name: str
    statement: str
    holds: bool | None
    """Null: it could not be checked, so nothing is proved."""
    detail: str
    seen: tuple[str, ...] = ()
    """What it rests on, as it was read."""


@dataclass(frozen=True, kw_only=True)
class PrivacyDocument(Document):
    """What was seen of a deployment that runs: who reaches it, what it reaches, what it keeps."""

    deployment: str
    target: Target
    provider: str
    engine: str
    model: str
    local_only: bool
    """Whether it was made under `policy.privacy: local-only`."""
    generated_at: Time
    ok: bool | None
    """Whether every statement holds; null: at least one could not be checked, and none is refuted."""
    findings: tuple[Finding, ...]


def verdict(findings: tuple[Finding, ...]) -> bool | None:
    """Return False where a statement is refuted, else None where one is unknown, else True."""
    answers = {finding.holds for finding in findings}
    if False in answers:
        return False
    return None if None in answers else True
