"""The document that every command prints with `--json` when it fails."""

from __future__ import annotations

from typing import Annotated

from deployer.core.documents.base import Document
from deployer.core.domain import Keyword
from deployer.core.errors import DeployerError, Exit
from deployer.core.records import dataclass

FAILURES = tuple(int(code) for code in Exit if code is not Exit.DONE)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What happened, where, and what to do."""

    message: str
    hint: str | None
    where: str | None
    exit_code: Annotated[int, Keyword("enum", FAILURES)]


@dataclass(frozen=True, kw_only=True)
class ErrorDocument(Document):
    """What is printed instead of any other document when a command fails."""

    error: Problem

    @classmethod
    def of(cls, error: DeployerError) -> ErrorDocument:
        """Return the document of an error."""
        told = Problem(
            message=error.message,
            hint=error.hint,
            where=error.where,
            exit_code=int(error.exit_code),
        )
        return cls(error=told)
