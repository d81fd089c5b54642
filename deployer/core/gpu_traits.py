"""What a GPU's name says of it: generation, kind of memory, link to its neighbours, usable memory. Pure."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from typing import Literal

from deployer.core.domain import Gpu, Vendor

Generation = Literal["volta", "turing", "ampere", "ada", "hopper", "blackwell", "other"]
Memory = Literal["gddr", "hbm", "unified"]

_GENERATIONS: tuple[tuple[Generation, str], ...] = (
    ("blackwell", r"\bG?B[23]00\b|\bGB10\b|RTX 50|RTX PRO .*"),
    ("hopper", r"\b(G?H[12]00|H800|H20)\b"),
    ("ada", r"\bL(4|40|40S|20)\b|RTX 40[5-9]0|\bAda\b"),
    ("turing", r"\bT4g?\b|RTX 20|Quadro RTX|TITAN RTX"),
    ("volta", r"\bV100\b|TITAN V"),
    ("ampere", r"\bA(100|10|10G|30|40|16|2|800)\b|RTX A\d|RTX 30"),
)
_HBM = r"\b(A100|A800|A30|H[128]00|H20|GH200|G?B[23]00|V100|MI\d+X?)\b"
_UNIFIED = r"\b(Apple|GB10|Ryzen)\b"
_ECC_GDDR = r"\b(T4g?|A10|A10G|A16|A2|A40|L4|L40|L40S)\b"
_LINKED = r"SXM|HGX|GH200|GB[23]00|^H20$|^MI"
_NVLINK_GB_S = {"volta": 150.0, "ampere": 300.0, "hopper": 450.0, "blackwell": 900.0}
PCIE_GB_S = 25.0
"""What PCIe 4.0 x16 carries one way in practice (31.5 GB/s in theory)."""

DRIVER_SHARE = 0.987
"""Memory that a program sees, of what cloud or driver report: boot logs show 79.1 of 80 GiB on an H100,
22.06 of 22.35 on an A10G, 139.8 of 141 on an H200, 23.6 of 24 on an RTX 3090."""
ECC_SHARE = 0.925
"""The same of the nominal size of data-centre cards with GDDR memory, where ECC takes a sixteenth: 44.4
of 48 GiB on an A40, 14.6 of 16 on a T4."""
METAL_SHARE = (2 / 3, 3 / 4)
METAL_SMALL_GIB = 32
"""Unified memory that macOS lets the GPU have: two thirds up to 32 GB, three quarters above. From Metal's
`recommendedMaxWorkingSetSize` in logs of llama.cpp: 10,923 MiB of 16 GB, 21,845 of 32, 27,648 of 36.
macOS 26 gives more (107.5 GiB of 128); `sysctl iogpu.wired_limit_mb` raises it."""
UNIFIED_SHARE = 0.93


@cache
def _generation(name: str) -> Generation:
    return next((found for found, pattern in _GENERATIONS if re.search(pattern, name)), "other")


def generation(gpu: Gpu) -> Generation:
    """Return an NVIDIA GPU's generation; `other` for other makers and unknown names."""
    return _generation(gpu.name) if gpu.vendor == "nvidia" else "other"


def unlisted(name: str, vendor: Vendor, memory_mib: int) -> Gpu:
    """Describe a GPU that the catalog does not have by what its driver tells: its speed is unknown."""
    return Gpu(
        name=name,
        vram_gb=memory_mib / 1024,
        bandwidth_gb_s=None,
        bf16_tflops=None,
        fp8_tflops=None,
        watts=None,
        list_price_usd=None,
        vendor=vendor,
        source="this machine's driver",
        vram_mib_reported=memory_mib,
    )


def sliced(gpu: Gpu, fraction: float) -> Gpu:
    """Return a share of a GPU: that part of its speed and power. Its memory is what the offer says."""
    return replace(
        gpu,
        bandwidth_gb_s=gpu.bandwidth_gb_s and gpu.bandwidth_gb_s * fraction,
        bf16_tflops=gpu.bf16_tflops and gpu.bf16_tflops * fraction,
        fp8_tflops=gpu.fp8_tflops and gpu.fp8_tflops * fraction,
        watts=gpu.watts and gpu.watts * fraction,
        list_price_usd=None,
    )


def has_fp8(gpu: Gpu) -> bool:
    """Whether a GPU computes in fp8: by its figures, or by its generation where they are unknown."""
    return gpu.fp8_tflops is not None or generation(gpu) in ("ada", "hopper", "blackwell")


def before_ampere(gpu: Gpu) -> bool:
    """Whether a GPU is a Volta or Turing one: no bf16, no Marlin kernels."""
    return generation(gpu) in ("volta", "turing")


@cache
def _memory(name: str) -> Memory:
    if re.search(_UNIFIED, name):
        return "unified"
    return "hbm" if re.search(_HBM, name) else "gddr"


def memory(gpu: Gpu) -> Memory:
    """Return what kind of memory a GPU has."""
    return _memory(gpu.name)


def link_gb_s(gpu: Gpu) -> float:
    """Return what one GPU can send to the others in GB/s, one way: NVLink, or PCIe without it.

    Source: NVIDIA's data sheets, half of the bidirectional figure.
    """
    if not re.search(_LINKED, gpu.name):
        return PCIE_GB_S
    return _NVLINK_GB_S.get(generation(gpu), 450.0)


def usable_gib(gpu: Gpu | None, memory_gib: float) -> float:
    """Return the memory that a program gets of what the hardware is said to have, in GiB."""
    if gpu is None:
        return memory_gib
    if gpu.vendor == "apple":
        return memory_gib * METAL_SHARE[memory_gib > METAL_SMALL_GIB]
    if memory(gpu) == "unified":
        return memory_gib * UNIFIED_SHARE
    nominal = memory_gib >= 0.97 * gpu.vram_gb
    return memory_gib * (ECC_SHARE if nominal and re.search(_ECC_GDDR, gpu.name) else DRIVER_SHARE)
