"""What an endpoint costs while it runs and while it sleeps, as its plan had it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from deployer.core.deployment import Deployment
from deployer.core.units import usd_per


@dataclass(frozen=True)
class Hourly:
    """What an endpoint costs in USD an hour as its plan had it; None: unpriced."""

    running: Decimal | None
    resting: Decimal | None

    @classmethod
    def of(cls, record: Deployment) -> Hourly:
        """Read it of a record."""
        prices = (record.usd_per_hour, record.usd_per_hour_idle)
        return cls(*(None if one is None else Decimal(one) for one in prices))

    @property
    def always_runs(self) -> bool:
        """Whether it never sleeps: rest would cost as much."""
        return bool(self.resting) and self.resting == self.running

    @property
    def asleep(self) -> str:
        """What it costs while it sleeps, in words."""
        if self.resting == 0:
            return "it costs nothing while it sleeps"
        if self.resting is None:
            return "what it costs while it sleeps is unpriced"
        return f"it costs {usd_per(self.resting, 'hour', 4)} while it sleeps (as planned)"
