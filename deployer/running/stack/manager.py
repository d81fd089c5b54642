"""What every deployment of a stack has in common once it is made: what there is of it, and its end."""

from __future__ import annotations

import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from deployer.core.deployment import Deployment
from deployer.core.errors import DeployerError, PrerequisiteError, StaleError
from deployer.providers.inventory import Found, Inventory, Left, ours
from deployer.providers.managers import Say
from deployer.running.store import Store

if TYPE_CHECKING:
    from deployer.running.stack.recovery import Scene


class StackManager(ABC):
    """The part of `deployer.providers.managers.Manager` that goes by Pulumi's state and by what is found without it.

    Fulfils `KnowsOwners` and `LooksElsewhere` of `deployer.providers.inventory`. `region` and `state` go before what the
    record says.
    """

    def __init__(self, provider: Any, home: Path, say: Say = lambda _: None) -> None:
        self.provider, self.store, self.say = provider, Store(home), say
        self.region: str | None = None
        self.state: str | None = None
        self.begin()

    @abstractmethod
    def things(self, deployment: str) -> Inventory:
        """What exists of a deployment."""

    def record(self, deployment: str) -> Deployment | None:
        """What is remembered of it, if that can be read."""
        try:
            return self.store.load(deployment)
        except DeployerError:
            return None

    def elsewhere(self, region: str | None = None, state: str | None = None) -> Self:
        """Return the same manager, for another region or by another state."""
        made = copy(self)
        made.region, made.state = region or self.region, state or self.state
        made.begin()
        return made

    def begin(self) -> None:
        """Forget what was opened and what was left the last time."""
        self._left: list[Left] = []
        self._scenes: dict[str, Scene] = {}

    def claimed(self, deployment: str) -> Sequence[Found]:
        """What carries its tag or its name, whoever made it."""
        return self.things(deployment).found()

    def account_of(self, deployment: str) -> str | None:
        """The account in which it looks."""
        return self.things(deployment).account

    def found(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """What exists of it, looked up; not what only carries its tag."""
        return [one.plain for one in ours(self.claimed(deployment))]

    def stop(self, deployment: str) -> Sequence[Mapping[str, str]]:
        """Remove it: what Pulumi's state knows, then whatever else is found and was made by us."""
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
        from deployer.running.stack.recovery import Scene, end_left_behind, guarded

        at = settings.settings(self.store.home, deployment, self._address(deployment))
        end_left_behind(at.work, self.say)
        opened: list[engine.Engine] = []
        guarded(
            deployment,
            lambda: opened.append(
                engine.opened(pulumi_cli.find(self.say), at, lambda: None, self.say)
            ),
            (),
            self.provider.explain,
        )
        return Scene(
            deployment,
            opened[0],
            self.things(deployment),
            at.work,
            at.locks,
            self.say,
            explain=self.provider.explain,
        )

    def _address(self, deployment: str) -> str | None:
        """Where its state lies, if something says so."""
        record = self.record(deployment)
        return self.state or (record.state if record else None)

    def _is_shared(self, deployment: str) -> bool:
        """Whether others may be at work on it by the same state, wherever they are."""
        from deployer.running.stack import settings

        address = settings.backend_of(self.store.home, self._address(deployment), os.environ)
        return address != settings.own_backend(self.store.home)

    def _destroyed(self, deployment: str) -> list[Mapping[str, str]]:
        """What Pulumi removed of it. A state that others share must be opened: it says whether one is at work."""
        shared = self._is_shared(deployment)
        if not shared and not (self.store.home / "pulumi" / "work" / deployment).exists():
            return []
        try:
            scene = self.scene(deployment)
        except DeployerError as error:
            if shared:
                raise _unopened(deployment, error) from error
            self.say(f"{error.message}: relying on a search of the provider alone")
            return []
        return self._by_engine(scene)

    def _by_engine(self, scene: Scene) -> list[Mapping[str, str]]:
        """What Pulumi removed. Its failures are said: the search comes after it."""
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


def _unopened(deployment: str, error: DeployerError) -> DeployerError:
    """Return the error of a shared state that cannot be opened, so that nobody knows who is at work."""
    kind = StaleError if isinstance(error, StaleError) else PrerequisiteError
    return kind(
        f"the state of {deployment}, which others share, cannot be opened: {error.message}",
        hint=error.hint
        or "set DEPLOYER_STATE and PULUMI_CONFIG_PASSPHRASE as those do who share it",
    )
