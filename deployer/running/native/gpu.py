"""What the NVIDIA driver says of processes."""

from __future__ import annotations

import subprocess
from collections.abc import Collection

LOOK_S = 5.0
QUERY = ("nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits")


def memory_of(pids: Collection[int]) -> int | None:
    """Return the GPU memory that some processes hold together, in MiB; None where it cannot be known."""
    try:
        done = subprocess.run(QUERY, capture_output=True, text=True, timeout=LOOK_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return sum_of(done.stdout, pids)


def sum_of(said: str, pids: Collection[int]) -> int | None:
    """Add up the lines `PID, MIB` of some processes. A figure that the driver does not have is None."""
    total = 0
    for line in said.splitlines():
        pid, _, mib = line.partition(",")
        if pid.strip().isdigit() and int(pid) in pids:
            if not mib.strip().isdigit():
                return None
            total += int(mib)
    return total
