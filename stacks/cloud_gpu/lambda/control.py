"""Lambda's machines as `deployer idle` asks them: their use, their hours, a second look, their end."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from deployer.agents.idle import Observation
from deployer.core.clock import iso
from deployer.core.domain import SECONDS_PER_HOUR
from deployer.core.errors import RemoteError
from deployer.providers.cloud import Gap, Machine

from .account import Account
from .program.dynamic.launch import made_by
from .telling import observed
from .terms import LambdaTags, machine, named


@dataclass(frozen=True)
class Control:
    """Fulfils `deployer.providers.cloud.MachineControl`; scopes are regions."""

    account: Account

    @property
    def tags(self) -> LambdaTags:
        """See `MachineControl`."""
        return LambdaTags()

    def observe(
        self, machines: Sequence[Machine], now: float
    ) -> tuple[Mapping[str, Observation], list[Gap]]:
        """See `MachineControl`: each machine is asked itself, for Lambda counts nothing of its use."""
        listed = {one["id"]: one for one in self.account.machines()}
        found = [(one, listed[one.id]) for one in machines if one.running and one.id in listed]
        return observed(found, now)

    def hours(
        self, scope: str, keys: Sequence[str], since: float, now: float
    ) -> tuple[Mapping[str, Decimal], list[Gap]]:
        """See `MachineControl`: from the launch on. How long one ran that has ended is not known."""
        started = {one.id: one.started_at for one in self._all(now)}
        ran = {k: Decimal(int(now - max(since, started[k]))) for k in keys if k in started}
        ended = [key for key in keys if key not in started]
        gaps = [Gap(scope, f"Lambda does not say how long {', '.join(ended)} ran")] if ended else []
        return {key: seconds / SECONDS_PER_HOUR for key, seconds in ran.items()}, gaps

    def machines(self, scope: str, ids: Sequence[str]) -> list[Machine]:
        """See `MachineControl`."""
        return [one for one in self._all(time.time()) if one.id in ids and one.scope == scope]

    def stop(self, scope: str, ids: Sequence[str]) -> None:  # noqa: ARG002 - one signature for all
        """See `MachineControl`: there is no stop."""
        raise RemoteError("Lambda has no stop: 'deployer idle destroy' ends them")

    def destroy(self, scope: str, ids: Sequence[str]) -> None:  # noqa: ARG002 - ids are unique
        """See `MachineControl`."""
        self.account.terminate(ids)

    def empty(self, scope: str, group: str) -> None:
        """See `MachineControl`: there are no groups."""

    def _all(self, now: float) -> list[Machine]:
        return [machine(one, now) for one in self.account.machines()]


@dataclass(frozen=True)
class NamedExpiry:
    """Fulfils `deployer.providers.cloud.Expiry`: the time stands in the machine's name, and the next look goes by it."""

    account: Account

    def extend(self, scope: str, deployment: str, until: float) -> str | None:
        """See `Expiry`."""
        held = None
        for one in self._of(scope, deployment):
            before = machine(one, time.time()).expires_at
            held = int(max(until, before or until))
            if before is None or held != int(before):
                self._rename(one["id"], named(deployment, held))
        return iso(held)

    def lift(self, scope: str, deployment: str) -> None:
        """See `Expiry`."""
        for one in self._of(scope, deployment):
            if machine(one, time.time()).expires_at is not None:
                self._rename(one["id"], named(deployment, None))

    def _of(self, scope: str, deployment: str) -> list[Mapping[str, object]]:
        found = self.account.machines()
        now = time.time()
        return [
            one
            for one in found
            if (machine(one, now).deployment, machine(one, now).scope, made_by(one))
            == (deployment, scope, True)
        ]

    def _rename(self, id_: object, name: str) -> None:
        self.account.call("POST", f"instances/{id_}", {"name": name})
