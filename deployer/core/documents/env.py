"""The document of `deployer env --json`."""

from __future__ import annotations

from collections.abc import Mapping

from deployer.core.documents.base import Document
from deployer.core.records import dataclass


@dataclass(frozen=True, kw_only=True)
class EnvDocument(Document):
    """The variables that any OpenAI client reads. It holds the API key."""

    deployment: str
    env: Mapping[str, str]
