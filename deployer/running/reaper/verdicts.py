"""One machine as the survey shows it: what becomes of it, and what it costs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from deployer.agents.idle import Decision
from deployer.core.documents.idle import IdleBasis
from deployer.core.domain import SECONDS_PER_HOUR
from deployer.planning.cost.spending import Prices
from stacks._aws.instances import Machine


@dataclass(frozen=True)
class Looked:
    """One machine and what becomes of it. `idle_s` None: it could not be found out."""

    machine: Machine
    decision: Decision
    idle_s: float | None
    prices: Prices | None  # None: unpriced
    recorded: bool  # this computer has a record of its deployment
    basis: IdleBasis = "measured"
    over_budget: bool = False
    spent_usd: Decimal | None = (
        None  # this month, by the whole deployment; None: not asked or unpriced
    )

    @property
    def usd_per_hour(self) -> Decimal | None:
        """What an hour costs as it is now, in USD."""
        if self.prices is None:
            return None
        return self.prices.running if self.machine.running else self.prices.resting

    @property
    def cost_since_idle(self) -> Decimal | None:
        """What it has cost since nobody uses it, in USD."""
        if self.idle_s is None or self.usd_per_hour is None:
            return None
        return Decimal(int(self.idle_s)) / SECONDS_PER_HOUR * self.usd_per_hour
