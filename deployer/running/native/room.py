"""Whether this machine has room for two runs of a deployment at once."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

HARDWARE, PROCESS = "local:index:Hardware", "local:index:Process"
SPARE = 1.2
"""How much more than what is known of must be free: an estimate, for what an engine takes besides its weights."""


def for_two(running: Iterable[psutil.Process], resources: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether the engine of `resources` fits beside what runs. Estimated.

    On a GPU with memory of its own it does not: engines take most of that. Elsewhere as much memory must be
    available as the running one holds, or as the files of the new one's model have.
    """
    inputs = {r["type"]: r["inputs"] for r in resources}
    has_gpu = inputs.get(HARDWARE, {}).get("gpu") is not None
    if has_gpu and sys.platform != "darwin":
        return False
    needed = max(sum(map(_held, running)), _size(inputs[PROCESS].get("model")))
    return bool(needed * SPARE < psutil.virtual_memory().available)


def _held(process: psutil.Process) -> int:
    with suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def _size(model: str | None) -> int:
    """The bytes of a model's files; 0 for one that is not on this machine yet."""
    if model is None:
        return 0
    path = Path(model)
    files = (f for f in path.rglob("*") if f.is_file()) if path.is_dir() else (path,)
    with suppress(OSError):
        return sum(f.stat().st_size for f in files)
    return 0
