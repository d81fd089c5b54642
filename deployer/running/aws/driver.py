"""A rented machine while a plan is applied to it: quota and zones before, boot and address afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from deployer.core.deployment import Deployment
from deployer.core.errors import UsageError
from deployer.running import health
from deployer.running.aws import inventory, preflight, schedule
from deployer.running.aws.manager import CloudKeeper, moved
from deployer.running.aws.readiness import Awaited
from deployer.running.aws.session import Clients, understood
from deployer.running.inventory import Account
from deployer.running.stack.driver import Order
from deployer.running.stack.failures import NoCapacityError
from deployer.running.stack.state import zones_to_try

if TYPE_CHECKING:
    from deployer.core.domain import Estimate
    from deployer.running.stack.config import Config


@dataclass
class Rented:
    """Fulfils `deployer.running.stack.driver.Site` on AWS."""

    order: Order
    keeper: CloudKeeper
    zones: Sequence[str] = field(default=(), init=False)
    known: str | None = field(default=None, init=False)  # the machine that was there before

    @property
    def clients(self) -> Clients:
        """AWS's API in the plan's region."""
        return self.keeper.clients(self.order.name, self.order.plan.inputs["region"])

    @property
    def things(self) -> Account:
        """See `Site`."""
        return Account(self.clients, self.order.name)

    def check(self) -> Config:
        """See `Site`."""
        from deployer.running.stack.config import config_of

        self._servable()
        cleared = preflight.check(self.clients, self._needed(), self.order.say)
        config = config_of(self.order.plan, self.order.store, cleared.owner)
        config.plain["zones"] = ",".join(cleared.zones)
        self._dated(config)
        before = self.keeper.record(self.order.name)
        self.zones, self.known = (
            cleared.zones,
            before.outputs.get("instance_id") if before else None,
        )
        return config

    def _dated(self, config: Config) -> None:
        """Tell the program when what it makes expires."""
        expires = self.order.plan.inputs.get("expires")
        if expires:
            name, now = self.order.name, self.order.now()
            config.plain["expiresAt"] = schedule.due(self.clients, name, float(expires), now)

    def _servable(self) -> None:
        if not self.order.plan.inputs.get("user_data", "unknown"):
            raise UsageError(
                f"{self.order.name} cannot be served on a rented machine: the plan's notes say why",
                hint="the model's files must be had from there: model.source hf:<repo> or s3://<bucket>/<prefix>",
            )

    def _needed(self) -> preflight.Needed:
        inputs, offer = self.order.plan.inputs, self.order.plan.offer
        most = int(inputs["replicas"]["max"]) if inputs.get("fleet") else 1
        image = getattr(self.order.provider, "image", None)
        return preflight.Needed(
            deployment=self.order.name,
            instance_type=inputs["instance_type"],
            spot=bool(inputs.get("spot")),
            machines=max(1, most),
            vcpus=offer.vcpus if offer else None,
            image_parameter=image() if image else None,
        )

    def settle(self, state: Mapping[str, Any], config: Config) -> None:
        """See `Site`: first the zone where things are already."""
        self.zones = zones_to_try(state, self.zones)
        config.plain["zone"] = self.zones[0]

    def well(self, record: Deployment) -> bool:
        """See `Site`: its machines run and it answers where it should."""
        there = replace(record, endpoint=moved(record, self.keeper.machines(record.name)))
        return self.keeper.alive(record.name) and health.healthy(there, self.order.store)

    def make(self, attempt: Callable[[], None], config: Config) -> None:
        """See `Site`: in the first zone that has room; a fleet looks for room by itself."""
        for number, zone in enumerate(self.zones):
            config.plain["zone"] = zone
            try:
                attempt()
            except NoCapacityError as error:
                if self.order.plan.inputs.get("fleet") or number + 1 == len(self.zones):
                    raise self._nowhere(error) from error
                self.order.say(f"no capacity in {zone}: trying {self.zones[number + 1]}")
            else:
                return

    def _nowhere(self, last: NoCapacityError) -> NoCapacityError:
        inputs = self.order.plan.inputs
        return NoCapacityError(
            f"AWS has no {inputs['instance_type']} to spare in any zone of {inputs['region']} now "
            f"({', '.join(self.zones)})",
            hint=last.hint,
        )

    def wake(self, record: Deployment) -> None:
        """See `Site`: the watchdog stops an idle machine."""
        resting = [
            one
            for one in self.keeper.machines(record.name)
            if one.details["State"]["Name"] in ("stopped", "stopping")
        ]
        if not resting:
            return
        ids = [one.id for one in resting]
        self.order.say(f"starting {', '.join(ids)}, which rests")
        client = self.clients("ec2")
        with understood("start an instance"):
            client.get_waiter("instance_stopped").wait(InstanceIds=ids)
            client.start_instances(InstanceIds=ids)
            client.get_waiter("instance_running").wait(InstanceIds=ids)

    def finished(self, record: Deployment, bill: Callable[[], Estimate]) -> Deployment:  # noqa: ARG002 - as planned
        """See `Site`: with the address that it has now."""
        found = self.things.found()
        machines = [one for one in found if one.type == inventory.INSTANCE]
        resources = tuple(one.plain for one in found)
        record = replace(record, endpoint=moved(record, machines), resources=resources)
        return self.order.remember(record, found)

    def answering(self, record: Deployment) -> None:
        """See `Site`: following its boot."""
        order = self.order
        Awaited(record, self.keeper, order.say, order.limit_s, self.known).answer()
        health.smoke_test(record, order.store, order.say)
