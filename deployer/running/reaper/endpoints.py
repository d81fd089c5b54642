"""What is served without a machine: it sleeps by itself, and is listed beside the machines. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.core.domain import State
from deployer.core.units import usd_per
from deployer.providers.cloud import Sleeper, Unknown
from deployer.providers.inventory import Found
from deployer.running.endpoints.hourly import Hourly


@dataclass(frozen=True)
class Serving:
    """One endpoint or model. `hourly` is None where this computer has no record of its deployment that can be read."""

    sleeper: Sleeper
    recorded: bool
    hourly: Hourly | None = None

    @property
    def found(self) -> Found:
        """What exists."""
        return self.sleeper.found

    @property
    def state(self) -> State | Unknown:
        """How it is, in the words of `status`, or unknown."""
        return self.sleeper.state

    @property
    def reason(self) -> str:
        """Why it is kept."""
        if self.state == "stopped":
            return "it is paused and costs nothing"
        if self.hourly is not None and self.hourly.always_runs:
            return f"it never sleeps, as its spec asks: {usd_per(self.hourly.running, 'hour', 4)}"
        unknown = "what it costs asleep is unknown without its record"
        costs = self.hourly.asleep if self.hourly else unknown
        if self.sleeper.awake is False:
            return f"it is asleep: {costs}"
        return f"it sleeps by itself when nobody calls it: {costs}"
