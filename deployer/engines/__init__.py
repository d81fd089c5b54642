"""What each inference engine serves, needs and costs in memory and time. One file per engine.

An engine is found by looking: a file here that holds `ENGINE`. Nothing else names it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from deployer.errors import UsageError
from deployer.words import Gpu, ModelInfo, Range


@dataclass(frozen=True)
class Speed:
    """Constants of the roofline (`deployer.throughput`), fitted as one set.

    `memory` is the share of the GPU's memory bandwidth that decode reaches, on GDDR and on HBM;
    `layer_us` the microseconds a layer costs besides, `tp_us` what tensor parallelism adds to that;
    `prefill` the share of dense peak FLOPS that prefill reaches, `prefill_tflops` its ceiling.
    """

    memory_gddr: float
    memory_hbm: float
    layer_us: float
    tp_us: float
    prefill: float
    prefill_moe: float = 1.0
    prefill_per_tp_doubling: float = 1.0
    prefill_tflops: float | None = None


@dataclass(frozen=True)
class Engine:
    """One inference engine.

    `overhead_gib` is what a GPU (or the host) loses besides weights and KV cache, a band.
    `memory_fraction` is the share of the memory that the engine takes by default.
    `online` are the formats it makes itself from 16-bit weights as it loads them.
    `load_factor` says how much larger a format is in memory than in its files.
    `refuses` says why a GPU cannot run a format, or None.
    """

    name: str
    families: tuple[Literal["safetensors", "gguf"], ...]
    vendors: tuple[str, ...]  # of `Gpu.vendor`; "cpu" for none
    memory_fraction: float
    overhead_gib: Callable[[ModelInfo], Range]
    refuses: Callable[[Gpu | None, str], str | None]
    speed: Mapping[str, Speed]  # by vendor; a vendor without constants has no estimate
    online: tuple[str, ...] = ()
    load_factor: Mapping[str, Range] = field(default_factory=dict)
    health_path: str = "/health"


@cache
def names() -> tuple[str, ...]:
    """Every engine that is there."""
    here = Path(__file__).parent
    files = (f.stem for f in here.glob("*.py") if not f.stem.startswith("_"))
    return tuple(sorted(stem.replace("llama_cpp", "llama.cpp") for stem in files))


@cache
def engine(name: str) -> Engine:
    """Return one engine.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in names():
        raise UsageError(f"no engine '{name}' yet", hint=f"engines: {', '.join(names())}")
    found = importlib.import_module(f"deployer.engines.{name.replace('.', '_')}").ENGINE
    assert isinstance(found, Engine)  # noqa: S101 - a file here without ENGINE is a bug
    return found
