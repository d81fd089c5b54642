"""A machine of Lambda while a plan is applied to it: key, price and room before, boot and address afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from deployer.core.deployment import Deployment
from deployer.core.errors import NoCapacityError, PrerequisiteError, UsageError
from deployer.providers.inventory import ours
from deployer.running import health
from deployer.running.stack.request import ApplyRequest

from .account import Things
from .control import NamedExpiry
from .manager import LambdaManager
from .pricing import MACHINE
from .readiness import Awaited
from .terms import machine

if TYPE_CHECKING:
    from deployer.core.domain import Estimate
    from deployer.running.stack.config import Config

ASKED = "https://checkip.amazonaws.com"
"""Answers with the caller's public address."""


@dataclass
class LambdaDriver:
    """Fulfils `deployer.running.stack.driver.Driver` on Lambda."""

    request: ApplyRequest
    manager: LambdaManager
    regions: Sequence[str] = field(default=(), init=False)
    """Where the machine may be, in the order in which they are tried."""

    @property
    def things(self) -> Things:
        """See `Driver`."""
        return self.manager.things(self.request.name)

    def preflight(self) -> Config:
        """See `Driver`."""
        from deployer.running.stack.config import config_of

        if not self.request.plan.inputs.get("user_data", "unknown"):
            raise UsageError(
                f"{self.request.name} cannot be served on a rented machine: see the plan's notes",
                hint="the machine must reach the model's files: set model.source to hf:<repo>",
            )
        self.regions = self._with_room()
        config = config_of(self.request, _caller)
        config.plain["region"] = self.regions[0]
        return config

    def _with_room(self) -> list[str]:
        """The regions to try: where it is already, else those that have such a machine to spare now."""
        inputs = self.request.plan.inputs
        kind, allowed = inputs["instance_type"], list(inputs["regions"])
        types: Mapping[str, Any] = self.manager.account.call("GET", "instance-types")
        here = [one.region for one in self.manager.machines(self.request.name)]
        if here:
            return [*here[:1], *(region for region in allowed if region != here[0])]
        if kind not in types:
            raise NoCapacityError(
                f"Lambda does not sell {kind} to this account",
                hint="'deployer prices refresh --provider lambda' reads what it sells",
            )
        free = {one["name"] for one in types[kind]["regions_with_capacity_available"]}
        found = [region for region in allowed if region in free]
        if not found:
            raise self._nowhere(allowed, sorted(free))
        return found

    def _nowhere(self, asked: Sequence[str], free: Sequence[str]) -> NoCapacityError:
        kind = self.request.plan.inputs["instance_type"]
        where = asked[0] if len(asked) == 1 else "any region that the spec allows"
        other = f"there is one in {', '.join(free)}; " if free else ""
        return NoCapacityError(
            f"Lambda has no {kind} to spare in {where} now",
            hint=f"{other}try again later, or name another targets.cloud-gpu.instance or region",
        )

    def select_zone(self, state: Mapping[str, Any], config: Config) -> None:
        """See `Driver`: first the region where the machine is already."""
        found = [one.get("outputs") or {} for one in state.get("resources") or ()]
        here = [told["region"] for told in found if "instance_type" in told and "region" in told]
        self.regions = sorted(self.regions, key=lambda region: region not in here)
        config.plain["region"] = self.regions[0]

    def is_healthy(self, record: Deployment) -> bool:
        """See `Driver`: it answers where it should, to nobody without its key."""
        there = replace(record, endpoint=self.manager.endpoint(record))
        well = bool(there.endpoint) and health.healthy(there, self.request.store)
        if well:
            health.check_refusal(there, self.request.store)
        return well

    def create(self, attempt: Callable[[], None], config: Config) -> None:
        """See `Driver`: in the first region that has room when it is asked for."""
        for number, region in enumerate(self.regions):
            config.plain["region"] = region
            try:
                attempt()
            except NoCapacityError as error:
                if number + 1 == len(self.regions):
                    raise self._nowhere(self.regions, ()) from error
                self.request.say(f"no capacity in {region}: trying {self.regions[number + 1]}")
            else:
                return

    def resume(self, record: Deployment) -> None:
        """See `Driver`: nothing rests there."""

    def record(self, record: Deployment, bill: Callable[[], Estimate]) -> Deployment:  # noqa: ARG002 - as planned
        """See `Driver`: with its region and address; a second machine that came late is ended."""
        from deployer.planning import catalog
        from deployer.running.reaper import lifetime

        found = self._single(record)
        now = datetime.fromisoformat(self.request.now()).timestamp()
        machines = [machine(one.details, now) for one in found if one.type == MACHINE]
        region = machines[0].scope if machines else record.region
        resources = tuple(one.plain for one in found)
        endpoint = self.manager.endpoint(record) or record.endpoint
        record = replace(record, region=region, endpoint=endpoint, resources=resources)
        rates = catalog.load(self.request.store.home / "catalog")
        record = lifetime.remembered(record, machines, (), rates)
        expires = self.request.plan.inputs.get("expires")
        expiry = NamedExpiry(self.manager.account)
        return lifetime.prolonged(expiry, region or "", record, expires, now)

    def _single(self, record: Deployment) -> list[Any]:
        """What exists, but for machines that Pulumi's state does not know."""
        found, known = ours(self.things.found()), record.outputs.get("instance_id")
        surplus = [one for one in found if one.type == MACHINE and known not in (None, one.id)]
        if surplus:
            self.request.say("ending a machine that an interrupted run launched twice:")
            self.things.remove(surplus, self.request.say)
        return [one for one in found if one not in surplus]

    def verify(self, record: Deployment) -> None:
        """See `Driver`: following its boot."""
        Awaited(record, self.manager, self.request.say, self.request.limit_s).answer()
        health.smoke_test(record, self.request.store, self.request.say)


def _caller(environ: Mapping[str, str]) -> str:
    """Return the caller's own address as an IPv4 block; where Lambda is on this machine (a double), so is the caller.

    Raises:
        PrerequisiteError: it cannot be learnt, or is not IPv4.
    """
    from deployer.running.stack import config

    here = urlsplit(environ.get("LAMBDA_API_URL", "")).hostname in ("127.0.0.1", "localhost")
    block = config.caller_cidr(environ, None if here else ASKED)
    try:
        if ip_network(block, strict=False).version == 4:
            return block
    except ValueError:
        pass
    raise PrerequisiteError(
        f"{block} is not an IPv4 block, and Lambda's firewall takes no other",
        hint="set DEPLOYER_CALLER_CIDR=203.0.113.7/32, or targets.cloud-gpu.expose to a list of blocks",
    )
