"""Wait for an engine that loads: say how far it is, and notice when it ends instead."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from deployer.core.deployment import Deployment
from deployer.core.domain import Plan
from deployer.core.errors import RemoteError
from deployer.providers.managers import ReportsDownload, Runner, Say
from deployer.running import health
from deployer.running.download_progress import Growth
from deployer.running.store import Store

FIRST_LOOK_S, LAST_LOOK_S = 0.01, 0.25
"""How often an engine is asked: the longer it loads, the less often (by a twentieth of that time)."""
ALIVE_S = 0.1
"""How often it is looked whether it still runs, which takes longer than to ask it."""
WORDS_S = 2.0
"""How often its newest line is shown while it loads: engines report there what they download."""
LAST_WORDS = 12
"""How many lines of the log are shown when an engine fails."""


@dataclass(frozen=True)
class Waiting:
    """For one deployment that a `Runner` has started."""

    plan: Plan
    store: Store
    runner: Runner
    say: Say
    limit_s: float

    @property
    def name(self) -> str:
        """The deployment's."""
        return self.plan.deployment

    def until_healthy(self, record: Deployment) -> None:
        """Wait until the engine says that it is.

        Raises:
            RemoteError: it ended, or took longer than `limit_s`; with its last words.
        """
        start = time.monotonic()
        said, shown, looked = "", start, 0.0
        weights = Growth(self.plan.model.weights_bytes)
        while not health.healthy(record, self.store):
            if time.monotonic() - looked > ALIVE_S:
                self._still_there()
                looked = time.monotonic()
            waited = time.monotonic() - start
            if waited > self.limit_s:
                raise self._failure(f"the engine was not healthy within {self.limit_s:.0f} s")
            if start + waited - shown > WORDS_S:
                shown = start + waited
                said = said if self._fetched(weights) else self._newest_line(said)
            time.sleep(min(max(FIRST_LOOK_S, waited / 20), LAST_LOOK_S))
        self.say(f"healthy: {record.endpoint}")

    def _still_there(self) -> None:
        if not self.runner.alive(self.name):
            raise self._failure("the engine ended before it was healthy")

    def _fetched(self, weights: Growth) -> bool:
        """Show how far the weights are, if they have come a step further."""
        held = (
            self.runner.cached_bytes(self.name)
            if isinstance(self.runner, ReportsDownload)
            else None
        )
        line = weights.line(held)
        if line:
            self.say(f"  {line}")
        return line is not None

    def _newest_line(self, before: str) -> str:
        """Show the newest line of the log (of a progress bar, its newest state) if it is another one."""
        for line in list(self.runner.logs(self.name, follow=False, tail=1)):
            newest = line.rstrip("\r").rpartition("\r")[2].strip()
            if newest and newest != before:
                self.say(f"  {newest}")
                return newest
        return before

    def _failure(self, what: str) -> RemoteError:
        folder = self.store.folder(self.name)
        lines = list(self.runner.logs(self.name, follow=False, tail=LAST_WORDS))
        words = "".join(f"\n    {line}" for line in lines)
        return RemoteError(
            f"{what}; its last output:{words}" if words else what,
            hint="correct what it complains about, then run 'deployer up' again",
            where=str(_newest_log(folder) or folder),
        )


def _newest_log(folder: Path) -> Path | None:
    """The log that was written to last: a run that takes another's place has its own."""
    return max(folder.rglob("*.log"), key=lambda file: file.stat().st_mtime, default=None)
