"""Make a plan real: start it, wait until it is healthy, ask it something, remember it.

Takes a plan and nothing else: what was shown is what is applied. A provider is applied by its own `runner` or,
when it has a Pulumi program, by the engine (`deployer.cloud`). Whatever goes wrong with a runner (a failure,
Ctrl-C), everything that was started is stopped again, and only the log stays; what an engine has made stays,
is named, and the next `up` goes on from it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from deployer import answering, measurement_store
from deployer.errors import DeployerError, PrerequisiteError
from deployer.state import Deployment, Store, new_record, planned
from deployer.target import Keeper, Provider, Replacer, Runner, Say
from deployer.waiting import Waiting
from deployer.words import Plan

if TYPE_CHECKING:
    from deployer.cloud.apply import Agree

READY_S = 900.0
"""How long a model may take to load: 100 GB from a disk that reads 150 MB/s take 11 minutes."""
Now = Callable[[], str]
"""The time, ISO 8601 in UTC."""


@dataclass(frozen=True)
class Applied:
    """A deployment, and whether anything had to change."""

    deployment: Deployment
    changed: bool


def apply(  # noqa: PLR0913 - each is a thing of its own, and all but the plan are named
    plan: Plan,
    *,
    home: Path,
    provider: Provider,
    say: Say,
    now: Now,
    wait: bool = True,
    limit_s: float | None = None,
    agree: Agree | None = None,
) -> Applied:
    """Apply a plan, unless it is what runs already.

    What a provider with a Pulumi program would change is shown to `agree` first, which may refuse it by an
    error; all others have been agreed to with the plan.

    Raises:
        EngineError: it did not start, or does not answer as it should.
        PrerequisiteError: something that it needs is missing.
        StaleError: another process is working on the same deployment.
    """
    store = Store(home)
    with store.lock(plan.deployment):
        if applied_by_engine(provider):
            from deployer.cloud.apply import StackWork
            from deployer.reaper import lifetime

            work = StackWork(
                plan,
                store,
                provider,
                say,
                now,
                wait,
                limit_s,
                agree or (lambda _: None),
                remember=lifetime.remembering(plan, store, now),
            )
            return Applied(*work.done())
        runner = runner_of(provider, home)
        return _Work(plan, store, runner, say, now, wait, limit_s or READY_S).done()


def applied_by_engine(provider: Provider) -> bool:
    """Whether it is applied by the Pulumi engine, which says itself what would change."""
    return hasattr(provider, "program")


def keeper_of(provider: Provider, home: Path, say: Say) -> Keeper:
    """Return what looks after a provider's deployments.

    Raises:
        PrerequisiteError: this version cannot apply that provider.
    """
    if applied_by_engine(provider):
        from deployer.cloud.sites import keeper_of as keeper_by_engine

        return keeper_by_engine(provider, home, say)
    return runner_of(provider, home)


def runner_of(provider: Provider, home: Path) -> Runner:
    """Return what runs a provider's resources.

    Raises:
        PrerequisiteError: this version cannot apply that provider.
    """
    make = getattr(provider, "runner", None)
    if make is None:
        raise PrerequisiteError(
            f"applying {provider.TARGET} with {provider.NAME} is not part of this version yet",
            hint="'deployer plan' shows what it would cost",
        )
    runner: Runner = make(home)
    return runner


@dataclass(frozen=True)
class _Work:
    plan: Plan
    store: Store
    runner: Runner
    say: Say
    now: Now
    wait: bool
    limit_s: float

    @property
    def name(self) -> str:
        return self.plan.deployment

    def done(self) -> Applied:
        """Apply it, unless it is what runs already."""
        there = self.as_planned()
        if there is not None and (there.ready_at or not self.wait):
            self.say(f"{self.name} is running as planned: nothing to change")
            return Applied(there, changed=False)
        with self.undone_on_failure():
            return Applied(self.go_on(there) if there else self.run(), changed=True)

    def as_planned(self) -> Deployment | None:
        """The deployment as it stands, if it works (or is still loading) and the plan would not change it."""
        record = self._recorded()
        if record is None or record.endpoint is None or not self.runner.alive(self.name):
            return None
        if (record.spec_digest, record.planned) != (self.plan.spec_digest, planned(self.plan)):
            return None
        return record if record.ready_at is None or answering.healthy(record, self.store) else None

    def run(self) -> Deployment:
        """Start it anew in place of whatever is left of an older one."""
        if not isinstance(self.runner, Replacer):
            self.runner.stop(self.name)
        record = new_record(self.plan, self.now())
        self.store.save(record)
        endpoint = self.runner.start(self.name, record.planned, self.say)
        record = replace(record, endpoint=endpoint, resources=tuple(self.runner.found(self.name)))
        self.store.save(record)
        return self.go_on(record) if self.wait else record

    def go_on(self, record: Deployment) -> Deployment:
        """Wait for what was started, and see that it answers."""
        waiting = Waiting(self.plan, self.store, self.runner, self.say, self.limit_s)
        waiting.until_healthy(record)
        answering.smoke_test(record, self.store, self.say)
        if isinstance(self.runner, Replacer):
            self.runner.settle(self.name)
        found = tuple(self.runner.found(self.name))
        record = replace(record, ready_at=self.now(), resources=found)
        self.store.save(record)
        self._learn(record)
        return record

    def _learn(self, record: Deployment) -> None:
        """Keep what the engine said of its memory, for the next plan."""
        log = self.runner.logs(self.name, follow=False, tail=None)
        learnt = measurement_store.learn(self.store.home, record, log, self.now())
        if learnt:
            self.say(
                f"{record.engine} has room for {learnt.kv_capacity_tokens:,} tokens in its KV cache"
            )

    def _recorded(self) -> Deployment | None:
        try:
            return self.store.load(self.name)
        except DeployerError:  # a damaged record is replaced
            return None

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
        if before is None or not isinstance(self.runner, Replacer):
            return False
        if self.runner.put_back(self.name):
            self.say(f"{self.name} is back as it was before")
        elif not self._untouched(before):
            return False
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
            self.say(f"everything that was started of {self.name} is stopped again")


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
