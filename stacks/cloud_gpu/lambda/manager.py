"""Look after a deployment on Lambda: what is there, where it answers, its log, its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deployer.core.deployment import Deployment
from deployer.core.files import read_own
from deployer.providers.inventory import Found, ours
from deployer.providers.managers import MachineUsage, Say
from deployer.running.stack.manager import StackManager
from deployer.running.store import AUTHORITY

from . import telling
from .account import Account, Things
from .control import Control
from .pricing import MACHINE
from .terms import machine

LOOK_S = 3.0


class LambdaManager(StackManager):
    """Fulfils `deployer.providers.managers.Manager`, `.SupportsLookup` and `.ReportsUsage`."""

    def __init__(self, provider: Any, home: Path, say: Say = lambda _: None) -> None:
        super().__init__(provider, home, say)
        self.account = Account()

    def things(self, deployment: str) -> Things:
        """What exists of it, by tags and names."""
        return Things(deployment, self.account)

    def machines(self, deployment: str) -> list[Found]:
        """Its machines."""
        return [one for one in ours(self.things(deployment).found()) if one.type == MACHINE]

    def alive(self, deployment: str) -> bool:
        """Whether a machine of it runs or is on its way."""
        return bool(self.machines(deployment))

    def endpoint(self, record: Deployment) -> str | None:
        """Where it answers now; None where it has no machine."""
        addresses = [one.details.get("ip") for one in self.machines(record.name)]
        now = next((address for address in addresses if address), None)
        return f"https://{now}/v1" if now else None

    def usage(self, record: Deployment, now: float) -> MachineUsage:
        """What is known of its machines besides their state, see `ReportsUsage`."""
        from deployer.running.reaper import lifetime

        machines = [machine(one.details, now) for one in self.machines(record.name)]
        scope = machines[0].scope if machines else record.region or ""
        return lifetime.usage(Control(self.account), scope, record, machines, now)

    def logs(self, deployment: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        """What its machine's boot and engine wrote."""
        shown: list[str] = []
        while True:
            lines = self.boot(deployment)
            new = _since(shown, lines)
            if not shown and tail is not None:
                new = new[len(new) - min(tail, len(new)) :]
            yield from new
            shown = lines or shown
            if not follow or not self.alive(deployment):
                return
            time.sleep(LOOK_S)

    def boot(self, deployment: str) -> list[str]:
        """The last lines that its machine wrote; none while it cannot be asked."""
        authority = self.store.folder(deployment) / AUTHORITY
        found = [one.details.get("ip") for one in self.machines(deployment)]
        if not authority.exists() or not any(found):
            return []
        address = next(one for one in found if one)
        return telling.boot(address, read_own(authority), self.store.key(deployment))


def _since(shown: list[str], lines: list[str]) -> list[str]:
    """The lines after the last one that was shown: the machine keeps the newest alone."""
    if not shown or shown[-1] not in lines:
        return lines
    return lines[len(lines) - lines[::-1].index(shown[-1]) :]
