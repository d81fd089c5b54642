"""Does a model fit on given hardware: weights, KV cache and overhead against the memory there is. Pure.

Per GPU: memory_fraction x VRAM >= weights / tp + overhead + KV / split. KV is split over the tensor-parallel
ranks as far as there are KV heads (beyond that, and for MLA, it is replicated). Formulas and bands: the
engines' own documentation and start-up lines, see `deployer.engines`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from deployer.engines import Engine
from deployer.quantization import weights_bytes
from deployer.words import GIB, Fit, Gpu, ModelInfo, Range, Sizing

HOST_SHARE = 0.8
"""Share of a machine's memory that a model may take beside the operating system (our own limit)."""
DEFAULT_CONTEXT = 8192


@dataclass(frozen=True)
class Load:
    """What is asked: the context of one request in tokens, and how many requests at once."""

    context: int
    concurrency: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Hardware:
    """What it runs on. `gpu` None: the CPU, with `memory_gib` of memory."""

    gpu: Gpu | None
    count: int
    memory_gib: float | None  # of one GPU, or of the host; None: unknown


def context_for(asked: int | str, info: ModelInfo) -> int:
    """Resolve `auto`: 8192 tokens, or the model's own limit where that is lower."""
    if isinstance(asked, int):
        return asked
    return min(DEFAULT_CONTEXT, info.max_context or DEFAULT_CONTEXT)


def tensor_parallel(info: ModelInfo, gpus: int) -> int:
    """Return the most GPUs, of those there, that one copy of the model can be split over.

    The rule of vLLM and SGLang: query heads are divisible by it, and KV heads are divisible by it or
    divide it.
    """
    heads, kv = info.attn_heads, info.kv_heads
    if not heads or not kv:
        return gpus
    fits = (n for n in range(gpus, 0, -1) if heads % n == 0 and (kv % n == 0 or n % kv == 0))
    return next(fits, 1)


def sequence_bytes(info: ModelInfo, tokens: int) -> int | None:
    """Return the KV cache and state of one sequence of `tokens` tokens at 16 bits, in bytes."""
    if info.kv_bytes_per_token is None:
        return None
    window = 0.0
    if info.window and info.kv_window_bytes:
        window = info.kv_window_bytes * min(1.0, tokens / info.window)
    return round(tokens * info.kv_bytes_per_token + window + (info.state_bytes_per_seq or 0))


@dataclass(frozen=True)
class _Budget:
    """GiB over all GPUs in use: what there is, and what the weights and the overhead take of it."""

    total: float
    weights: Range
    overhead: Range
    kv_copies: float  # how often the KV cache stands in memory, over all ranks

    def left(self, overhead: float, weights: float) -> float:
        return (self.total - weights - overhead) / self.kv_copies


def size(
    info: ModelInfo, engine: Engine, format_name: str, hardware: Hardware, load: Load
) -> Sizing:
    """Size one model on one piece of hardware.

    `fits`: holds the asked context and concurrency even with the most overhead seen. `tight`: it starts,
    if overhead is at the low end, or holds fewer requests at once than asked. `no`: it does not start.
    """
    gpus = tensor_parallel(info, hardware.count) if hardware.gpu else 0
    weights = weights_bytes(info, format_name)
    sequence = sequence_bytes(info, load.context)
    known = Sizing(
        fit="unknown",
        quantization=format_name,
        engine=engine.name,
        gpus=gpus,
        basis="unknown",
        weights_gib=weights / GIB if weights is not None else None,
        kv_bytes_per_token=info.kv_bytes_per_token,
        kv_gib=sequence * load.concurrency / GIB if sequence is not None else None,
        vram_gib=hardware.memory_gib * gpus if hardware.memory_gib and gpus else None,
    )
    if weights is None or hardware.memory_gib is None:
        what = "the size of the weights" if weights is None else "the memory of the hardware"
        return replace(known, limit=f"{what} is unknown")
    budget = _budget(info, engine, format_name, hardware, max(gpus, 1), weights / GIB)
    return _judged(known, budget, sequence, info, load)


def _budget(
    info: ModelInfo, engine: Engine, name: str, hardware: Hardware, ranks: int, weights: float
) -> _Budget:
    share = engine.memory_fraction if hardware.gpu else HOST_SHARE
    low, high = engine.load_factor.get(name, (1.0, 1.0))
    overhead = engine.overhead_gib(info)
    heads = 1 if info.attention == "mla" else (info.kv_heads or ranks)
    return _Budget(
        total=share * (hardware.memory_gib or 0) * ranks,
        weights=(weights * low, weights * high),
        overhead=(overhead[0] * ranks, overhead[1] * ranks),
        kv_copies=ranks / min(ranks, heads),
    )


def _judged(
    known: Sizing, budget: _Budget, sequence: int | None, info: ModelInfo, load: Load
) -> Sizing:
    overhead = (round(budget.overhead[0], 2), round(budget.overhead[1], 2))
    most = budget.left(budget.overhead[0], budget.weights[0])
    least = budget.left(budget.overhead[1], budget.weights[1])
    if sequence is None:
        fit: Fit = "no" if most <= 0 else "unknown"
        why = "the weights alone do not fit" if fit == "no" else "KV bytes per token are unknown"
        return replace(known, fit=fit, limit=why, overhead_gib=overhead, basis="estimated")
    middle = max(0.0, (most + least) / 2)
    asked = sequence * load.concurrency / GIB
    fit, limit = _verdict(most, least, sequence / GIB, asked, load)
    if info.max_context and load.context > info.max_context:
        fit, limit = "no", f"the model's context ends at {info.max_context} tokens"
    return replace(
        known,
        fit=fit,
        limit=limit,
        basis="estimated",
        overhead_gib=overhead,
        kv_capacity_tokens=_capacity(middle, info),
        max_concurrency=int(middle * GIB / sequence) if sequence else None,
    )


def _verdict(
    most: float, least: float, one: float, asked: float, load: Load
) -> tuple[Fit, str | None]:
    if one > most:
        short = one - most
        return "no", f"short of {short:.1f} GiB for one request of {load.context} tokens"
    if asked <= least:
        return "fits", None
    if asked <= most:
        return "tight", "depends on the engine's overhead, which is a band"
    held = int(most / one)
    return "tight", f"holds {held} of {load.concurrency} requests of {load.context} tokens at once"


def _capacity(left_gib: float, info: ModelInfo) -> int | None:
    if not info.kv_bytes_per_token:
        return None
    return int(left_gib * GIB / info.kv_bytes_per_token)
