"""Apply a plan whose provider has a Pulumi program: checked, put right, previewed, agreed to, made, answering.

What differs between a rented machine and a serverless service is in its `Driver`. Nothing is undone when it fails:
what exists is named, the next `up` goes on from there, `down` removes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from deployer.core.deployment import Deployment
from deployer.core.domain import Plan
from deployer.core.errors import DeployerError, NoCapacityError, StaleError
from deployer.planning.record import new_record
from deployer.providers.inventory import Found, ours
from deployer.providers.managers import Say
from deployer.running import ownership, places
from deployer.running.ownership import TakenError
from deployer.running.places import Place
from deployer.running.stack import recovery, settings, stamps
from deployer.running.stack.driver import driver_of
from deployer.running.stack.pricing import price_of
from deployer.running.stack.request import ApplyRequest
from deployer.running.stack.state import outputs_of, resources_in
from deployer.running.store import Store

if TYPE_CHECKING:
    from deployer.running.stack.changes import Changes, Price
    from deployer.running.stack.config import Config
    from deployer.running.stack.driver import Driver
    from deployer.running.stack.engine import Engine
    from deployer.running.stack.settings import Settings

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
    def driver(self) -> Driver:
        """Where it is applied."""
        return driver_of(
            ApplyRequest(
                self.plan,
                self.store,
                self.provider,
                self.say,
                self.limit_s,
                self.now,
            )
        )

    @property
    def name(self) -> str:
        """The deployment's name."""
        return self.plan.deployment

    def done(self) -> tuple[Deployment, bool]:
        """Do it all; say whether anything had to change."""
        before = self._recorded()
        config = self.driver.preflight()
        place = Place(self.plan.provider, self.driver.things.region, config.account)
        self._check_moved(before, place)
        with self._told_on_failure():
            engine = self._opened(config)
            there = recovery.tidy(self._scene(engine, before), ours=before is not None)
            config.plain |= self._stamps(there, before)
            self.driver.select_zone(engine.state(), config)
            changes = self._preview(engine)
            if not changes.real and before and before.ready_at and self.driver.is_healthy(before):
                self.say(f"{self.name} is as planned: nothing to change")
                return self._kept(self._placed(before, before, config, place), engine), False
            if changes.real:
                self.agree(changes)
            return self._made(engine, config, before, place), True

    def _recorded(self) -> Deployment | None:
        try:
            return self.store.load(self.name)
        except DeployerError:  # a damaged record is replaced
            return replace(new_record(self.plan, self.now()), planned=[])

    def _opened(self, config: Config) -> Engine:
        from deployer.running.stack.config import program_of

        program = program_of(self.provider, self.plan.inputs, config)
        return (self.open_engine or self._real_engine)(program)

    def _real_engine(self, program: Callable[[], None]) -> Engine:
        from deployer.running.stack import engine, pulumi_cli

        at = self._settings()
        binary = pulumi_cli.find(self.say)
        recovery.end_left_behind(at.work, self.say)
        opened: list[Engine] = []
        recovery.guarded(
            self.name,
            lambda: opened.append(engine.opened(binary, at, program, self.say)),
            (),
            self.provider.explain,
        )
        return opened[0]

    def _settings(self) -> Settings:
        return stamps.at(self.store, self.name, self.plan.options.get("state"), self._recorded())

    def _check_moved(self, before: Deployment | None, here: Place) -> None:
        """See that nothing of it lives in another place, or by another state, than it is to be made in.

        Raises:
            StaleError: something does.
        """
        if before is None:
            return
        asked = self._settings().backend
        kept = settings.backend_of(self.store.home, before.state, {})
        if before.places and asked != kept and ours(self.driver.things.found()):
            raise StaleError(
                f"the state of {self.name} lies in {kept}, and is asked for in {asked}",
                hint=f"run 'deployer down {self.name}' first, or name the state that it has"
                " (targets.cloud-gpu.state, DEPLOYER_STATE)",
            )
        for place in places.others(before, here):
            held = places.held_in(place, before, self.store.home, self.say)
            if held:
                raise places.lives_elsewhere(self.name, place, len(held))

    def _stamps(self, there: Sequence[Found], before: Deployment | None) -> dict[str, str]:
        """Who made it first, and where its state is shared: both stand on what is made."""
        first = next((one.owner for one in there if one.owner), before.owner if before else None)
        return stamps.stamps(self._settings(), self.store, first)

    def _scene(self, engine: Engine, before: Deployment | None) -> recovery.Scene:
        at = self._settings()
        things = self.driver.things
        return recovery.Scene(
            self.name,
            engine,
            things,
            at.work,
            at.locks,
            self.say,
            self._price,
            self.provider.explain,
            ownership.own_names(self.store.home, before),
            lambda: ownership.free_name(
                self.plan.spec_name,
                self.plan.target,
                lambda name: self.store.is_known(name) or bool(things.named(name).found()),
            ),
        )

    @cached_property
    def _price(self) -> Price:
        """The plan's own pricing."""
        return price_of(self.plan, self.store.home, self.provider)

    def _preview(self, engine: Engine) -> Changes:
        from deployer.running.stack.changes import Collector
        from deployer.running.stack.progress import Progress

        seen, told = Collector(), Progress(lambda _: None, self.provider.program)

        def both(event: Any) -> None:
            seen(event)
            told(event)

        recovery.guarded(
            self.name,
            lambda: engine.preview(both, refresh=False),
            told.errors,
            self.provider.explain,
        )
        return seen.changes(self._price)

    def _kept(self, before: Deployment, engine: Engine) -> Deployment:
        """The record of what stays as it is, with the address that it has now."""
        record = self._finished(replace(before, planned=new_record(self.plan, "").planned), engine)
        self.store.save(record)
        return record

    def _made(
        self, engine: Engine, config: Config, before: Deployment | None, place: Place
    ) -> Deployment:
        record = new_record(self.plan, before.started_at if before else self.now())
        record = replace(record, launched=before.launched if before else {})
        record = self._placed(record, before, config, place)
        self.store.save(replace(record, planned=before.planned if before else []))
        self.driver.create(lambda: self._attempt(engine), config)
        self.driver.resume(record)
        record = self._finished(record, engine)
        self.store.save(record)
        return self._answering(record) if self.wait else record

    def _placed(
        self, record: Deployment, before: Deployment | None, config: Config, place: Place
    ) -> Deployment:
        """The record with who made it first, where its state is shared, and where all of it was ever made."""
        at = self._settings()
        return replace(
            record,
            owner=config.plain["owner"],
            state=at.backend if at.is_shared else None,
            places=places.remembered(before, place),
        )

    def _attempt(self, engine: Engine) -> None:
        from deployer.running.stack.progress import Progress

        progress = Progress(self.say, self.provider.program)
        recovery.guarded(
            self.name, lambda: engine.up(progress), progress.errors, self.provider.explain
        )

    def _finished(self, record: Deployment, engine: Engine) -> Deployment:
        """The record with what now exists, and where it is."""
        state = engine.state()
        outputs = outputs_of(state)
        record = replace(record, outputs=outputs, endpoint=outputs.get("endpoint"))
        return self.driver.record(record, lambda: self._price(resources_in(state)))

    def _answering(self, record: Deployment) -> Deployment:
        self.driver.verify(record)
        record = replace(record, ready_at=self.now())
        self.store.save(record)
        return record

    @contextmanager
    def _told_on_failure(self) -> Iterator[None]:
        """Name what exists, and what it costs, when the work does not come to its end."""
        try:
            yield
        except BaseException as error:
            # the next offer may come at once; what somebody else has is not shown as ours
            if not isinstance(error, NoCapacityError | TakenError):
                self._tell()
            raise

    def _tell(self) -> None:
        try:
            found = ours(self.driver.things.found())
        except DeployerError as error:
            self.say(f"what exists now cannot be listed: {error.message}")
            return
        price = self._price
        for one in found:
            self.say(f"exists: {one.type} {one.id}{recovery.worth(one, price)}")
        if found:
            self.say(f"'deployer up' goes on from here, 'deployer down {self.name}' removes it all")
