"""What is served without a machine: it sleeps by itself, and is listed beside the machines. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.core.domain import State
from deployer.providers.cloud import Sleeper, Unknown
from deployer.providers.inventory import Found


@dataclass(frozen=True)
class Serving:
    """One endpoint or model, and whether this computer has a record of its deployment."""

    sleeper: Sleeper
    recorded: bool

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
        if self.sleeper.awake is False:
            return "it is asleep and costs nothing but storage"
        return "it sleeps by itself when nobody calls it; asleep it costs nothing but storage"
