"""Look after a serverless deployment: how it is, its log, its rest, its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from deployer.core.deployment import Deployment
from deployer.core.errors import UsageError
from deployer.providers.inventory import Inventory
from deployer.providers.managers import Say
from deployer.running.endpoints.hourly import Hourly
from deployer.running.endpoints.service import Seen, Service
from deployer.running.stack.manager import StackManager

THERE = ("starting", "healthy", "unhealthy")


class EndpointManager(StackManager):
    """Fulfils `deployer.providers.managers.Manager`, `.SupportsLookup` and `.ReportsStatus`; `service` makes one in a region; None is the user's own."""

    def __init__(
        self,
        provider: Any,
        home: Path,
        say: Say = lambda _: None,
        *,
        service: Callable[[str | None], Service],
    ) -> None:
        super().__init__(provider, home, say)
        self._service = service
        self._seen: dict[str, Seen | None] = {}

    def service(self, deployment: str, region: str | None = None) -> Service:
        """The service in a region: as given, else that of the deployment's record, else the user's own."""
        record = self.record(deployment)
        return self._service(region or self.region or (record.region if record else None))

    def things(self, deployment: str) -> Inventory:
        """What exists of it."""
        return self.service(deployment).things(deployment)

    def seen(self, deployment: str) -> Seen | None:
        """How it is now; None: it is not there."""
        return self.service(deployment).seen(deployment)

    def told(self, record: Deployment) -> tuple[str, bool | None]:
        """How it is, and whether it is awake, without waking it."""
        now = self.seen(record.name)
        return ("failed", None) if now is None else (now.state, now.awake)

    def alive(self, deployment: str) -> bool:
        """Whether it can be called, or will soon."""
        now = self.seen(deployment)
        return now is not None and now.state in THERE

    def endpoint(self, record: Deployment) -> str | None:
        """Where it answers: an address keeps as long as what has it."""
        return record.endpoint

    def logs(self, deployment: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        """The lines of its log."""
        yield from self.service(deployment).logs(deployment, follow=follow, tail=tail)

    def rest(self, deployment: str) -> None:
        """Put it to rest, so that nobody's call wakes it.

        Raises:
            UsageError: it rests by itself and knows no other rest.
        """
        if not self.service(deployment).rest(deployment):
            record = self.record(deployment)
            asleep = f"{Hourly.of(record).asleep}; " if record else ""
            raise UsageError(
                f"{deployment} sleeps by itself and cannot be paused",
                hint=f"{asleep}'deployer down {deployment}' removes it",
            )
