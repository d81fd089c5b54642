"""The document of `deployer render --json`."""

from __future__ import annotations

from deployer.core.documents.base import Document, FileDigest
from deployer.core.records import dataclass


@dataclass(frozen=True, kw_only=True)
class RenderDocument(Document):
    """The files that were written."""

    folder: str
    files: tuple[FileDigest, ...]
