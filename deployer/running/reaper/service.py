"""The reaper as a command or a service uses it: look once, act, and again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from deployer.core.errors import DeployerError, PrerequisiteError
from deployer.planning import catalog
from deployer.running.reaper import actions
from deployer.running.reaper.actions import Outcome, Verb
from deployer.running.reaper.survey import Asked, Survey, survey
from deployer.running.store import Store
from stacks._aws import expiry
from stacks._aws.session import Clients, Session
from stacks._aws.sweep import ClientsOf, Gap, regions

HOME_REGION = "us-east-1"
"""Where the other regions are asked for when nothing says where."""


@dataclass(frozen=True)
class Round:
    """One look, what was to be ended, and what became of that."""

    survey: Survey
    chosen: Sequence[Any]
    outcomes: Sequence[Outcome] = ()
    gaps: Sequence[Gap] = ()

    @property
    def whole(self) -> bool:
        """Whether everything was seen, and everything that was to be ended was."""
        failed = any(one.done == "failed" for one in self.outcomes)
        return not (failed or self.survey.gaps or self.gaps)


class Clientele:
    """The clients of each region, made once."""

    def __init__(self) -> None:
        self._known: dict[str, Clients] = {}

    def __call__(self, region: str) -> Clients:
        """Return those of a region."""
        return self._known.setdefault(region, Session(region))


@dataclass(frozen=True)
class Reaper:
    """Looks and acts, with the records and prices under one home folder."""

    home: Path
    clock: Callable[[], float]
    clients_of: ClientsOf = field(default_factory=Clientele)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def look(self, names: Sequence[str], idle_for_s: float | None = None) -> tuple[Survey, Asked]:
        """Look at everything in some regions, or (none named) in all that the account has enabled.

        Raises:
            PrerequisiteError: credentials or network are missing.
            RemoteError: AWS failed.
        """
        prices = catalog.load(self.home / "catalog")
        asked, gaps = self._regions(names, prices.regions("aws"))
        asked = replace(asked, idle_for_s=idle_for_s)
        recorded = frozenset(Store(self.home).names())
        found = survey(self.clients_of, asked, prices, recorded, self.clock())
        return replace(found, gaps=[*gaps, *found.gaps]), asked

    def round(
        self,
        names: Sequence[str],
        verb: Verb,
        idle_for_s: float | None,
        agreed: Callable[[Round], bool],
    ) -> Round:
        """Look, ask whether what was found may be ended, and end it after a second look."""
        found, asked = self.look(names, idle_for_s)
        proposed = Round(found, actions.chosen(found.machines, verb))
        if not proposed.chosen or not agreed(proposed):
            return proposed
        done, gaps = actions.act(self.clients_of, proposed.chosen, verb, asked, self.clock)
        return replace(proposed, outcomes=done, gaps=gaps)

    def extend(self, deployment: str, for_s: float, names: Sequence[str]) -> dict[str, str]:
        """Let a deployment live so long from now; return the new time by region.

        Raises:
            UsageError: it has no machine in any of the regions.
            PrerequisiteError: credentials, permission or network are missing.
            RemoteError: AWS failed.
        """
        asked, _ = self._regions(names, catalog.load(self.home / "catalog").regions("aws"))
        until = self.clock() + for_s
        held: dict[str, str] = {}
        refused: list[DeployerError] = []
        for region in asked.regions:
            try:
                at = expiry.extend(self.clients_of(region), deployment, until)
            except DeployerError as error:
                refused.append(error)
                continue
            if at is not None:
                held[region] = at
        if not held:
            raise refused[0] if refused else expiry.nowhere(deployment)
        return held

    def _regions(self, names: Sequence[str], known: Sequence[str]) -> tuple[Asked, list[Gap]]:
        """Name the regions to ask. Who may not list them is asked about those that have prices."""
        if names:
            return Asked(tuple(dict.fromkeys(names)), everywhere=False), []
        home = (
            self.environ.get("AWS_REGION") or self.environ.get("AWS_DEFAULT_REGION") or HOME_REGION
        )
        try:
            return Asked(tuple(regions(self.clients_of(home)))), []
        except PrerequisiteError as error:
            if "DescribeRegions" not in error.message:
                raise
            gap = Gap(home, f"{error.message}; the regions that have prices were asked")
            return Asked(tuple(known)), [gap]
