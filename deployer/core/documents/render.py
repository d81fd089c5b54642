"""The document of `deployer render --json`."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.core.documents.base import Document, FileDigest


@dataclass(frozen=True, kw_only=True)
class RenderDocument(Document):
    """The files that were written."""

    folder: str
    files: tuple[FileDigest, ...]
