"""The document of `deployer logs --json`."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.core.documents.base import Document


@dataclass(frozen=True, kw_only=True)
class LogsDocument(Document):
    """The lines of a deployment's log, the newest last."""

    deployment: str
    lines: tuple[str, ...]
