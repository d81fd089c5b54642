"""The document of `deployer logs --json`."""

from __future__ import annotations

from deployer.core.documents.base import Document
from deployer.core.records import dataclass


@dataclass(frozen=True, kw_only=True)
class LogsDocument(Document):
    """The lines of a deployment's log, the newest last."""

    deployment: str
    lines: tuple[str, ...]
