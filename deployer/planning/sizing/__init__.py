"""Does a model fit on given hardware: weights, KV cache and overhead against the memory there is. Pure.

Per GPU: memory_fraction x usable memory >= weights / tp + overhead + KV / split. KV is split over the
tensor-parallel ranks as far as there are KV heads (beyond that, and for MLA, it is replicated). Engines that
split by layers hold every layer once. Formulas and bands: the engines' own documentation and start-up lines,
see `deployer.engines`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from deployer.core.domain import GIB, Fit, Gpu, ModelInfo, Range, Sizing
from deployer.core.gpu_traits import usable_gib
from deployer.core.quantization import weights_bytes
from deployer.core.records import dataclass
from deployer.engines import Engine
from deployer.planning.sizing.host import HOST_SHARE, on_host
from deployer.planning.sizing.memory import (
    adapter_bytes,
    files_gib,
    indivisible,
    kv_copies,
    loaded_gib,
    sequence_bytes,
    tensor_parallel,
)

__all__ = [
    "Hardware",
    "Load",
    "adapter_bytes",
    "context_for",
    "files_gib",
    "kv_copies",
    "loaded_gib",
    "sequence_bytes",
    "size",
    "tensor_parallel",
]

DEFAULT_CONTEXT = 8192


@dataclass(frozen=True)
class Load:
    """What is asked: the context of one request in tokens, and how many requests at once.

    `adapter_bytes` is the size of a LoRA adapter, lowest and highest (`adapter_bytes` estimates it).
    """

    context: int
    concurrency: int
    input_tokens: int
    output_tokens: int
    adapter_bytes: Range | None = None


@dataclass(frozen=True)
class Hardware:
    """What it runs on. `gpu` None: the CPU, with `memory_gib` of memory.

    `host_gib` is the memory beside the GPUs, for engines that can leave layers there.
    `overhead_gib` is what the engine itself reported to lose on each GPU, where that is known.
    """

    gpu: Gpu | None
    count: int
    memory_gib: float | None  # of one GPU, or of the host; None: unknown
    host_gib: float | None = None
    overhead_gib: Range | None = None


def context_for(asked: int | str, info: ModelInfo) -> int:
    """Resolve `auto`: 8192 tokens, or the model's own limit where that is lower."""
    if isinstance(asked, int):
        return asked
    return min(DEFAULT_CONTEXT, info.max_context or DEFAULT_CONTEXT)


def gpus_used(info: ModelInfo, engine: Engine, hardware: Hardware) -> int:
    """Return over how many of the GPUs an engine splits one copy; 0 on a CPU."""
    if hardware.gpu is None:
        return 0
    if engine.split == "layer":
        return min(hardware.count, info.layers or hardware.count)
    return tensor_parallel(info, hardware.count)


def _unused(info: ModelInfo, engine: Engine, hardware: Hardware, gpus: int) -> Iterator[str]:
    """Say why GPUs are left out of tensor parallelism."""
    if hardware.gpu is None or engine.split == "layer" or gpus >= hardware.count:
        return
    why = indivisible(info, hardware.count)
    yield f"uses {gpus} of {hardware.count} GPUs: {why} cannot be divided by {hardware.count}"


@dataclass(frozen=True)
class _Budget:
    """GiB over all GPUs in use: what there is, and what the weights and the overhead take of it."""

    total: float
    weights: Range
    overhead: Range
    kv_copies: float

    @property
    def most(self) -> float:
        """Left for the KV cache if everything else takes the least."""
        return (self.total - self.weights[0] - self.overhead[0]) / self.kv_copies

    @property
    def least(self) -> float:
        """Left for the KV cache if everything else takes the most."""
        return (self.total - self.weights[1] - self.overhead[1]) / self.kv_copies


def size(
    info: ModelInfo, engine: Engine, format_name: str, hardware: Hardware, load: Load
) -> Sizing:
    """Size one model on one piece of hardware.

    `fits`: holds the asked context and concurrency even with the most overhead seen. `tight`: it starts
    if overhead is at the low end, or holds fewer requests at once than asked, or leaves layers on the CPU.
    `no`: it does not start.
    """
    gpus = gpus_used(info, engine, hardware)
    weights = weights_bytes(info, format_name)
    share = engine.kv_share(info, format_name)
    sequence = sequence_bytes(info, load.context, share)
    per_token = info.kv_bytes_per_token
    adapter = load.adapter_bytes
    known = Sizing(
        fit="unknown",
        quantization=format_name,
        engine=engine.name,
        gpus=gpus,
        basis="unknown",
        weights_gib=weights / GIB if weights is not None else None,
        kv_bytes_per_token=None if per_token is None else round(per_token * share),
        kv_gib=sequence * load.concurrency / GIB if sequence is not None else None,
        vram_gib=hardware.memory_gib * gpus if hardware.memory_gib and gpus else None,
        adapter_gib=(adapter[0] / GIB, adapter[1] / GIB) if adapter else None,
        context=load.context,
        concurrency=load.concurrency,
        input_tokens=load.input_tokens,
        output_tokens=load.output_tokens,
        notes=(*_limits(hardware), *_unused(info, engine, hardware, gpus)),
    )
    if engine.managed:
        return _managed(known, info, load)
    loaded = loaded_gib(info, engine, format_name, max(gpus, 1))
    if loaded is None or hardware.memory_gib is None:
        what = "the size of the weights" if loaded is None else "the memory of the hardware"
        return replace(known, limit=f"{what} is unknown")
    budget = _budget(info, engine, known, hardware, loaded)
    sized = _judged(known, budget, sequence, load)
    if info.max_context and load.context > info.max_context:
        return replace(
            sized, fit="no", limit=f"the model's context ends at {info.max_context} tokens"
        )
    if sized.fit != "no" or sequence is None or not engine.offloads:
        return sized
    need = (budget.total - budget.overhead[1], budget.weights[1] + sequence / GIB)
    return on_host(sized, info, hardware.gpu, hardware.host_gib, need)


