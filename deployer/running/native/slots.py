"""Where the files of a deployment's runs lie: two may run at once, while one takes the other's place.

The first run has the deployment's own folder, each later one `run-1` or `run-2` in it. `current` names the one that
serves; `coming.json` the one that is to take its place, with the port that it takes over.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from deployer.core.cache import UNREADABLE
from deployer.core.files import read_own, write_private

LATER = ("run-1", "run-2")
CURRENT, COMING = "current", "coming.json"
FILES = ("engine.json", "run.json", "supervisor.json")
"""What a run keeps besides its log."""


@dataclass(frozen=True)
class Coming:
    """A run that is to take another's place.

    `port` is its own; `front` the port that it takes over when the other one ends, None: it is asked at its own.
    `kept` says whether the other one goes on until then; if not, it is started again when this one fails.
    """

    slot: str
    port: int
    front: int | None
    kept: bool


@dataclass(frozen=True)
class Slots:
    """The runs of one deployment, by its folder."""

    folder: Path

    @property
    def current(self) -> Path:
        """Where the run that serves lies."""
        with suppress(*UNREADABLE):
            name = read_own(self.folder / CURRENT).strip()
            if name in LATER:
                return self.folder / name
        return self.folder

    @property
    def coming(self) -> Coming | None:
        """The run that is to take its place, if there is one."""
        try:
            return Coming(**json.loads(read_own(self.folder / COMING)))
        except UNREADABLE:
            return None

    @property
    def newest(self) -> Path:
        """Where the run that was started last lies."""
        coming = self.coming
        return self.folder / coming.slot if coming else self.current

    def free(self) -> Path:
        """Return the place for the next run, emptied."""
        name = next(one for one in LATER if self.folder / one != self.current)
        shutil.rmtree(self.folder / name, ignore_errors=True)
        return self.folder / name

    def announce(self, coming: Coming) -> None:
        """Write down that a run is to take the place of the one that serves."""
        write_private(self.folder / COMING, json.dumps(asdict(coming)))

    def promote(self) -> None:
        """Let the coming run be the one that serves; of the other one its log stays."""
        coming, before = self.coming, self.current
        if coming is None:
            return
        write_private(self.folder / CURRENT, coming.slot)
        self.withdraw()
        for name in FILES:
            (before / name).unlink(missing_ok=True)

    def withdraw(self) -> None:
        """Let the run that serves stay; of the coming one its log stays."""
        (self.folder / COMING).unlink(missing_ok=True)

    def clear(self) -> None:
        """Forget all runs, for one that begins anew."""
        self.withdraw()
        (self.folder / CURRENT).unlink(missing_ok=True)
        for name in LATER:
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def every(self) -> Iterator[Path]:
        """Every place where a run may lie."""
        yield self.folder
        yield from (self.folder / name for name in LATER)
