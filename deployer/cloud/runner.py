"""Look after a deployment on AWS: what is there, where it answers, its log, its end."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from deployer.cloud import logs, removal, search
from deployer.cloud.search import Found
from deployer.cloud.session import Clients, Session
from deployer.errors import DeployerError, PrerequisiteError
from deployer.state import Deployment, Store
from deployer.target import Say

if TYPE_CHECKING:
    from deployer.cloud.recovery import Scene

DEFAULT_REGION = "us-east-1"


class CloudKeeper:
    """Fulfils `deployer.target.Keeper` for every provider that has a Pulumi program."""

    def __init__(self, provider: Any, home: Path, say: Say = lambda _: None) -> None:
        self.provider, self.store, self.say = provider, Store(home), say
        self._left: list[removal.Left] = []
        self._clients: dict[str, Clients] = {}
        self._scenes: dict[str, Scene] = {}

    def clients(self, deployment: str, region: str | None = None) -> Clients:
        """The API of a region: as given, else that of the deployment's record, else the user's own."""
        known = region or self._record_region(deployment) or os.environ.get("AWS_REGION")
        return self._clients.setdefault(known or DEFAULT_REGION, Session(known or DEFAULT_REGION))

    def _record_region(self, deployment: str) -> str | None:
        try:
            record = self.store.load(deployment)
        except DeployerError:
            return None
        return record.region if record else None

    def alive(self, deployment: str) -> bool:
        """Whether a machine of it runs or is on its way."""
        return any(_state(one) in ("pending", "running") for one in self.machines(deployment))

    def machines(self, deployment: str) -> list[Found]:
        """Its machines, resting ones too."""
        from deployer.cloud.session import understood

        with understood(f"list the instances of {deployment}"):
            return list(search.instances(self.clients(deployment), deployment))

    def found(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """What exists of it, by its tags."""
        return [one.plain for one in search.search(self.clients(deployment), deployment)]

    def logs(self, deployment: str, *, follow: bool, tail: int | None) -> Iterator[str]:
        """Its log group; while that is empty, the console of its machine."""
        clients = self.clients(deployment)
        machine = next((one.id for one in self.machines(deployment)), None)
        yield from logs.lines(clients, deployment, machine, follow=follow, tail=tail)

    def endpoint(self, record: Deployment) -> str | None:
        """Where it answers now: a machine that was stopped and started has a new address."""
        return moved(record, self.machines(record.name))

    def stop(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """Remove it: what the engine's state knows, then whatever else carries its tag."""
        removed = self._destroyed(deployment)
        clients = self.clients(deployment)
        rest, self._left = removal.remove(clients, search.search(clients, deployment), self.say)
        if not self._left:
            self._forget_stack(deployment)
        return [*removed, *(one.plain for one in rest)]

    def why(self, kind: str, identity: str) -> str | None:
        """Why the last `stop` left something there."""
        named = (
            one.why for one in self._left if (one.found.type, one.found.id) == (kind, identity)
        )
        return next(named, None)

    def _destroyed(self, deployment: str) -> list[Mapping[str, str]]:
        if not (self.store.home / "pulumi" / "work" / deployment).exists():
            return []
        try:
            scene = self.scene(deployment)
        except PrerequisiteError as error:
            self.say(f"{error.message}: going by the tags alone")
            return []
        return self._by_engine(scene)

    def _by_engine(self, scene: Scene) -> list[Mapping[str, str]]:
        """What the engine removed. Its failures are said: the search by tags comes after it."""
        from deployer.cloud import recovery
        from deployer.cloud.progress import Progress
        from deployer.errors import StaleError

        progress = Progress(self.say)
        try:
            recovery.tidy(scene, ours=True, ending=True)
            recovery.guarded(scene.name, lambda: scene.engine.destroy(progress), progress.errors)
        except (PrerequisiteError, StaleError):
            raise
        except DeployerError as error:
            self.say(f"{error.message}: what is left is looked for by its tags")
        return list(progress.removed)

    def scene(self, deployment: str) -> Scene:
        """The deployment's stack, opened without a program, once."""
        if deployment not in self._scenes:
            self._scenes[deployment] = self._opened(deployment)
        return self._scenes[deployment]

    def _opened(self, deployment: str) -> Scene:
        from deployer.cloud import engine, pulumi_cli, settings
        from deployer.cloud.recovery import Scene

        record = self.store.load(deployment) if self._readable(deployment) else None
        at = settings.settings(self.store.home, deployment, record.state if record else None)
        opened = engine.opened(pulumi_cli.find(self.say), at, lambda: None, self.say)
        return Scene(deployment, opened, self.clients(deployment), at.work, at.locks, self.say)

    def _readable(self, deployment: str) -> bool:
        try:
            return self.store.load(deployment) is not None
        except DeployerError:
            return False

    def _forget_stack(self, deployment: str) -> None:
        work = self.store.home / "pulumi" / "work" / deployment
        if not work.exists():
            return
        try:
            self.scene(deployment).engine.remove()
        except Exception as error:  # noqa: BLE001 - nothing is left that it could stand for
            self.say(f"the engine keeps an empty stack: {error}")
        shutil.rmtree(work, ignore_errors=True)


def _state(one: Found) -> str:
    return str(one.details.get("State", {}).get("Name", ""))


def moved(record: Deployment, machines: Sequence[Found]) -> str | None:
    """A record's endpoint with the address that its one machine has now; a name or a fleet's stays as it is.

    A machine that rests has no address: an endpoint that was noted then has none either.
    """
    if record.endpoint is None or not record.outputs.get("instance_id"):
        return record.endpoint
    parts = urlsplit(record.endpoint)
    addresses = [one.details.get("PublicIpAddress") for one in machines]
    now = next((a for a in addresses if a), None)
    named = (parts.hostname or "0").replace(".", "")
    if now is None or not named.isdigit():
        return record.endpoint
    place = now if parts.port is None else f"{now}:{parts.port}"
    return urlunsplit(parts._replace(netloc=place))
