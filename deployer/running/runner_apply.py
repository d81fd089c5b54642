"""Apply a plan by its provider's own runner: start it, wait until it is healthy, ask it something, or undo it all."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from deployer.core.deployment import Deployment
from deployer.core.domain import Plan
from deployer.core.errors import DeployerError, PrerequisiteError, RemoteError
from deployer.core.owner import owner
from deployer.planning.record import new_record, planned
from deployer.providers.evidence import ShowsPrivacy
from deployer.providers.inventory import KnowsOwners, ours
from deployer.providers.managers import ChecksOwn, Runner, Say, SupportsRollback
from deployer.running import health, ownership, places
from deployer.running.places import Place
from deployer.running.readiness import Waiting
from deployer.running.store import DamagedError, Store
from deployer.sources import measurements

READY_S = 900.0
"""How long a model may take to load: 100 GB from a disk that reads 150 MB/s take 11 minutes."""


Now = Callable[[], str]
"""The time, ISO 8601 in UTC."""


@dataclass(frozen=True)
class Applied:
    """A deployment, and whether anything had to change."""

    deployment: Deployment
    changed: bool


@dataclass(frozen=True)
class RunnerWork:
    """One plan, applied by its provider's own runner."""

    plan: Plan
    store: Store
    runner: Runner
    say: Say
    now: Now
    wait: bool
    limit_s: float

    @property
    def name(self) -> str:
        """The deployment's name."""
        return self.plan.deployment

    def done(self) -> Applied:
        """Apply it, unless it is what runs already."""
        there = self.as_planned()
        if there is not None and (there.ready_at or not self.wait):
            if there.ready_at:
                health.check_refusal(there, self.store)
            self.say(f"{self.name} is running as planned: nothing to change")
            return Applied(there, changed=False)
        if there is None:
            self._check_taken()
            self._check_moved()
        with self.undone_on_failure():
            return Applied(self.go_on(there) if there else self.run(), changed=True)

    def _check_taken(self) -> None:
        """See that what there is of that name is this user's.

        Raises:
            StaleError: somebody else has made it.
        """
        runner = self.runner
        if not isinstance(runner, KnowsOwners):
            return
        record, known = self._recorded(), self.store.folder(self.name).exists()
        own = ownership.own_names(self.store.home, record)
        found = ours(runner.claimed(self.name))
        theirs = [
            one for one in found if one.owner not in own and (one.owner is not None or not known)
        ]
        if theirs:
            free = ownership.free_name(
                self.plan.spec_name,
                self.plan.target,
                lambda name: self.store.is_known(name) or bool(runner.claimed(name)),
            )
            raise ownership.taken(self.name, theirs, own, free)

    def _check_moved(self) -> None:
        """See that nothing of it lives with another provider, where it would be left.

        Raises:
            StaleError: something does.
        """
        before = self._recorded()
        if before is None:
            return
        for place in places.others(before, self._place):
            held = places.held_in(place, before, self.store.home, self.say)
            if held:
                raise places.lives_elsewhere(self.name, place, len(held))

    @property
    def _place(self) -> Place:
        return Place(self.plan.provider)

    def as_planned(self) -> Deployment | None:
        """The deployment as it stands, if it works (or is still loading) and the plan would not change it."""
        record = self._recorded()
        if record is None or record.endpoint is None or not self.runner.alive(self.name):
            return None
        if (record.spec_digest, record.planned) != (self.plan.spec_digest, planned(self.plan)):
            return None
        return record if record.ready_at is None or self._is_well(record) else None

    def _is_well(self, record: Deployment) -> bool:
        """Whether it is healthy, and it is itself that says so."""
        try:
            if isinstance(self.runner, ChecksOwn):
                self.runner.check_own(self.name)
        except PrerequisiteError:
            return False
        return health.healthy(record, self.store)

    def run(self) -> Deployment:
        """Start it anew in place of whatever is left of an older one."""
        if not isinstance(self.runner, SupportsRollback):
            self.runner.stop(self.name)
        elif self._has_served():
            self.store.set_aside(self.name)
        record = replace(
            new_record(self.plan, self.now()),
            owner=owner(self.store.home),
            places=places.remembered(self._recorded(), self._place),
        )
        self.store.save(record)
        endpoint = self.runner.start(self.name, record.planned, self.say)
        record = replace(record, endpoint=endpoint, resources=tuple(self.runner.found(self.name)))
        self.store.save(record)
        return self.go_on(record) if self.wait else record

    def go_on(self, record: Deployment) -> Deployment:
        """Wait for what was started, and see that it answers."""
        waiting = Waiting(self.plan, self.store, self.runner, self.say, self.limit_s)
        waiting.until_healthy(record)
        if isinstance(self.runner, ChecksOwn):
            self.runner.check_own(self.name)
        health.smoke_test(record, self.store, self.say)
        self._keeps_in()
        if isinstance(self.runner, SupportsRollback):
            record = self._settled(record, self.runner)
        found = tuple(self.runner.found(self.name))
        record = replace(record, ready_at=self.now(), resources=found)
        self.store.save(record)
        self._learn(record)
        return record

    def _keeps_in(self) -> None:
        """See that nothing gets out of what was to be cut off from the network.

        Raises:
            RemoteError: something was reached from inside.
        """
        if not isinstance(self.runner, ShowsPrivacy):
            return
        if way := self.runner.way_out(self.name):
            raise RemoteError(
                f"local-only is not kept: {way} from inside its container",
                hint="Docker did not cut it off: 'deployer doctor --privacy' shows how; report it with 'docker version'",
            )

    def _settled(self, record: Deployment, runner: SupportsRollback) -> Deployment:
        """Let it take the place of the one before; return the record with the address that it has then."""
        address = runner.settle(self.name)
        self.store.settle(self.name)
        if address is None:
            return record
        self.say(f"it has taken the place of the one before: {address}")
        return replace(record, endpoint=address)

    def _learn(self, record: Deployment) -> None:
        """Keep what the engine said of its memory, for the next plan."""
        log = self.runner.logs(self.name, follow=False, tail=None)
        learnt = measurements.learn(self.store.home, record, log, self.now())
        if learnt:
            self.say(
                f"{record.engine} has room for {learnt.kv_capacity_tokens:,} tokens in its KV cache"
            )

    def _recorded(self) -> Deployment | None:
        try:
            return self.store.load(self.name)
        except DeployerError:  # a damaged record is replaced
            return None

    def _has_served(self) -> bool:
        """Whether what is to be replaced has ever worked; of one whose record is damaged that is not known."""
        try:
            record = self.store.load(self.name)
        except DamagedError:
            return True
        return record is not None and record.ready_at is not None

    @contextmanager
    def undone_on_failure(self) -> Iterator[None]:
        """Stop everything and drop the record when the work does not come to its end."""
        before = self._recorded()
        try:
            yield
        except BaseException:
            with _uninterrupted():
                if not self._put_back(before):
                    self._stop_all()
            raise

    def _put_back(self, before: Deployment | None) -> bool:
        """Bring back what was to be replaced, where the runner has kept it."""
        if not isinstance(self.runner, SupportsRollback):
            return False
        if self.runner.put_back(self.name):
            self.say(f"{self.name} is back as it was before")
        elif before is None or not self._untouched(before):
            return False
        if not self.store.restore(self.name) and before is not None:
            self.store.save(before)
        return True

    def _untouched(self, before: Deployment) -> bool:
        """Whether the failure came before anything of the running one was changed."""
        there = {r["id"] for r in self.runner.found(self.name)}
        known = {r["id"] for r in before.resources}
        return bool(there) and there == known and self.runner.alive(self.name)

    def _stop_all(self) -> None:
        stopped = self.runner.stop(self.name)
        self.store.forget(self.name, keep_logs=True)
        if stopped:
            self.say(f"everything started for {self.name} has been stopped")


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keep a second Ctrl-C from leaving things half stopped."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
