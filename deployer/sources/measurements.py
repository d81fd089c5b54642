"""Where measurements are kept: one JSON file each, under `<home>/measurements/`. An edge."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from deployer import __version__
from deployer.core.cache import UNREADABLE
from deployer.core.deployment import Deployment
from deployer.core.files import read_own, remove_own, write_private
from deployer.providers import registry

if TYPE_CHECKING:
    from deployer.planning.measured import Measurement

MOST = 1000
"""How many are kept; the oldest make room."""
LONGEST_FILE = 2**20


def keep(home: Path, measurement: Measurement) -> Path:
    """Keep a measurement and return its file.

    Raises:
        PrerequisiteError: the disk is full or may not be written to.
    """
    folder = home / "measurements"
    stamp = re.sub(r"[^0-9T]", "", measurement.at[:19])
    import secrets  # late: hashing costs a plan 8 ms

    from deployer.planning.measured import plain

    name = f"{stamp}-{measurement.deployment or 'url'}-{secrets.token_hex(4)}.json"
    write_private(folder / name, json.dumps({"schema": 1, **plain(measurement)}, indent=2))
    for old in _files(home)[:-MOST]:
        with suppress(OSError):
            remove_own(old)
    return folder / name


def kept(home: Path) -> tuple[Measurement, ...]:
    """Return every measurement that can be read, oldest first; a damaged file counts for nothing."""
    return tuple(_read_all(home))


def _files(home: Path) -> list[Path]:
    return sorted((home / "measurements").glob("[0-9]*.json"))


def _read_all(home: Path) -> Iterator[Measurement]:
    files = _files(home)
    if not files:
        return
    from deployer.planning.measured import read

    for file in files:
        try:
            found = read(json.loads(read_own(file, LONGEST_FILE)))
        except UNREADABLE:
            continue
        if found is not None:
            yield found


def learn(home: Path, record: Deployment, log: Iterator[str], at: str) -> Measurement | None:
    """Read what an engine said of itself when it started, and keep it; None where it says nothing.

    Raises:
        PrerequisiteError: the disk is full or may not be written to.
    """
    read_start = registry.engine_of(record.target, record.provider, record.engine).read_start
    if read_start is None:
        return None
    said = read_start(log)
    tokens = said.get("kv_capacity_tokens")
    if not tokens:
        return None
    from deployer.planning.measured import Measurement, Served

    made = Measurement(
        at=at,
        source=f"{record.engine}'s start-up log",
        version=__version__,
        served=Served.of(record.served),
        deployment=record.name,
        spec_digest=record.spec_digest,
        context=record.served.get("context"),
        kv_capacity_tokens=int(tokens),
        engine_said=said,
    )
    keep(home, made)
    return made
