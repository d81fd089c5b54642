"""The document of `deployer chat --json`."""

from __future__ import annotations

from typing import Literal

from deployer.core.documents.base import Document
from deployer.core.records import dataclass


@dataclass(frozen=True, kw_only=True)
class Message:
    """An answer, as OpenAI's API has it."""

    role: Literal["assistant"] = "assistant"
    content: str


@dataclass(frozen=True, kw_only=True)
class ChatDocument(Document):
    """What a model answered."""

    deployment: str
    model: str
    message: Message
