"""Wait until a deployment of machines answers, following the boot of a single one on its console."""

from __future__ import annotations

import time
from dataclasses import dataclass

from deployer.core.deployment import Deployment
from deployer.core.errors import RemoteError
from deployer.providers.managers import Say
from deployer.running import health
from stacks._aws.console import Console
from stacks._aws.session import understood
from stacks.cloud_gpu.aws.manager import MachineManager

READY_S = 3600.0
"""How long a rented machine may take to answer: drivers, an image of 10 GB, weights of 100 GB and loading them."""
LOOK_S = 3.0


@dataclass(frozen=True)
class Awaited:
    """What is waited for. `known`: the machine that was there before this `up`, if any."""

    record: Deployment
    manager: MachineManager
    say: Say
    limit_s: float | None = None
    known: str | None = None

    @property
    def name(self) -> str:
        """The deployment's name."""
        return self.record.name

    def answer(self) -> None:
        """Wait until it is healthy.

        Raises:
            RemoteError: it does not boot, has ended, or takes longer than the limit.
        """
        self.say(f"waiting for {self.record.endpoint} to answer (boot, image, weights: minutes)")
        until = time.monotonic() + (self.limit_s or READY_S)
        console: Console | None = None
        while not health.healthy(self.record, self.manager.store):
            console = console or self._console()
            if console:
                console.look()
            self._still_there(until)
            time.sleep(LOOK_S)
        self.say(f"healthy: {self.record.endpoint}")

    def _console(self) -> Console | None:
        machine = self.record.outputs.get("instance_id")
        if machine is None:
            return None
        console = Console(self.manager.clients(self.name), machine, self.say)
        if machine == self.known and console.failed_before():
            self._anew(machine)
        return console

    def _anew(self, machine: str) -> None:
        """Start a machine again whose boot failed before: what was missing may be there now."""
        self.say(f"the last boot of {machine} failed: restarting it")
        with understood("restart an instance"):
            self.manager.clients(self.name)("ec2").reboot_instances(InstanceIds=[machine])

    def _still_there(self, until: float) -> None:
        if not self.manager.alive(self.name):
            raise RemoteError(
                "the machine ended before it answered",
                hint=f"'deployer logs {self.name}' shows its last output; 'deployer up' creates another",
            )
        if time.monotonic() > until:
            raise RemoteError(
                f"it did not answer within {self.limit_s or READY_S:.0f} s; it is still running and billed",
                hint=f"'deployer logs {self.name}' shows why; 'deployer down {self.name}' removes it",
            )
