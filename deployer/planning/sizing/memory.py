"""What a model takes in memory: sequences, adapters, loaded weights, and over how many GPUs it is split. Pure."""

from __future__ import annotations

from deployer.core.adapter import USUAL_RANK
from deployer.core.domain import GIB, ModelInfo, Range, Sizing
from deployer.core.quantization import weights_bytes
from deployer.engines import Engine

LORA_RANKS = (8, USUAL_RANK)
"""Ranks that published adapters have, where an adapter's own is not known: 8 on attention to 64 everywhere."""

PREDICTION_LAYER = 0.02
"""Share of DeepSeek-V3's and R1's files that is their multi-token-prediction layer (bundled catalog)."""


def tensor_parallel(info: ModelInfo, gpus: int) -> int:
    """Return the most GPUs, of those there, that one copy of the model can be split over.

    The rule of vLLM and SGLang: query heads are divisible by it, and KV heads are divisible by it or
    divide it. MLA has one latent head for all, which each rank keeps. So are all other widths (`ModelInfo.parts`),
    in whole blocks or groups where weights are quantized.
    """
    return next((n for n in range(gpus, 1, -1) if indivisible(info, n) is None), 1)


def indivisible(info: ModelInfo, gpus: int) -> str | None:
    """Say what of a model cannot be divided over so many GPUs, in words; None where all can."""
    heads, kv = info.attn_heads, info.kv_heads
    if heads and kv:
        if heads % gpus:
            return f"{heads} attention heads"
        if info.attention != "mla" and kv % gpus and gpus % kv:
            return f"{kv} KV heads"
    part = next((p for p in info.parts if p.size % (gpus * p.unit)), None)
    if part is None:
        return None
    if part.unit == 1 or part.size % gpus:
        return f"{part.name} {part.size:,}"
    return f"{part.name} {part.size:,} in blocks of {part.unit} (each GPU would get {part.size // gpus:,})"


def sequence_bytes(info: ModelInfo, tokens: float, share: float = 1.0) -> int | None:
    """Return the KV cache and state of one sequence of `tokens` tokens, in bytes.

    `share` is the size of the cache beside 16 bits; a state of fixed size stays as it is.
    """
    if info.kv_bytes_per_token is None:
        return None
    window = 0.0
    if info.window and info.kv_window_bytes:
        window = info.kv_window_bytes * min(1.0, tokens / info.window)
    growing = (tokens * info.kv_bytes_per_token + window) * share
    return round(growing + (info.state_bytes_per_seq or 0))


def kv_copies(info: ModelInfo, engine: Engine, gpus: int) -> float:
    """Return how often each token's KV cache stands in memory, over all GPUs in use."""
    if engine.split == "layer" or gpus <= 1:
        return 1.0
    heads = 1 if info.attention == "mla" else (info.kv_heads or gpus)
    return gpus / min(gpus, heads)


def adapter_bytes(info: ModelInfo, rank: int | None = None) -> Range | None:
    """Estimate the size of a LoRA adapter at 16 bits, lowest and highest, or None where it is unknown.

    rank x (inputs + outputs) of the adapted matrices: lowest the query and value projections, highest every
    matrix of a layer, whose widths add up to about the layer's parameters / hidden size.
    """
    if not (
        info.layers and info.hidden and info.params_total and info.attn_heads and info.head_dim
    ):
        return None
    low_rank, high_rank = (rank, rank) if rank else LORA_RANKS
    query = info.hidden + info.attn_heads * info.head_dim
    value = info.hidden + (info.kv_heads or info.attn_heads) * info.head_dim
    wide = info.params_total / (info.layers * info.hidden) + 7 * info.hidden
    return 2 * info.layers * low_rank * (query + value), 2 * info.layers * high_rank * wide


def files_gib(info: ModelInfo, sizing: Sizing) -> float | None:
    """Return the GiB of weights that are fetched: an engine may load larger files in a smaller format."""
    sizes = (info.weights_bytes / GIB if info.weights_bytes else None, sizing.weights_gib)
    return max((size for size in sizes if size is not None), default=None)


def loaded_gib(info: ModelInfo, engine: Engine, format_name: str, gpus: int) -> Range | None:
    """Return what the weights take on all GPUs together once they are loaded, lowest and highest, in GiB.

    More than the files where an engine repacks a format. Tensor parallelism keeps MLA's down-projections
    whole on every GPU: hidden size x latent size a layer, up to four times that with the queries' own.
    Their published files carry a layer for multi-token prediction, which is loaded only when asked for.
    """
    weights = weights_bytes(info, format_name)
    if weights is None:
        return None
    low, high = engine.load_factor.get(format_name, (1.0, 1.0))
    again = 0.0
    if info.attention == "mla" and format_name == info.native_dtype:
        low *= 1 - PREDICTION_LAYER
    if info.attention == "mla" and engine.split == "tensor" and info.params_total:
        latents = (info.kv_bytes_per_token or 0) / 2  # values of all layers
        again = (gpus - 1) * (info.hidden or 0) * latents * weights / info.params_total
    return (weights * low + again) / GIB, (weights * high + 4 * again) / GIB
