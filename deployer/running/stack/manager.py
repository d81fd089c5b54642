"""What every deployment of a stack has in common once it is made: what there is of it, and its end."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deployer.core.deployment import Deployment
from deployer.core.errors import DeployerError, PrerequisiteError
from deployer.providers.inventory import Inventory, Left
from deployer.providers.managers import Say
from deployer.running.store import Store

if TYPE_CHECKING:
    from deployer.running.stack.recovery import Scene


class StackManager(ABC):
    """The part of `deployer.providers.managers.Manager` that goes by Pulumi's state and by what is found without it."""

    def __init__(self, provider: Any, home: Path, say: Say = lambda _: None) -> None:
        self.provider, self.store, self.say = provider, Store(home), say
        self._left: list[Left] = []
        self._scenes: dict[str, Scene] = {}

    @abstractmethod
    def things(self, deployment: str) -> Inventory:
        """What exists of a deployment."""

    def record(self, deployment: str) -> Deployment | None:
        """What is remembered of it, if that can be read."""
        try:
            return self.store.load(deployment)
        except DeployerError:
            return None

    def found(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """What exists of it, looked up."""
        return [one.plain for one in self.things(deployment).found()]

    def stop(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """Remove it: what Pulumi's state knows, then whatever else is found."""
        removed = self._destroyed(deployment)
        things = self.things(deployment)
        rest, self._left = things.remove(things.found(), self.say)
        if not self._left:
            self._forget_stack(deployment)
        return [*removed, *(one.plain for one in rest)]

    def why(self, kind: str, identity: str) -> str | None:
        """Why the last `stop` left something there."""
        named = (
            one.why for one in self._left if (one.found.type, one.found.id) == (kind, identity)
        )
        return next(named, None)

    def scene(self, deployment: str) -> Scene:
        """The deployment's stack, opened without a program, once."""
        if deployment not in self._scenes:
            self._scenes[deployment] = self._opened(deployment)
        return self._scenes[deployment]

    def _opened(self, deployment: str) -> Scene:
        from deployer.running.stack import engine, pulumi_cli, settings
        from deployer.running.stack.recovery import Scene, end_left_behind

        record = self.record(deployment)
        at = settings.settings(self.store.home, deployment, record.state if record else None)
        end_left_behind(at.work, self.say)
        opened = engine.opened(pulumi_cli.find(self.say), at, lambda: None, self.say)
        return Scene(
            deployment,
            opened,
            self.things(deployment),
            at.work,
            at.locks,
            self.say,
            explain=self.provider.explain,
        )

    def _destroyed(self, deployment: str) -> list[Mapping[str, str]]:
        if not (self.store.home / "pulumi" / "work" / deployment).exists():
            return []
        try:
            scene = self.scene(deployment)
        except PrerequisiteError as error:
            self.say(f"{error.message}: relying on a search of the provider alone")
            return []
        return self._by_engine(scene)

    def _by_engine(self, scene: Scene) -> list[Mapping[str, str]]:
        """What Pulumi removed. Its failures are said: the search comes after it."""
        from deployer.core.errors import StaleError
        from deployer.running.stack import recovery
        from deployer.running.stack.progress import Progress

        progress = Progress(self.say, self.provider.program)
        try:
            recovery.tidy(scene, ours=True, ending=True)
            recovery.guarded(
                scene.name,
                lambda: scene.engine.destroy(progress),
                progress.errors,
                scene.explain,
            )
        except (PrerequisiteError, StaleError):
            raise
        except DeployerError as error:
            self.say(f"{error.message}: searching for what is left without Pulumi")
        return list(progress.removed)

    def _forget_stack(self, deployment: str) -> None:
        work = self.store.home / "pulumi" / "work" / deployment
        if not work.exists():
            return
        try:
            self.scene(deployment).engine.remove()
        except Exception as error:  # noqa: BLE001 - nothing is left that it could stand for
            self.say(f"Pulumi keeps an empty stack: {error}")
        shutil.rmtree(work, ignore_errors=True)
