"""The reaper as a command or a service uses it: look once, act, and again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from deployer.core.deployment import Deployment
from deployer.core.errors import DeployerError, UsageError
from deployer.planning import catalog
from deployer.providers import registry
from deployer.providers.cloud import Cloud, Gap
from deployer.running.endpoints.hourly import Hourly
from deployer.running.reaper import actions
from deployer.running.reaper.actions import Outcome, Verb
from deployer.running.reaper.survey import Grounds, Survey, merged, survey
from deployer.running.reaper.verdicts import MachineVerdict
from deployer.running.store import Store

NO_CREDENTIALS = "there are no credentials to ask with"


@dataclass(frozen=True)
class Round:
    """One look, what was to be ended, and what became of that."""

    survey: Survey
    chosen: Sequence[MachineVerdict]
    outcomes: Sequence[Outcome] = ()
    gaps: Sequence[Gap] = ()

    @property
    def ended(self) -> frozenset[str]:
        """The ids of the machines that were destroyed."""
        return frozenset(one.machine.id for one in self.outcomes if one.done == "destroy")

    @property
    def whole(self) -> bool:
        """Whether everything was seen, and everything that was to be ended was."""
        failed = any(one.done == "failed" for one in self.outcomes)
        return not (failed or self.survey.gaps or self.gaps)


@dataclass(frozen=True)
class Reaper:
    """Looks and acts, with the records and prices under one home folder."""

    home: Path
    clock: Callable[[], float]
    clouds: Sequence[Cloud] = field(default_factory=registry.clouds)

    def look(self, named: Sequence[str], idle_for_s: float | None = None) -> Survey:
        """Look at everything in some scopes (regions), or (none named) in all that there are.

        Every cloud is asked that there are credentials for; one that cannot be asked is a gap.

        Raises:
            PrerequisiteError: no cloud could be asked: credentials or network are missing.
            RemoteError: no cloud could be asked: the first one failed.

        A record that cannot be read is a gap too, and then so is every cloud that could not be asked.
        """
        rates, store = catalog.load(self.home / "catalog"), Store(self.home)
        hourly = {one.name: Hourly.of(one) for one in _records(store)}
        grounds = Grounds(rates, frozenset(store.names()), self.clock(), idle_for_s, hourly)
        asked = self._asked()

        def seen(cloud: Cloud) -> Survey | DeployerError:
            try:
                scopes = cloud.scopes(tuple(dict.fromkeys(named)), rates.regions(cloud.name))
                return survey(cloud, scopes, grounds)
            except DeployerError as error:
                return error

        with ThreadPoolExecutor(max(1, len(asked))) as pool:
            answers = list(zip(asked, pool.map(seen, asked), strict=True))
        refusals = [one for _, one in answers if isinstance(one, DeployerError)]
        unread = list(_unread(store))
        if refusals and len(refusals) == len(answers) and not unread:
            raise refusals[0]
        surveys = [_survey_of(cloud, answer) for cloud, answer in answers]
        return merged([*surveys, *self._unasked(asked, named, store), Survey(gaps=unread)])

    def _asked(self) -> list[Cloud]:
        """Those that there are credentials for; when there are none at all, those that rent machines say so."""
        configured = [cloud for cloud in self.clouds if _may_answer(cloud)]
        return configured or [cloud for cloud in self.clouds if cloud.control]

    def _unasked(
        self, asked: Sequence[Cloud], named: Sequence[str], store: Store
    ) -> Iterator[Survey]:
        """What it means that a cloud is not asked: a gap where something of it is known, or may lie in what was named."""
        used, elsewhere = {one.provider for one in _records(store)}, set(named) - _regions(asked)
        for cloud in self.clouds:
            if cloud in asked:
                continue
            others = _regions([one for one in self.clouds if one is not cloud])
            meant = elsewhere - (others - _regions([cloud]))
            if cloud.control and (meant or used.intersection(cloud.providers)):
                yield Survey(gaps=[Gap(cloud.name, NO_CREDENTIALS)])
            else:
                yield Survey(unasked=[cloud.name])

    def round(
        self,
        named: Sequence[str],
        verb: Verb,
        idle_for_s: float | None,
        agreed: Callable[[Round], bool],
    ) -> Round:
        """Look, ask whether what was found may be ended, and end it after a second look."""
        found = self.look(named, idle_for_s)
        proposed = Round(found, actions.chosen(found.machines, verb))
        if not proposed.chosen or not agreed(proposed):
            return proposed
        lock = Store(self.home).lock
        done, gaps = actions.act(self.clouds, proposed.chosen, verb, idle_for_s, self.clock, lock)
        return replace(proposed, outcomes=done, gaps=gaps)

    def extend(self, deployment: str, for_s: float, named: Sequence[str]) -> dict[str, str]:
        """Let a deployment live so long from now; return the new time by scope.

        Raises:
            UsageError: it has no machine in any of the scopes.
            PrerequisiteError: credentials, permission or network are missing.
            RemoteError: the cloud failed.
        """
        until, rates = self.clock() + for_s, catalog.load(self.home / "catalog")
        held: dict[str, str] = {}
        refused: list[DeployerError] = []
        for cloud in self._asked():
            if cloud.expiry is None:
                continue
            try:
                scopes = cloud.scopes(named, rates.regions(cloud.name))
            except DeployerError as error:
                refused.append(error)
                continue
            for scope in scopes.names:
                try:
                    at = cloud.expiry.extend(scope, deployment, until)
                except DeployerError as error:
                    refused.append(error)
                else:
                    held |= {} if at is None else {scope: at}
        if not held:
            raise refused[0] if refused else _nowhere(deployment)
        return held


def _survey_of(cloud: Cloud, answer: Survey | DeployerError) -> Survey:
    if isinstance(answer, Survey):
        return answer
    return Survey(gaps=[Gap(cloud.name, answer.message)])


def _regions(clouds: Sequence[Cloud]) -> frozenset[str]:
    """The regions of the providers of some clouds."""
    wanted = {name for cloud in clouds for name in cloud.providers}
    where = (
        registry.provider(*one).regions for one in registry.every_provider() if one[1] in wanted
    )
    return frozenset(name for regions in where if regions for name in regions.countries)


def _may_answer(cloud: Cloud) -> bool:
    """Whether there is something to ask with; what cannot be read is told of by asking."""
    try:
        return cloud.configured()
    except DeployerError:
        return True


def _unread(store: Store) -> Iterator[Gap]:
    """The records that cannot be read: whether their clouds were asked is not known."""
    for name in store.names():
        try:
            store.load(name)
        except DeployerError as error:
            yield Gap(f"record of {name}", error.message)


def _records(store: Store) -> Iterator[Deployment]:
    """The deployments recorded here; a record that cannot be read is no reason not to look."""
    for name in store.names():
        with suppress(DeployerError):
            record = store.load(name)
            if record is not None:
                yield record


def _nowhere(deployment: str) -> UsageError:
    return UsageError(
        f"no machine of '{deployment}' was found",
        hint="'deployer idle' lists what there is; 'deployer up' makes a new one",
    )
