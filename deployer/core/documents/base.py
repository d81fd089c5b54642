"""What every document has, and how it becomes JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from deployer.core.domain import TARGETS, Keyword
from deployer.core.records import dataclass

Sha256 = Annotated[str, Keyword("pattern", "^[0-9a-f]{64}$")]
Time = Annotated[str, Keyword("pattern", r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+00:00$")]
"""ISO 8601 in UTC, to the second."""
Target = Annotated[str, Keyword("enum", TARGETS)]
LEAST_ONE, MOST_ONE_EACH = Keyword("minItems", 1), Keyword("maxItems", len(TARGETS))
"""Of a list that has at most one of each target."""
Pair = tuple[Decimal, Decimal]
"""Lowest and highest likely."""


class Verbatim(dict[str, Any]):
    """A JSON object whose keys others choose (a provider's inputs, a spec's values), printed as it is."""


@dataclass(frozen=True, kw_only=True)
class Document:
    """One JSON document. What is not known is null, never 0."""

    DECIMALS: ClassVar[int] = 6
    """How many decimal places its figures have: a millionth of a dollar is an hour of a small disk."""

    schema: Literal[1] = 1
    """The version of this tool's documents."""


def plain(value: object, decimals: int = Document.DECIMALS) -> Any:
    """Return a document, or a part of one, as `json` takes it.

    Raises:
        TypeError: a type that no document is made of.
    """
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Decimal | float):
        return round(float(value), decimals)
    if isinstance(value, Verbatim):
        return value
    if is_dataclass(value):
        places = value.DECIMALS if isinstance(value, Document) else decimals
        return {f.name: plain(getattr(value, f.name), places) for f in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(one, decimals) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [plain(one, decimals) for one in value]
    raise TypeError(f"no document is made of {type(value).__name__}")


@dataclass(frozen=True)
class FileDigest:
    """A file, and the SHA-256 of what it holds."""

    path: str
    sha256: Sha256


@dataclass(frozen=True, kw_only=True)
class SpecIdentity:
    """The spec, and the SHA-256 of what it means."""

    name: str
    digest: Sha256
