"""The document of `deployer compare --json`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

from deployer.core.documents.base import (
    LEAST_ONE,
    MOST_ONE_EACH,
    Document,
    Pair,
    SpecIdentity,
    Target,
    Time,
)
from deployer.core.documents.bill import BillItem
from deployer.core.domain import Basis, Offer, Range
from deployer.core.records import dataclass

Number = int | float | Decimal
Wait = Literal["none", "seconds", "minutes", "overloaded", "unknown"]
RuleVerdict = Literal["applies", "does not apply", "left out", "nothing left"]


@dataclass(frozen=True)
class Traffic:
    """The expected traffic, and how it is spread over the week."""

    requests_per_month: float
    tokens_per_month: float
    input_tokens: float
    output_tokens: float
    peak_per_hour: float
    burstiness: float
    source: str


@dataclass(frozen=True)
class Hour:
    """One hour of the typical week, from Monday 0:00: the mean of that hour over all simulated weeks."""

    requests: float
    running_hours: float
    """Of all copies together."""
    utilisation: float | None
    wait: Wait
    cold_starts: float
    met_cold: float


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure with its basis, its source and its likely range."""

    value: str | Number | None
    range: Pair | Range | None
    unit: str | None
    basis: Basis
    source: str


@dataclass(frozen=True, kw_only=True)
class Option:
    """One way to serve the model at this traffic."""

    target: Target
    provider: str
    variant: str | None
    """How it differs from the target's own plan; null: it is that plan."""
    feasible: bool
    reasons: tuple[str, ...]
    offer: Offer | None
    monthly_usd: Number | None
    idle_hourly_usd: Number | None
    upfront_usd: Number | None
    usd_per_1m_tokens: Number | None
    capacity_users: Number | None
    copies: Number | None
    cold_start_share: Number | None
    latency: str | None
    privacy: str | None
    setup: str | None
    complexity: str | None
    cells: Mapping[str, Figure]
    """Every figure of the table by name, including those above."""
    items: tuple[BillItem, ...]
    unpriced: tuple[str, ...]
    week: tuple[Hour, ...]


@dataclass(frozen=True, kw_only=True)
class BreakEven:
    """Where two targets cost the same, as a range."""

    what: str
    between: tuple[Target, Target]
    range: tuple[float | None, float | None] | None
    verdict: str


@dataclass(frozen=True)
class Reason:
    """A rule that led to the recommendation."""

    rule: str
    detail: str


@dataclass(frozen=True)
class Rule:
    """What one rule says."""

    rule: str
    verdict: RuleVerdict
    detail: str
    keeps: tuple[Target, ...]
    """The targets that remain after this rule."""


@dataclass(frozen=True, kw_only=True)
class Recommended:
    """The cheapest target that the rules leave, and why."""

    target: Target | None
    close: tuple[Target, ...]
    """Other targets whose cost is too close to call."""
    why: tuple[Reason, ...]
    rules: tuple[Rule, ...]
    development: Target | None
    """The target recommended for development."""
    hybrid: str | None
    """If development and production call for different targets: the advice in words."""


@dataclass(frozen=True, kw_only=True)
class CurvePoint:
    """What each target costs a month at one amount of traffic, lowest and highest likely."""

    tokens_per_month: float
    requests_per_day: float
    usd: Mapping[Target, Pair | None]


@dataclass(frozen=True, kw_only=True)
class WallPoint:
    """How long an answer takes with this many concurrent users, lowest and highest likely."""

    users: int
    answer_seconds: Range


@dataclass(frozen=True, kw_only=True)
class ScalingWall:
    """The number of concurrent users beyond which the rest have to queue."""

    users_at_once: int
    basis: Basis
    source: str
    points: tuple[WallPoint, ...]


@dataclass(frozen=True, kw_only=True)
class CompareDocument(Document):
    """The targets side by side, where they meet, and which to take."""

    spec: SpecIdentity
    generated_at: Time
    traffic: Traffic
    targets: Annotated[tuple[Option, ...], LEAST_ONE, MOST_ONE_EACH]
    alternatives: tuple[Option, ...]
    break_even: tuple[BreakEven, ...]
    recommendation: Recommended
    curve: tuple[CurvePoint, ...]
    spent_usd: Mapping[Target, tuple[Pair, ...]]
    """Spent by the end of each month, from month 0 (up front), lowest and highest likely."""
    wall: Mapping[Target, ScalingWall | None]
    notes: tuple[str, ...]
