"""Make a plan real: start it, wait until it is healthy, ask it something, remember it.

Takes a plan and nothing else: what was shown is what is applied. Whatever goes wrong on the way (a failure,
Ctrl-C), everything that was started is stopped again; only the log stays.
"""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from deployer import measurement_store, openai_http
from deployer.engines import engine
from deployer.errors import DeployerError, EngineError, PrerequisiteError
from deployer.measurements import Served
from deployer.openai_http import Endpoint
from deployer.state import Deployment, Store
from deployer.target import Provider, Replacer, Runner, Say
from deployer.words import Plan

READY_S = 900.0
"""How long a model may take to load: 100 GB from a disk that reads 150 MB/s take 11 minutes."""
LOOK_S = 0.25
LAST_WORDS = 12
"""How many lines of the log are shown when an engine fails."""

Now = Callable[[], str]
"""The time, ISO 8601 in UTC."""


@dataclass(frozen=True)
class Applied:
    """A deployment, and whether anything had to change."""

    deployment: Deployment
    changed: bool


def apply(
    plan: Plan,
    *,
    home: Path,
    provider: Provider,
    say: Say,
    now: Now,
    wait: bool = True,
    limit_s: float = READY_S,
) -> Applied:
    """Apply a plan, unless it is what runs already.

    Raises:
        EngineError: it did not start, or does not answer as it should.
        PrerequisiteError: something that it needs is missing.
        StaleError: another process is working on the same deployment.
    """
    runner = runner_of(provider, home)
    work = _Work(plan, Store(home), runner, say, now, wait, limit_s)
    with work.store.lock(plan.deployment):
        there = work.as_planned()
        if there is not None and (there.ready_at or not wait):
            say(f"{plan.deployment} is running as planned: nothing to change")
            return Applied(there, changed=False)
        with work.undone_on_failure():
            return Applied(work.go_on(there) if there else work.run(), changed=True)


def runner_of(provider: Provider, home: Path) -> Runner:
    """Return what runs a provider's resources.

    Raises:
        PrerequisiteError: this version cannot apply that provider.
    """
    make = getattr(provider, "runner", None)
    if make is None:
        raise PrerequisiteError(
            f"applying {provider.TARGET} with {provider.NAME} is not part of this version yet",
            hint="'deployer plan' shows what it would cost; the target local can be applied",
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

    def as_planned(self) -> Deployment | None:
        """The deployment as it stands, if it works (or is still loading) and the plan would not change it."""
        record = self._recorded()
        if record is None or record.endpoint is None or not self.runner.alive(self.name):
            return None
        if (record.spec_digest, record.planned) != (self.plan.spec_digest, _planned(self.plan)):
            return None
        return record if record.ready_at is None or self._healthy(record) else None

    def run(self) -> Deployment:
        """Start it anew in place of whatever is left of an older one."""
        if not isinstance(self.runner, Replacer):
            self.runner.stop(self.name)
        record = self._new()
        self.store.save(record)
        endpoint = self.runner.start(self.name, record.planned, self.say)
        record = replace(record, endpoint=endpoint, resources=tuple(self.runner.found(self.name)))
        self.store.save(record)
        return self.go_on(record) if self.wait else record

    def go_on(self, record: Deployment) -> Deployment:
        """Wait for what was started, and see that it answers."""
        self._await(record)
        self._smoke_test(record)
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

    def _new(self) -> Deployment:
        plan = self.plan
        planned = _planned(plan)
        hourly = plan.cost.hourly_usd if plan.cost else None
        return Deployment(
            name=plan.deployment,
            spec_name=plan.spec_name,
            spec_digest=plan.spec_digest,
            target=plan.target,
            provider=plan.provider,
            engine=plan.sizing.engine if plan.sizing else "unknown",
            model=plan.spec_name,
            started_at=self.now(),
            planned=planned,
            usd_per_hour=None if hourly is None else str(hourly),
            served=_served(plan),
        )

    def _await(self, record: Deployment) -> None:
        until = time.monotonic() + self.limit_s
        while not self._healthy(record):
            if not self.runner.alive(self.name):
                raise self._failure("the engine ended before it was healthy")
            if time.monotonic() > until:
                raise self._failure(f"the engine was not healthy within {self.limit_s:.0f} s")
            time.sleep(LOOK_S)
        self.say(f"healthy: {record.endpoint}")

    def _smoke_test(self, record: Deployment) -> None:
        """Ask for a short completion with the key, and be refused without it."""
        endpoint = _endpoint(record, self.store)
        if record.route == "chat":
            self._ask(endpoint, record)
        elif not openai_http.accepts(endpoint):  # nobody knows what its /predict takes
            raise EngineError("the endpoint refuses its own API key", where=endpoint.url)
        if openai_http.open_to_all(endpoint):
            raise EngineError("the endpoint answers without the API key", where=endpoint.url)
        self.say("it answers with its API key, and refuses without it")

    def _ask(self, endpoint: Endpoint, record: Deployment) -> None:
        question = [{"role": "user", "content": "Say hello."}]
        for _ in openai_http.chat(endpoint, record.model, question, max_tokens=8):
            pass

    def _healthy(self, record: Deployment) -> bool:
        return openai_http.healthy(_endpoint(record, self.store), engine(record.engine).health_path)

    def _failure(self, what: str) -> EngineError:
        folder = self.store.folder(self.name)
        lines = list(self.runner.logs(self.name, follow=False, tail=LAST_WORDS))
        words = "".join(f"\n    {line}" for line in lines)
        return EngineError(
            f"{what}; it said last:{words}" if words else what,
            hint="correct what it complains about, then run 'deployer up' again",
            where=str(next(folder.glob("*.log"), folder)),
        )

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


def _endpoint(record: Deployment, store: Store) -> Endpoint:
    return Endpoint(record.endpoint or "", store.key(record.name))


def _served(plan: Plan) -> dict[str, Any]:
    """What measurements of it will be of, and the load that is asked of it."""
    if plan.sizing is None or plan.offer is None:
        return {}
    sizing = plan.sizing
    return asdict(Served.by(plan.model, sizing, plan.offer)) | {
        "context": sizing.context,
        "concurrency": sizing.concurrency,
        "input_tokens": sizing.input_tokens,
        "output_tokens": sizing.output_tokens,
    }


def _planned(plan: Plan) -> list[Mapping[str, Any]]:
    """The plan's resources as plain data, as the record keeps them."""
    plain = [{k: v for k, v in asdict(r).items() if k != "action"} for r in plan.resources]
    read_back: list[Mapping[str, Any]] = json.loads(json.dumps(plain))
    return read_back


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
