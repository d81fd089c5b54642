"""A serverless service while a plan is applied to it: granted before, asked once afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from deployer.core.deployment import Deployment
from deployer.core.errors import RemoteError
from deployer.providers.inventory import Inventory, ours
from deployer.running import health
from deployer.running.endpoints.manager import EndpointManager
from deployer.running.endpoints.service import Service
from deployer.running.gateway.backend import backend_of, needs_gateway
from deployer.running.stack.request import ApplyRequest

if TYPE_CHECKING:
    from deployer.core.domain import Estimate
    from deployer.running.stack.config import Config

READY_S = 1800.0
LOOK_S = 3.0
HELLO = {"role": "user", "content": "Say hello."}
ANSWER_TOKENS = 8


@dataclass(frozen=True)
class EndpointDriver:
    """Fulfils `deployer.running.stack.driver.Driver`."""

    request: ApplyRequest
    manager: EndpointManager

    @property
    def service(self) -> Service:
        """The service in the plan's region."""
        return self.manager.service(self.request.name, self.request.plan.inputs["region"])

    @property
    def things(self) -> Inventory:
        """See `Driver`."""
        return self.service.things(self.request.name)

    def preflight(self) -> Config:
        """See `Driver`."""
        from deployer.running.stack.config import Config

        self.service.check(self.request.plan, self.request.say)
        return Config(account=self.things.account)

    def select_zone(self, state: Mapping[str, Any], config: Config) -> None:
        """See `Driver`: nothing to decide."""

    def is_healthy(self, record: Deployment) -> bool:
        """See `Driver`: it can be called, asleep or not. It is not asked, which would wake it."""
        now = self.service.seen(record.name)
        return now is not None and now.state == "healthy"

    def create(self, attempt: Callable[[], None], config: Config) -> None:  # noqa: ARG002 - one attempt
        """See `Driver`."""
        attempt()

    def resume(self, record: Deployment) -> None:
        """See `Driver`: what was paused."""
        self.service.wake(record.name, self.request.say)

    def record(self, record: Deployment, bill: Callable[[], Estimate]) -> Deployment:
        """See `Driver`: with the price of an hour awake, now that the size of it is known."""
        hourly = bill().hourly_usd
        return replace(
            record,
            usd_per_hour=record.usd_per_hour if hourly is None else str(hourly),
            resources=tuple(one.plain for one in ours(self.things.found())),
        )

    def verify(self, record: Deployment) -> None:
        """See `Driver`: through the service's own API, or at its own OpenAI route."""
        if needs_gateway(record, self.request.provider):
            self._asked_through_backend(record)
            return
        self._awaited(record)
        health.smoke_test(record, self.request.store, self.request.say)

    def _asked_through_backend(self, record: Deployment) -> None:
        from deployer.running.gateway.chat import chat

        backend: Any = backend_of(record, self.request.provider)
        if self.request.limit_s is not None:
            backend = replace(backend, limit_s=self.request.limit_s)
        self.request.say(f"asking {record.name}; a cold model takes a while to wake")
        for _ in chat(backend, [HELLO], ANSWER_TOKENS, self.request.say):
            pass
        self.request.say("it answers through its own API with your credentials")

    def _awaited(self, record: Deployment) -> None:
        limit = self.request.limit_s or READY_S
        until = time.monotonic() + limit
        while not health.healthy(record, self.request.store):
            now = self.service.seen(record.name)
            if now is None or now.state == "failed":
                why = (now.reason if now else None) or "it gives no reason"
                raise RemoteError(
                    f"{record.name} ended before it answered: {why}",
                    hint=f"'deployer logs {record.name}' shows its last output; 'deployer up' tries again",
                )
            if time.monotonic() > until:
                raise RemoteError(
                    f"it did not answer within {limit:.0f} s",
                    hint=f"'deployer logs {record.name}' shows why; 'deployer down {record.name}' removes it",
                )
            time.sleep(LOOK_S)
        self.request.say(f"healthy: {record.endpoint}")
