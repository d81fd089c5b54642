"""What a month costs: prices, what the traffic asks for, and the lines that follow from them."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from deployer.core.domain.terms import Basis
from deployer.core.records import dataclass


@dataclass(frozen=True)
class Rate:
    """The price of one unit of one component in one region. `usd` None: unpriced."""

    component: str
    unit: str
    usd: Decimal | None
    source: str
    as_of: str | None


@dataclass(frozen=True)
class Item:
    """One line of the bill: quantity x unit price a month.

    `when`: "running" stops with the machine, "exists" is paid even while it is stopped,
    "used" follows the traffic. `monthly_usd` is None when unpriced. `monthly_range` is given where
    the quantity is an estimate.
    """

    resource: str
    component: str
    quantity: Decimal | None
    unit: str
    unit_price_usd: Decimal | None
    monthly_usd: Decimal | None
    when: Literal["running", "exists", "used"]
    source: str
    as_of: str | None
    basis: Basis = "exact"
    monthly_range: tuple[Decimal, Decimal] | None = None


@dataclass(frozen=True)
class Usage:
    """What the spec's traffic asks of a deployment in a month of 730 h.

    `active_hours` is how long the copies of a scale-to-zero endpoint are awake, all of them together, lowest and
    highest likely.
    """

    requests: Decimal
    input_tokens: Decimal
    output_tokens: Decimal
    egress_gb: Decimal
    log_gb: Decimal
    active_hours: tuple[Decimal, Decimal]
    busy_hours: tuple[Decimal, Decimal]


@dataclass(frozen=True)
class Estimate:
    """The bill: line items, and what they add up to. `unpriced` names what has no price."""

    items: tuple[Item, ...]
    unpriced: tuple[str, ...]
    hourly_usd: Decimal | None  # while it runs
    monthly_usd: Decimal | None  # 730 h at the spec's traffic
    monthly_range: tuple[Decimal, Decimal] | None
    idle_hourly_usd: Decimal | None  # stopped, or scaled to zero
    usd_per_1m_tokens: tuple[Decimal, Decimal] | None
