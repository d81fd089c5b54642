"""What is asked of Pulumi: one plan to apply, where its state is, and who is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deployer.core.clock import now
from deployer.core.domain import Plan
from deployer.providers.api import Provider
from deployer.providers.managers import Say
from deployer.running.store import Store


@dataclass(frozen=True)
class ApplyRequest:
    """One plan to apply. `limit_s` None: the place's own patience. `now` tells the time, ISO 8601 in UTC."""

    plan: Plan
    store: Store
    provider: Provider
    say: Say
    limit_s: float | None = None
    now: Callable[[], str] = now

    @property
    def name(self) -> str:
        """The deployment's name."""
        return self.plan.deployment
