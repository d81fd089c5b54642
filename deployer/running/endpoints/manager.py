"""Look after a serverless deployment: how it is, its log, its rest, its end."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deployer.core.deployment import Deployment
from deployer.core.errors import PrerequisiteError, UsageError
from deployer.providers.api import Say
from deployer.running.aws.manager import DEFAULT_REGION
from deployer.running.aws.session import Session
from deployer.running.endpoints.service import Seen, Service, services
from deployer.running.inventory import Things
from deployer.running.stack.manager import StackKeeper

THERE = ("starting", "healthy", "unhealthy")


class ServedKeeper(StackKeeper):
    """Fulfils `deployer.providers.api.Keeper`, `.Finder` and `.Teller`; `made` is where a test puts its own services."""

    def __init__(
        self,
        provider: Any,
        home: Path,
        say: Say = lambda _: None,
        made: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(provider, home, say)
        self._services = services() if made is None else made
        self._seen: dict[str, Seen | None] = {}

    def service(self, deployment: str, region: str | None = None) -> Service:
        """The service in a region: as given, else that of the deployment's record, else the user's own.

        Raises:
            PrerequisiteError: it is not known how to speak to it.
        """
        make = self._services.get(self.provider.NAME)
        if make is None:
            raise PrerequisiteError(
                f"applying serverless with {self.provider.NAME} is not part of this version yet",
                hint=f"what can be applied: {', '.join(self._services)}",
            )
        record = self.record(deployment)
        known = region or (record.region if record else None) or os.environ.get("AWS_REGION")
        made: Service = make(Session(known or DEFAULT_REGION))
        return made

    def things(self, deployment: str) -> Things:
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
            raise UsageError(
                f"{deployment} sleeps by itself and cannot be paused",
                hint=f"it costs nothing but storage while nobody calls it; 'deployer down {deployment}' removes it",
            )
