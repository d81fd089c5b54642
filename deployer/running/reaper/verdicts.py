"""One machine as the survey shows it: what becomes of it, and what it costs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from deployer.agents.idle import Decision, Policy
from deployer.core.clock import iso
from deployer.planning.cost.spending import Prices
from deployer.providers.cloud import Machine

HOUR = Decimal(3600)
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
    basis: str = "measured"
    over_budget: bool = False
    spent_usd: Decimal | None = (
        None  # this month, by the whole deployment; None: not asked or unpriced
    )

    @property
    def kept(self) -> bool:
        """Whether it goes on as it is."""
        return self.decision.action == "keep"

    @property
    def plain(self) -> dict[str, Any]:
        """As the document has it."""
        cost = self.cost_since_idle
        return {
            "deployment": self.machine.deployment,
            "region": self.machine.scope,
            "id": self.machine.id,
            "instance_type": self.machine.type,
            "state": self.machine.state,
            "stack": "recorded here" if self.recorded else "not recorded here",
            "idle_seconds": None if self.idle_s is None else int(self.idle_s),
            "idle_basis": self.basis,
            "usd_per_hour": None
            if self.usd_per_hour is None
            else float(round(self.usd_per_hour, 6)),
            "cost_since_idle_usd": None if cost is None else float(round(cost, 4)),
            "expires_at": iso(self.machine.expires_at),
            "month_to_date_usd": None
            if self.spent_usd is None
            else float(round(self.spent_usd, 4)),
            "decision": self.decision.action,
            "reason": self.decision.reason,
        }

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
        return Decimal(int(self.idle_s)) / HOUR * self.usd_per_hour


def policy(of: Machine, idle_for_s: float | None = None) -> Policy:
    """Return the policy of a machine by its terms. `idle_for_s` goes before what they say of idleness."""
    terms = of.terms
    limit = idle_for_s or terms.idle_after_s or DEFAULT_AFTER_S
    overruled = terms.idle_action == "none" and idle_for_s is not None
    return Policy(limit, "stop" if overruled else terms.idle_action, expires_at=of.expires_at)