def _managed(known: Sizing, info: ModelInfo, load: Load) -> Sizing:
    """Judge what a provider runs on hardware of its own choice: only the model's own limits decide."""
    if info.max_context and load.context > info.max_context:
        limit = f"the model's context ends at {info.max_context} tokens"
        return replace(known, fit="no", limit=limit)
    if known.weights_gib is None:
        return replace(known, limit="the size of the weights is unknown")
    return replace(known, fit="fits", basis="estimated", notes=known.notes)


def _limits(hardware: Hardware) -> Iterator[str]:
    """What the system keeps of the memory, where it is its setting: macOS of a Mac's."""
    gpu, memory = hardware.gpu, hardware.memory_gib
    if gpu is None or gpu.vendor != "apple" or memory is None:
        return
    yield (
        f"macOS lets the GPU use {usable_gib(gpu, memory):.1f} of the Mac's {memory:.0f} GiB, which is what counts here:"
        " 'sudo sysctl iogpu.wired_limit_mb=<MiB>' raises it until the next start"
    )


def _budget(
    info: ModelInfo, engine: Engine, known: Sizing, hardware: Hardware, weights: Range
) -> _Budget:
    ranks, memory = max(known.gpus, 1), hardware.memory_gib or 0.0
    share = HOST_SHARE if hardware.gpu is None else engine.memory_fraction
    if hardware.gpu and hardware.gpu.vendor == "apple":
        share = 1.0  # what Metal grants is below any engine's own fraction
    overhead = hardware.overhead_gib or engine.overhead_gib(info, ranks, memory)
    adapter = known.adapter_gib or (0.0, 0.0)
    return _Budget(
        total=share * usable_gib(hardware.gpu, memory) * ranks,
        weights=(weights[0] + adapter[0], weights[1] + adapter[1]),
        overhead=(overhead[0] * ranks, overhead[1] * ranks),
        kv_copies=kv_copies(info, engine, ranks),
    )


def _judged(known: Sizing, budget: _Budget, sequence: float | None, load: Load) -> Sizing:
    overhead = (round(budget.overhead[0], 2), round(budget.overhead[1], 2))
    known = replace(known, overhead_gib=overhead, basis="estimated")
    if sequence is None:
        fit: Fit = "no" if budget.most <= 0 else "unknown"
        why = "the weights alone do not fit" if fit == "no" else "KV bytes per token are unknown"
        return replace(known, fit=fit, limit=why)
    least, most = max(0.0, budget.least), max(0.0, budget.most)
    middle = max(0.0, (budget.least + budget.most) / 2)
    fit, limit = _verdict(budget, sequence / GIB, load)
    return replace(
        known,
        fit=fit,
        limit=limit,
        kv_capacity_tokens=_tokens(middle, known),
        kv_capacity_range=_tokens_range(least, most, known),
        max_concurrency=int(middle * GIB / sequence) if sequence else None,
    )


def _verdict(budget: _Budget, one: float, load: Load) -> tuple[Fit, str | None]:
    asked = one * load.concurrency
    if one > budget.most:
        if budget.most <= 0:
            return "no", f"short of {-budget.most * budget.kv_copies:.1f} GiB for the weights alone"
        short = one - budget.most
        return "no", f"short of {short:.1f} GiB for one request of {load.context} tokens"
    if asked <= budget.least:
        return "fits", None
    if asked <= budget.most:
        return "tight", "depends on the engine's overhead, which is a band"
    held = f"{int(max(0.0, budget.least) / one)} to {int(budget.most / one)}"
    return "tight", f"holds {held} of {load.concurrency} requests of {load.context} tokens at once"


def _tokens(left_gib: float, known: Sizing) -> int | None:
    return int(left_gib * GIB / known.kv_bytes_per_token) if known.kv_bytes_per_token else None


def _tokens_range(least: float, most: float, known: Sizing) -> Range | None:
    low, high = _tokens(least, known), _tokens(most, known)
    return None if low is None or high is None else (low, high)
