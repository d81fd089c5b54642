"""AMD's GPUs: by amd-smi, else rocm-smi, else what the kernel's driver shows in /sys. An edge.

Without the compute driver (/dev/kfd) nothing is started. Formats: AMD SMI 24 to 26 (`amd-smi static --asic --vram
--json`), ROCm SMI 5 to 7 (`rocm-smi --showproductname --showmeminfo vram --json`), the amdgpu driver's sysfs files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from deployer.core.domain import MIB
from deployer.providers.api import HostGpu

KFD = Path("/dev/kfd")
CARDS = Path("/sys/class/drm")
VENDOR = "0x1002"
"""AMD's number among the makers of PCI devices."""
LIMIT_S = 10
UNITS = {"B": 1 / MIB, "KB": 1 / 1024, "MB": 1.0, "GB": 1024.0}
"""What AMD's tools write, as MiB: their MB are MiB."""


def find() -> tuple[HostGpu, ...]:
    """Return this machine's AMD GPUs; none without their compute driver."""
    if not KFD.exists():
        return ()
    by_new = tuple(by_amd_smi(said("amd-smi", "static", "--asic", "--vram", "--json")))
    if by_new:
        return by_new
    asked = ("--showproductname", "--showmeminfo", "vram", "--json")
    return tuple(by_rocm_smi(said("rocm-smi", *asked))) or tuple(by_kernel(CARDS))


def by_amd_smi(text: str) -> Iterator[HostGpu]:
    """Read what amd-smi says: one object for each GPU, in a list or under `gpu_data`."""
    told = _json(text)
    rows = told.get("gpu_data") if isinstance(told, Mapping) else told
    for row in rows if isinstance(rows, list) else ():
        with suppress(KeyError, TypeError, ValueError):
            size = row["vram"]["size"]
            mib = round(float(size["value"]) * UNITS[str(size["unit"]).upper()])
            yield HostGpu(str(row["asic"]["market_name"]), mib)


def by_rocm_smi(text: str) -> Iterator[HostGpu]:
    """Read what rocm-smi says: `card0`, `card1`, ... with bytes as text."""
    told = _json(text)
    for card in told.values() if isinstance(told, Mapping) else ():
        with suppress(KeyError, TypeError, ValueError):
            low = {str(key).lower(): value for key, value in card.items()}
            total = int(low["vram total memory (b)"])
            used = low.get("vram total used memory (b)")
            name = str(low.get("card series") or low.get("card model"))
            free = None if used is None else (total - int(used)) // MIB
            yield HostGpu(name, total // MIB, free)


def by_kernel(cards: Path) -> Iterator[HostGpu]:
    """Read the driver's own files: memory in bytes; the name stands in few of them."""
    for device in sorted(cards.glob("card[0-9]*/device")):
        with suppress(OSError, ValueError):
            if (device / "vendor").read_text().strip() != VENDOR:
                continue
            total = int((device / "mem_info_vram_total").read_text())
            used = int((device / "mem_info_vram_used").read_text())
            named = device / "product_name"
            name = named.read_text().strip() if named.exists() else ""
            chip = (device / "device").read_text().strip()
            name = name or f"AMD GPU {chip}"
            yield HostGpu(name, total // MIB, (total - used) // MIB)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def said(tool: str, *arguments: str) -> str:
    """Return what a tool prints; nothing when it is not there or fails."""
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
