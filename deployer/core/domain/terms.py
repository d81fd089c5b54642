"""Units, ranges, and the words by which figures are labelled."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from deployer.core.records import dataclass

GIB = 2**30
MIB = 2**20
HOURS_PER_MONTH = 730
"""Hours in a month as cloud price pages count them: 365 x 24 / 12."""
SECONDS_PER_HOUR = 3600

TARGETS = ("local", "cloud-gpu", "serverless")

Basis = Literal["exact", "measured", "estimated", "unknown"]
Fit = Literal["fits", "tight", "no", "unknown"]
State = Literal["starting", "healthy", "unhealthy", "stopped", "failed"]
"""How a deployment is."""
Vendor = Literal["nvidia", "amd", "apple", "aws", "other"]
"""Who made a GPU."""
Range = tuple[float, float]
"""Lowest and highest likely value."""


@dataclass(frozen=True)
class Keyword:
    """A keyword of JSON Schema beside a type: which of its values there can be. A value of None takes it away."""

    name: str
    value: str | int | tuple[str | int, ...] | None


Date = Annotated[str, Keyword("pattern", r"^\d{4}-\d{2}(-\d{2})?$")]
"""ISO 8601; some sources say the month only."""
Price = Annotated[Decimal, Keyword("exclusiveMinimum", 0), Keyword("minimum", None)]
"""What is rented has a price above 0."""
Signed = Annotated[float, Keyword("minimum", None)]
"""All other figures are sizes, counts and money: none is negative."""
