"""What this machine has: NVIDIA GPUs by NVML (or nvidia-smi), AMD's (`amd_gpus`), an Apple chip by sysctl. An edge.

Without a driver nothing is loaded or started: a missing /dev/nvidiactl or /dev/kfd says it all.
A GPU in MIG mode serves by its instances alone: each of them counts, and not the GPU.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from deployer.core.domain import MIB
from deployer.core.errors import quoted
from deployer.providers.api import HostGpu
from deployer.sources import amd_gpus
from deployer.sources.amd_gpus import said

NVIDIA = Path("/dev/nvidiactl")
WSL = Path("/usr/lib/wsl/lib/libnvidia-ml.so.1")
QUERY = "--query-gpu=name,memory.total,memory.free"
MIG_QUERY = f"{QUERY},mig.mode.current"
FORMAT = "--format=csv,noheader,nounits"
NOTHING = ("[N/A]", "[Not Supported]", "N/A", "Not Supported")
"""What stands for the memory of a chip that has none of its own: that of a GB10 is the machine's."""
INTEGRATED = r"(?i)\b(GB10|GB20B|Orin|Thor|Xavier|Tegra|nvgpu|DGX Spark)\b"
"""Chips that share the memory of the machine; any other one that does not say its memory is out of order."""
SILENT = "its driver is loaded, and names no GPU that can be used"
NO_INSTANCES = "it is in MIG mode, and has no instances"
MIG_LINE = (
    r"\s+MIG (?P<profile>(?P<of_7>\d)g\.(?P<gb>\d+)gb\S*)\s+Device.*UUID: (?P<uuid>MIG-\S+)\)"
)
GPU_LINE = r"GPU \d+: (?P<name>.+) \(UUID: .+\)"
MIG_MIB_PER_GB = 972
"""What an instance of so many GB holds at least: a 1g.5gb has 4,864 MiB, a 3g.40gb 40,192 (NVIDIA's MIG user guide)."""
MIG_UNITS = 7
"""Compute units of a whole GPU."""


def gpus() -> tuple[HostGpu, ...]:
    """Return this machine's GPUs, or its unified-memory chip; none where there is none to be found."""
    if sys.platform == "darwin":
        return _apple()
    return (*(nvidia() if has_nvidia() else ()), *amd_gpus.find())


def has_nvidia() -> bool:
    """Whether an NVIDIA driver is loaded."""
    return NVIDIA.exists() or WSL.exists()


def nvidia() -> tuple[HostGpu, ...]:
    """Ask the NVIDIA driver, by its library if `nvidia-ml-py` is installed, else by nvidia-smi."""
    try:
        found = tuple(_nvml())
    except Exception:  # noqa: BLE001 - not installed, or a driver that does not answer: the tool may
        found = _by_tool()
    return found or (HostGpu("NVIDIA GPU", None, fault=SILENT),)


def _by_tool() -> tuple[HostGpu, ...]:
    text = said("nvidia-smi", MIG_QUERY, FORMAT) or said("nvidia-smi", QUERY, FORMAT)
    if not any(_cells(line)[3:] == ["Enabled"] for line in text.splitlines()):
        return tuple(parsed(text))
    whole = (line for line in text.splitlines() if _cells(line)[3:] != ["Enabled"])
    instances = tuple(slices(said("nvidia-smi", "-L")))
    cut = () if instances else (HostGpu("NVIDIA GPU", None, fault=NO_INSTANCES),)
    return (*parsed("\n".join(whole)), *instances, *cut)


def _nvml() -> Iterator[HostGpu]:
    nvml = importlib.import_module("pynvml")
    nvml.nvmlInit()
    try:
        for index in range(nvml.nvmlDeviceGetCount()):
            handle = nvml.nvmlDeviceGetHandleByIndex(index)
            name = str(nvml.nvmlDeviceGetName(handle))
            uuid = str(nvml.nvmlDeviceGetUUID(handle))
            instances = list(_nvml_slices(nvml, handle))
            if instances:
                yield from (replace(one, name=f"{name} MIG {one.slice}") for one in instances)
                continue
            try:
                memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            except nvml.NVMLError_NotSupported:
                yield replace(_without_memory(name, NOTHING[1]), uuid=uuid)
                continue
            yield HostGpu(name, memory.total // MIB, memory.free // MIB, uuid=uuid)
    finally:
        nvml.nvmlShutdown()


def _nvml_slices(nvml: Any, handle: Any) -> Iterator[HostGpu]:
    """The MIG instances of a GPU; none where that mode is off, or unknown to the GPU."""
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
        most = nvml.nvmlDeviceGetMaxMigDeviceCount(handle) if current else 0
    except nvml.NVMLError:
        return
    for index in range(most):
        try:
            one = nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
        except nvml.NVMLError:  # so many there can be, fewer there are
            continue
        memory = nvml.nvmlDeviceGetMemoryInfo(one)
        profile = str(nvml.nvmlDeviceGetName(one)).rpartition("MIG ")[2]
        units = int(profile[:1]) if profile[:1].isdigit() else None
        yield HostGpu(
            profile,
            memory.total // MIB,
            memory.free // MIB,
            uuid=str(nvml.nvmlDeviceGetUUID(one)),
            slice=profile,
            fraction=units and units / MIG_UNITS,
        )


def parsed(text: str) -> Iterator[HostGpu]:
    """Read nvidia-smi's lines: `NVIDIA L4, 23034, 22563`, in MiB. What is no such line is left out."""
    for line in text.splitlines():
        cells = _cells(line)
        if len(cells) not in (3, 4):
            continue
        total, free = (
            int(cell) if cell.isdecimal() else None
            for cell in (cells[1].removesuffix(" MiB"), cells[2].removesuffix(" MiB"))
        )
        named = re.match(r"\w", cells[0]) is not None
        name = cells[0] if named and cells[0] != "ERR!" else "NVIDIA GPU"
        yield HostGpu(name, total, free) if total else _without_memory(name, cells[1])


def _without_memory(name: str, told: str) -> HostGpu:
    """Describe a GPU of which the driver says something else (`told`) in place of its memory."""
    if told in NOTHING and re.search(INTEGRATED, name):
        return HostGpu(name, None)
    return HostGpu(name, None, fault=f"its driver says {quoted(told)} in place of its memory")


def slices(text: str) -> Iterator[HostGpu]:
    """Read the MIG instances of `nvidia-smi -L`, each below its GPU; their memory is what the profile's name says."""
    name = ""
    for line in text.splitlines():
        if whole := re.match(GPU_LINE, line):
            name = whole["name"]
        elif part := re.match(MIG_LINE, line):
            yield HostGpu(
                f"{name} MIG {part['profile']}",
                int(part["gb"]) * MIG_MIB_PER_GB,
                uuid=part["uuid"],
                slice=part["profile"],
                fraction=int(part["of_7"]) / MIG_UNITS,
            )


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split(",")]


def _apple() -> tuple[HostGpu, ...]:
    chip = said("/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string").strip()
    memory = said("/usr/sbin/sysctl", "-n", "hw.memsize").strip()
    if not chip.startswith("Apple") or not memory.isdigit():
        return ()
    return (HostGpu(chip, int(memory) // MIB),)
