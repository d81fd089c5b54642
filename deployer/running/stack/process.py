"""The note of Pulumi's own process, by which a run that was killed is found."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


PID_FILE = "engine.pid"


def note_process(work: Path, pid: int) -> None:
    """Write down which engine is at work here, for the run after one that is killed."""
    import psutil

    with suppress(OSError, psutil.Error):
        started = psutil.Process(pid).create_time()
        (work / PID_FILE).write_text(json.dumps({"pid": pid, "started": started}))


def is_alive(pid: int) -> bool:
    """Whether a process runs, of whoever it is."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False
