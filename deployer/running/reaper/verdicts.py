"""One machine as the survey shows it: what becomes of it, and what it costs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from deployer.agents.idle import Decision, Policy
from deployer.core.documents.idle import IdleBasis
from deployer.core.domain import SECONDS_PER_HOUR
from deployer.planning.cost.spending import Prices
from deployer.providers.cloud import Machine

DEFAULT_AFTER_S = 1800.0
"""What the spec's default is: for a machine that does not say."""


@dataclass(frozen=True)
class MachineVerdict:
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
    def kept(self) -> bool:
        """Whether it goes on as it is."""
        return self.decision.action == "keep"

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


def policy(of: Machine, idle_for_s: float | None = None) -> Policy:
    """Return the policy of a machine by its terms. `idle_for_s` goes before what they say of idleness."""
    terms = of.terms
    limit = idle_for_s or terms.idle_after_s or DEFAULT_AFTER_S
    overruled = terms.idle_action == "none" and idle_for_s is not None
    return Policy(limit, "stop" if overruled else terms.idle_action, expires_at=of.expires_at)
