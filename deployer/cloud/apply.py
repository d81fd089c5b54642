"""Apply a plan whose provider has a Pulumi program: checked, put right, previewed, agreed to, made, answering.

Nothing is undone when it fails: what exists is named, the next `up` goes on from there, `down` removes it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from deployer import answering
from deployer.cloud import preflight, recovery, search
from deployer.cloud.boot import Console
from deployer.cloud.failures import NoCapacityError
from deployer.cloud.pricing import price_of
from deployer.cloud.runner import CloudKeeper, moved
from deployer.cloud.session import Clients, understood
from deployer.cloud.stack_state import outputs_of, zones_to_try
from deployer.errors import DeployerError, EngineError, UsageError
from deployer.state import Deployment, Store, new_record
from deployer.target import Say
from deployer.words import Plan

if TYPE_CHECKING:
    from deployer.cloud.changes import Changes, Price
    from deployer.cloud.config import Config
    from deployer.cloud.engine import Engine

READY_S = 3600.0
"""How long a rented machine may take to answer: drivers, an image of 10 GB, weights of 100 GB and loading them."""
LOOK_S = 3.0

Agree = Callable[["Changes"], None]
"""Is shown what would change; raises `DeclinedError` when it must not."""
Open = Callable[[Callable[[], None]], "Engine"]


@dataclass(frozen=True)
class StackWork:
    """One `up`. `open_engine` is where a test puts its own."""

    plan: Plan
    store: Store
    provider: Any
    say: Say
    now: Callable[[], str]
    wait: bool
    limit_s: float | None
    agree: Agree
    open_engine: Open | None = None

    @cached_property
    def keeper(self) -> CloudKeeper:
        """What looks after it."""
        return CloudKeeper(self.provider, self.store.home, self.say)

    @property
    def name(self) -> str:
        """The deployment's name."""
        return self.plan.deployment

    def done(self) -> tuple[Deployment, bool]:
        """Do it all; say whether anything had to change."""
        self._servable()
        before = self._recorded()
        cleared = preflight.check(self.clients, self._needed(), self.say)
        config = self._config(cleared)
        with self._told_on_failure():
            engine = self._opened(config)
            recovery.tidy(self._scene(engine), ours=before is not None)
            zones = zones_to_try(engine.state(), cleared.zones)
            config.plain["zone"] = zones[0]
            changes = self._preview(engine)
            if not changes.real and before is not None and before.ready_at and self._well(before):
                self.say(f"{self.name} is as planned: nothing to change")
                return self._kept(before, engine), False
            if changes.real:
                self.agree(changes)
            return self._made(engine, config, zones, before), True

    @property
    def clients(self) -> Clients:
        """AWS's API in the plan's region."""
        return self.keeper.clients(self.name, self.plan.inputs["region"])

    def _recorded(self) -> Deployment | None:
        try:
            return self.store.load(self.name)
        except DeployerError:  # a damaged record is replaced
            return replace(new_record(self.plan, self.now()), planned=[])

    def _servable(self) -> None:
        if not self.plan.inputs.get("user_data", "unknown"):
            raise UsageError(
                f"{self.name} cannot be served on a rented machine: the plan's notes say why",
                hint="the model's files must be had from there: model.source hf:<repo> or s3://<bucket>/<prefix>",
            )

    def _needed(self) -> preflight.Needed:
        inputs, offer = self.plan.inputs, self.plan.offer
        most = int(inputs["replicas"]["max"]) if inputs.get("fleet") else 1
        return preflight.Needed(
            deployment=self.name,
            instance_type=inputs["instance_type"],
            spot=bool(inputs.get("spot")),
            machines=max(1, most),
            vcpus=offer.vcpus if offer else None,
            image_parameter=image() if (image := getattr(self.provider, "image", None)) else None,
        )

    def _config(self, cleared: preflight.Cleared) -> Config:
        from deployer.cloud.config import config_of

        config = config_of(self.plan, self.store, cleared.owner)
        config.plain["zones"] = ",".join(cleared.zones)
        return config

    def _opened(self, config: Config) -> Engine:
        from deployer.cloud.config import program_of

        program = program_of(self.provider, self.plan.inputs, config)
        return (self.open_engine or self._real_engine)(program)

    def _real_engine(self, program: Callable[[], None]) -> Engine:
        from deployer.cloud import engine, pulumi_cli

        at = self._settings()
        binary = pulumi_cli.find(self.say)
        opened: list[Engine] = []
        recovery.guarded(
            self.name, lambda: opened.append(engine.opened(binary, at, program, self.say)), ()
        )
        return opened[0]

    def _settings(self) -> Any:
        from deployer.cloud import settings

        return settings.settings(self.store.home, self.name, self.plan.options.get("state"))

    def _scene(self, engine: Engine) -> recovery.Scene:
        at = self._settings()
        return recovery.Scene(
            self.name, engine, self.clients, at.work, at.locks, self.say, self._price
        )

    @cached_property
    def _price(self) -> Price:
        """The plan's own pricing."""
        return price_of(self.plan, self.store.home, self.provider)

    def _preview(self, engine: Engine) -> Changes:
        from deployer.cloud.changes import Collector
        from deployer.cloud.progress import Progress

        seen, told = Collector(), Progress(lambda _: None)

        def both(event: Any) -> None:
            seen(event)
            told(event)

        recovery.guarded(self.name, lambda: engine.preview(both, refresh=False), told.errors)
        return seen.changes(self._price)

    def _well(self, record: Deployment) -> bool:
        """Whether its machines run and it answers where it should."""
        there = replace(record, endpoint=moved(record, self.keeper.machines(self.name)))
        return self.keeper.alive(self.name) and answering.healthy(there, self.store)

    def _kept(self, before: Deployment, engine: Engine) -> Deployment:
        """The record of what stays as it is, with the address that it has now."""
        record = self._finished(replace(before, planned=new_record(self.plan, "").planned), engine)
        self.store.save(record)
        return record

    def _made(
        self, engine: Engine, config: Config, zones: Sequence[str], before: Deployment | None
    ) -> Deployment:
        record = new_record(self.plan, before.started_at if before else self.now())
        self.store.save(replace(record, planned=before.planned if before else []))
        self._up(engine, config, zones)
        self._wake()
        record = self._finished(record, engine)
        self.store.save(record)
        return self._answering(record) if self.wait else record

    def _up(self, engine: Engine, config: Config, zones: Sequence[str]) -> None:
        """Make it, in the first zone that has room; a fleet looks for room by itself."""
        for number, zone in enumerate(zones):
            config.plain["zone"] = zone
            try:
                self._attempt(engine)
            except NoCapacityError as error:
                if self.plan.inputs.get("fleet") or number + 1 == len(zones):
                    raise self._nowhere(zones, error) from error
                self.say(f"no capacity in {zone}: trying {zones[number + 1]}")
            else:
                return

    def _nowhere(self, zones: Sequence[str], last: NoCapacityError) -> NoCapacityError:
        kind, region = self.plan.inputs["instance_type"], self.plan.inputs["region"]
        return NoCapacityError(
            f"AWS has no {kind} to spare in any zone of {region} now ({', '.join(zones)})",
            hint=last.hint,
        )

    def _attempt(self, engine: Engine) -> None:
        from deployer.cloud.progress import Progress

        progress = Progress(self.say)
        recovery.guarded(self.name, lambda: engine.up(progress), progress.errors)

    def _wake(self) -> None:
        """Start a machine that rests (the watchdog stops an idle one)."""
        resting = [
            one
            for one in self.keeper.machines(self.name)
            if one.details["State"]["Name"] in ("stopped", "stopping")
        ]
        if not resting:
            return
        ids = [one.id for one in resting]
        self.say(f"starting {', '.join(ids)}, which rests")
        client = self.clients("ec2")
        with understood("start an instance"):
            client.get_waiter("instance_stopped").wait(InstanceIds=ids)
            client.start_instances(InstanceIds=ids)
            client.get_waiter("instance_running").wait(InstanceIds=ids)

    def _finished(self, record: Deployment, engine: Engine) -> Deployment:
        """The record with what now exists, and where it is."""
        outputs = outputs_of(engine.state())
        record = replace(record, outputs=outputs, endpoint=outputs.get("endpoint"))
        found = search.search(self.clients, self.name)
        machines = [one for one in found if one.type == search.INSTANCE]
        return replace(
            record,
            endpoint=moved(record, machines),
            resources=tuple(one.plain for one in found),
        )

    def _answering(self, record: Deployment) -> Deployment:
        """Wait for it, following its boot, and see that it answers."""
        self.say(f"waiting for {record.endpoint} to answer (boot, image, weights: minutes)")
        machine = record.outputs.get("instance_id")
        console = Console(self.clients, machine, self.say) if machine else None
        until = time.monotonic() + (self.limit_s or READY_S)
        while not answering.healthy(record, self.store):
            if console:
                console.look()
            self._still_there(until)
            time.sleep(LOOK_S)
        self.say(f"healthy: {record.endpoint}")
        answering.smoke_test(record, self.store, self.say)
        record = replace(record, ready_at=self.now())
        self.store.save(record)
        return record

    def _still_there(self, until: float) -> None:
        if not self.keeper.alive(self.name):
            raise EngineError(
                "the machine ended before it answered",
                hint=f"'deployer logs {self.name}' has its last words; 'deployer up' makes another",
            )
        if time.monotonic() > until:
            raise EngineError(
                f"it did not answer within {self.limit_s or READY_S:.0f} s; it still runs and is paid for",
                hint=f"'deployer logs {self.name}' tells why; 'deployer down {self.name}' removes it",
            )

    @contextmanager
    def _told_on_failure(self) -> Iterator[None]:
        """Name what exists, and what it costs, when the work does not come to its end."""
        try:
            yield
        except BaseException as error:
            if not isinstance(error, NoCapacityError):  # the next offer may come at once
                self._tell()
            raise

    def _tell(self) -> None:
        try:
            found = search.search(self.clients, self.name)
        except DeployerError as error:
            self.say(f"what exists now cannot be listed: {error.message}")
            return
        price = self._price
        for one in found:
            self.say(f"exists: {one.type} {one.id}{recovery.worth(one, price)}")
        if found:
            self.say(f"'deployer up' goes on from here, 'deployer down {self.name}' removes it all")
