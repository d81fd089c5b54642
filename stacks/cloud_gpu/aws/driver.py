"""A rented machine while a plan is applied to it: quota and zones before, boot and address afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployer.core.deployment import Deployment
from deployer.core.errors import NoCapacityError, UsageError
from deployer.providers.inventory import Found, ours
from deployer.running import health
from deployer.running.stack.request import ApplyRequest
from deployer.running.stack.state import zones_to_try
from stacks._aws import caller, schedule
from stacks._aws import preflight as aws_preflight
from stacks._aws.account import Account
from stacks._aws.expiry import Schedules
from stacks._aws.instances import machine
from stacks._aws.leftovers import leftover
from stacks._aws.session import Clients, understood
from stacks._aws.types.compute import INSTANCE
from stacks._aws.types.storage import VOLUME
from stacks.cloud_gpu.aws.manager import MachineManager, moved
from stacks.cloud_gpu.aws.readiness import Awaited

if TYPE_CHECKING:
    from deployer.core.domain import Estimate
    from deployer.running.stack.config import Config


@dataclass
class MachineDriver:
    """Fulfils `deployer.running.stack.driver.Driver` on AWS."""

    request: ApplyRequest
    manager: MachineManager
    zones: Sequence[str] = field(default=(), init=False)
    known: str | None = field(default=None, init=False)  # the machine that was there before

    @property
    def clients(self) -> Clients:
        """AWS's API in the plan's region."""
        return self.manager.clients(self.request.name, self.request.plan.inputs["region"])

    @property
    def things(self) -> Account:
        """See `Driver`."""
        return Account(self.clients, self.request.name)

    def preflight(self) -> Config:
        """See `Driver`."""
        from deployer.running.stack.config import config_of

        self._servable()
        cleared = aws_preflight.check(self.clients, self._needed(), self.request.say)
        config = config_of(self.request, caller.cidr)
        config.account = cleared.account
        config.plain["zones"] = ",".join(cleared.zones)
        self._dated(config)
        before = self.manager.record(self.request.name)
        self.zones, self.known = (
            cleared.zones,
            before.outputs.get("instance_id") if before else None,
        )
        return config

    def _dated(self, config: Config) -> None:
        """Tell the program when what it makes expires."""
        expires = self.request.plan.inputs.get("expires")
        if expires:
            name, now = self.request.name, self.request.now()
            config.plain["expiresAt"] = schedule.due(self.clients, name, float(expires), now)

    def _servable(self) -> None:
        if not self.request.plan.inputs.get("user_data", "unknown"):
            raise UsageError(
                f"{self.request.name} cannot be served on a rented machine: see the plan's notes",
                hint="the machine must reach the model's files: set model.source to hf:<repo> or s3://<bucket>/<prefix>",
            )

    def _needed(self) -> aws_preflight.Needed:
        from stacks.cloud_gpu.aws.program.machine import AMI_PARAMETER

        inputs, offer = self.request.plan.inputs, self.request.plan.offer
        most = int(inputs["replicas"]["max"]) if inputs.get("fleet") else 1
        return aws_preflight.Needed(
            deployment=self.request.name,
            instance_type=inputs["instance_type"],
            spot=bool(inputs.get("spot")),
            machines=max(1, most),
            vcpus=offer.vcpus if offer else None,
            image_parameter=AMI_PARAMETER,
        )

    def select_zone(self, state: Mapping[str, Any], config: Config) -> None:
        """See `Driver`: first the zone where things are already."""
        self.zones = zones_to_try(state, self.zones)
        config.plain["zone"] = self.zones[0]

    def is_healthy(self, record: Deployment) -> bool:
        """See `Driver`: its machines run and it answers where it should, to nobody without its key."""
        there = replace(record, endpoint=moved(record, self.manager.machines(record.name)))
        well = self.manager.alive(record.name) and health.healthy(there, self.request.store)
        if well:
            health.check_refusal(there, self.request.store)
        return well

    def create(self, attempt: Callable[[], None], config: Config) -> None:
        """See `Driver`: in the first zone that has room; a fleet looks for room by itself."""
        for number, zone in enumerate(self.zones):
            config.plain["zone"] = zone
            try:
                attempt()
            except NoCapacityError as error:
                if self.request.plan.inputs.get("fleet") or number + 1 == len(self.zones):
                    raise self._nowhere(error) from error
                self.request.say(f"no capacity in {zone}: trying {self.zones[number + 1]}")
            else:
                return

    def _nowhere(self, last: NoCapacityError) -> NoCapacityError:
        inputs = self.request.plan.inputs
        return NoCapacityError(
            f"AWS has no {inputs['instance_type']} to spare in any zone of {inputs['region']} now "
            f"({', '.join(self.zones)})",
            hint=last.hint,
        )

    def resume(self, record: Deployment) -> None:
        """See `Driver`: the watchdog stops an idle machine."""
        resting = [
            one
            for one in self.manager.machines(record.name)
            if one.details["State"]["Name"] in ("stopped", "stopping")
        ]
        if not resting:
            return
        ids = [one.id for one in resting]
        self.request.say(f"starting {', '.join(ids)}, which is stopped")
        client = self.clients("ec2")
        with understood("start an instance"):
            client.get_waiter("instance_stopped").wait(InstanceIds=ids)
            client.start_instances(InstanceIds=ids)
            client.get_waiter("instance_running").wait(InstanceIds=ids)

    def record(self, record: Deployment, bill: Callable[[], Estimate]) -> Deployment:  # noqa: ARG002 - as planned
        """See `Driver`: with the address that it has now."""
        found = ours(self.things.found())
        machines = [one for one in found if one.type == INSTANCE]
        resources = tuple(one.plain for one in found)
        record = replace(record, endpoint=moved(record, machines), resources=resources)
        return self._priced_and_dated(record, found)

    def _priced_and_dated(self, record: Deployment, found: Sequence[Found]) -> Deployment:
        """The record with what each machine costs while it runs, and when they are removed."""
        from deployer.planning import catalog
        from deployer.running.reaper import lifetime

        machines = [machine(one) for one in found if one.type == INSTANCE]
        disks = [leftover(one) for one in found if one.type == VOLUME]
        rates = catalog.load(self.request.store.home / "catalog")
        record = lifetime.remembered(record, machines, disks, rates)
        now = datetime.fromisoformat(self.request.now()).timestamp()
        schedules, expires = (
            Schedules(lambda _: self.clients),
            self.request.plan.inputs.get("expires"),
        )
        return lifetime.prolonged(schedules, self.clients.region, record, expires, now)

    def verify(self, record: Deployment) -> None:
        """See `Driver`: following its boot."""
        request = self.request
        Awaited(record, self.manager, request.say, request.limit_s, self.known).answer()
        health.smoke_test(record, request.store, request.say)
