"""The document of `deployer plan --json`, which `plan --out` writes to a file."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from deployer.core.documents.base import (
    LEAST_ONE,
    MOST_ONE_EACH,
    Document,
    FileDigest,
    Pair,
    Sha256,
    SpecIdentity,
    Target,
    Time,
    Verbatim,
)
from deployer.core.documents.bill import BillItem
from deployer.core.domain import HOURS_PER_MONTH, Fit, Keyword, ModelInfo, Offer, Sizing, Verdict
from deployer.core.records import dataclass


@dataclass(frozen=True, kw_only=True)
class Alternative(Offer):
    """Another offer that can hold the model, in the best format for it."""

    fit: Fit
    quantization: str
    monthly_usd: Decimal | None


@dataclass(frozen=True, kw_only=True)
class PlannedResource:
    """One resource that will exist: a Pulumi type and its inputs, a process, or an endpoint."""

    type: str
    name: str
    action: Literal["create", "update", "replace", "delete", "same"]
    """What applying the plan would do to it."""
    inputs: Verbatim


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The bill: its lines, and what they add up to."""

    currency: Literal["USD"] = "USD"
    hours_per_month: Annotated[int, Keyword("const", HOURS_PER_MONTH)] = HOURS_PER_MONTH
    hourly_usd: Decimal | None
    """While it runs."""
    monthly_usd: Decimal | None
    """In a month at the spec's traffic."""
    monthly_usd_range: Pair | None
    idle_hourly_usd: Decimal | None
    """Stopped, or scaled to zero."""
    usd_per_1m_tokens: Pair | None
    items: tuple[BillItem, ...]
    unpriced: tuple[str, ...]
    """Components without a known price, which no total includes."""


@dataclass(frozen=True, kw_only=True)
class TargetPlan:
    """What will exist for one target and what it costs."""

    deployment: str
    target: Target
    provider: str
    feasible: bool
    reasons: tuple[str, ...]
    """Why it is not feasible, and what would be feasible."""
    model: ModelInfo
    sizing: Sizing | None
    offer: Offer | None
    alternatives: tuple[Alternative, ...]
    resources: tuple[PlannedResource, ...]
    deployed: Sha256 | None
    """A digest of the deployed state; null: nothing is deployed."""
    files: tuple[FileDigest, ...]
    cost: Cost | None
    policy: tuple[Verdict, ...]
    warnings: tuple[str, ...]
    defaults: Verbatim
    """Every default that was used, by its path in the spec."""


@dataclass(frozen=True, kw_only=True)
class PlanDocument(Document):
    """One plan for each target that was asked for."""

    spec: SpecIdentity
    generated_at: Time
    plans: Annotated[tuple[TargetPlan, ...], LEAST_ONE, MOST_ONE_EACH]
