"""Wait until a machine answers, following its boot by what it says itself."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from deployer.core.deployment import Deployment
from deployer.core.errors import RemoteError
from deployer.providers.managers import Say
from deployer.running import health

from .manager import LambdaManager

READY_S = 3600.0
"""How long a machine may take to answer: an image of 10 GB, weights of 100 GB and loading them."""
LOOK_S = 3.0
MARK, FAILED = "deployer: ", "deployer: boot failed"
LAST_WORDS = 12


@dataclass
class Awaited:
    """What is waited for."""

    record: Deployment
    manager: LambdaManager
    say: Say
    limit_s: float | None = None
    _said: set[str] = field(default_factory=set)

    def answer(self) -> None:
        """Wait until it is healthy.

        Raises:
            RemoteError: it does not boot, has ended, or takes longer than the limit.
        """
        self.say(f"waiting for {self.record.endpoint} to answer (boot, image, weights: minutes)")
        began, name = time.monotonic(), self.record.name
        limit = self.limit_s or READY_S
        while not health.healthy(self.record, self.manager.store):
            self._follow()
            if not self.manager.alive(name):
                raise RemoteError(
                    "the machine ended before it answered",
                    hint="somebody ended it, or Lambda did; 'deployer up' launches another",
                )
            if time.monotonic() - began > limit:
                raise RemoteError(
                    f"it did not answer within {limit:.0f} s; it is still running and billed",
                    hint=f"'deployer logs {name}' shows why; 'deployer down {name}' removes it",
                )
            time.sleep(LOOK_S)
        self.say(f"healthy: {self.record.endpoint}")

    def _follow(self) -> None:
        """Say what is new of the boot scripts' own lines."""
        lines = self.manager.boot(self.record.name)
        for number, line in enumerate(lines):
            told = line[line.find(MARK) :] if MARK in line else ""
            if told and told not in self._said:
                self._said.add(told)
                self.say(f"machine: {told.removeprefix(MARK)}")
            if FAILED in line:
                words = "".join(f"\n    {one}" for one in lines[: number + 1][-LAST_WORDS:])
                raise RemoteError(
                    f"the machine did not boot: {told}; its last lines:{words}",
                    hint=f"'deployer down {self.record.name}' ends it; 'deployer up' launches another",
                )
