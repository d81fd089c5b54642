"""What this machine has: NVIDIA GPUs by NVML (or nvidia-smi), an Apple chip by sysctl. An edge.

Without an NVIDIA driver nothing is loaded or started: a missing /dev/nvidiactl says it all.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

from deployer.core.domain import MIB
from deployer.providers.api import HostGpu

NVIDIA = Path("/dev/nvidiactl")
WSL = Path("/usr/lib/wsl/lib/libnvidia-ml.so.1")
QUERY = "--query-gpu=name,memory.total,memory.free"
LIMIT_S = 10


def gpus() -> tuple[HostGpu, ...]:
    """Return this machine's GPUs, or its unified-memory chip; none where there is none to be found."""
    if sys.platform == "darwin":
        return _apple()
    return nvidia() if has_nvidia() else ()


def has_nvidia() -> bool:
    """Whether an NVIDIA driver is loaded."""
    return NVIDIA.exists() or WSL.exists()


def nvidia() -> tuple[HostGpu, ...]:
    """Ask the NVIDIA driver, by its library if `nvidia-ml-py` is installed, else by nvidia-smi."""
    try:
        return tuple(_nvml())
    except Exception:  # noqa: BLE001 - not installed, or a driver that does not answer: the tool may
        return tuple(parsed(_said("nvidia-smi", QUERY, "--format=csv,noheader,nounits")))


def _nvml() -> Iterator[HostGpu]:
    nvml = importlib.import_module("pynvml")
    nvml.nvmlInit()
    try:
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            name = nvml.nvmlDeviceGetName(handle)
            yield HostGpu(str(name), memory.total // MIB, memory.free // MIB)
    finally:
        nvml.nvmlShutdown()


def parsed(text: str) -> Iterator[HostGpu]:
    """Read nvidia-smi's lines: `NVIDIA L4, 23034, 22563`, in MiB. What is no such line is left out."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == 3 and cells[1].isdigit():
            free = int(cells[2]) if cells[2].isdigit() else None
            yield HostGpu(cells[0], int(cells[1]), free)


def _apple() -> tuple[HostGpu, ...]:
    chip = _said("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string").strip()
    memory = _said("/usr/sbin/sysctl", "-n", "hw.memsize").strip()
    if not chip.startswith("Apple") or not memory.isdigit():
        return ()
    return (HostGpu(chip, int(memory) // MIB),)


def _said(tool: str, *arguments: str) -> str:
    """What a tool prints; nothing when it is not there or fails."""
    import shutil  # late, both: a machine without a GPU starts no tool
    import subprocess

    path = shutil.which(tool)
    if path is None:
        return ""
    try:
        done = subprocess.run(
            [path, *arguments], capture_output=True, text=True, check=False, timeout=LIMIT_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
