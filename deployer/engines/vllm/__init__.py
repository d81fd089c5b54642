"""vLLM: safetensors on NVIDIA and AMD GPUs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from deployer.core.adapter import USUAL_RANK, Adapter
from deployer.core.domain import GIB, Gpu, ModelInfo, Range
from deployer.core.gpu_traits import before_ampere, generation, has_fp8
from deployer.core.quantization import FORMATS
from deployer.engines import Engine, Metrics, Speed
from deployer.engines.record import SILENT

LARGE_MOE = 60_000_000_000
LARGE_GPU_GIB = 60
"""From about here on vLLM processes 8192 tokens at once by default, else 2048 (`EngineArgs`)."""
SEQUENCES = 256
"""Rows of logits kept while it profiles itself (`max_num_seqs` by default)."""


def overhead_gib(info: ModelInfo, gpus: int = 1, memory_gib: float | None = None) -> Range:
    """Return what each GPU loses to the CUDA context, activations, logits and CUDA graphs, in GiB.

    Lowest: context and one batch of activations. Highest: also logits, CUDA graphs (which old versions
    take beside the budget and new ones within it), NCCL's buffers, and for mixtures of experts above 60B
    a twentieth of the GPU more. Checked against start-up lines in vLLM's issue tracker, 2023 to 2026: 0.6 to
    3.2 GiB for dense models and small mixtures, 8.2 for Qwen3-235B on 80 GB GPUs.
    """
    large = memory_gib is None or memory_gib >= LARGE_GPU_GIB
    low = 0.3 + activations_gib(info, gpus, 8192 if large else 2048)
    high = 0.6 + activations_gib(info, gpus, 8192) + _logits_gib(info) + 0.9
    high += 0.006 * (info.layers or 80)
    if gpus > 1:
        low, high = low + 0.2, high + 1.0
    if info.experts and (info.params_total or 0) >= LARGE_MOE:
        high += 0.05 * (memory_gib or 80)
    return low, high


def activations_gib(info: ModelInfo, gpus: int, tokens: int) -> float:
    """Return the peak of activations of one batch of tokens: inputs and outputs of a layer's matrices.

    A layer of P parameters and hidden size h is about P / h wide in all; beside it stand two residuals, and
    with experts each token's input once for every expert it is sent to. Values have 16 bits.
    """
    if not (info.layers and info.hidden):
        return 1.0
    params = (info.params_active or info.params_total or 0) - (info.embedding_params or 0)
    wide = params / (info.layers * info.hidden) + 2 * info.hidden
    copies = (info.experts_per_token or 0) * info.hidden
    return 2 * tokens * (wide / gpus + copies) / GIB


def _logits_gib(info: ModelInfo) -> float:
    """Return the logits of a full batch with their copies for sampling: 10 bytes an entry."""
    vocabulary = (info.embedding_params or 0) / 2 / (info.hidden or 1) or 128_000
    return SEQUENCES * vocabulary * 10 / GIB


def refuses(gpu: Gpu | None, format_name: str) -> str | None:
    """Say why a GPU cannot run a format, or None.

    Source: vLLM's table of quantization and hardware (docs.vllm.ai, features/quantization). It can run
    fp8 weights without fp8 units (W8A16 through Marlin, from Turing on): memory is saved and compute is
    not, which is not what whoever asks for fp8 expects, so it is refused here with that reason.
    """
    if gpu is None:
        return "vLLM needs a GPU"
    form = FORMATS.get(format_name)
    if form is not None and form.family == "gguf":
        return f"{format_name} is a GGUF format, which llama.cpp serves"
    if form is not None and form.family == "mlx":
        return f"{format_name} is an MLX format, which mlx serves on a Mac"
    if gpu.vendor == "amd":
        return _amd(gpu, format_name)
    if format_name == "fp8" and not has_fp8(gpu):
        return f"fp8 needs Ada, Hopper or Blackwell; {gpu.name} has no fp8 (int8, awq and gptq run there)"
    return _old(gpu, format_name) if before_ampere(gpu) else None


def _amd(gpu: Gpu, format_name: str) -> str | None:
    if format_name in ("awq", "gptq", "int8", "nvfp4"):
        return f"vLLM has no {format_name} kernels for {gpu.name}"
    if format_name == "fp8" and gpu.fp8_tflops is None:
        return f"{gpu.name} has no fp8"
    return None


def _old(gpu: Gpu, format_name: str) -> str | None:
    """Before Ampere: no bf16, no Marlin kernels. Turing runs AWQ, GPTQ and INT8 with slower ones."""
    if format_name == "bf16":
        return f"{gpu.name} has no bf16: set model.quantization: fp16"
    if format_name in ("mxfp4", "nvfp4"):
        return f"{format_name} needs Marlin kernels, so Ampere or newer, not {gpu.name}"
    if generation(gpu) == "volta" and format_name in ("awq", "int8"):
        return f"{format_name} needs Turing or newer, not {gpu.name}"
    return None


def read_start(lines: Iterable[str]) -> Mapping[str, float]:
    """Return what vLLM's start-up lines say of its memory; see `deployer.engines.vllm.startup_log`."""
    from deployer.engines.vllm.startup_log import read_start as read

    return read(lines)


ADAPTER_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""What `--max-lora-rank` takes (`MaxLoRARanks` of vllm/config/lora.py, v0.26.0)."""


def max_lora_rank(rank: int | None) -> int:
    """Return the smallest `--max-lora-rank` that an adapter of a rank is loaded with; 16 is vLLM's own default."""
    return next((n for n in ADAPTER_RANKS if n >= (rank or USUAL_RANK)), ADAPTER_RANKS[-1])


def refuses_adapter(adapter: Adapter) -> str | None:
    """Say why vLLM cannot load an adapter, or None. Source: vllm/lora/peft_helper.py and config/lora.py (v0.26.0)."""
    most, whole = ADAPTER_RANKS[-1], ", ".join(adapter.whole)
    refused = {
        "vllm serves adapters as PEFT writes them, not GGUF files": adapter.format == "gguf",
        f"vllm serves LoRA adapters, not {adapter.kind}": adapter.kind not in (None, "LORA"),
        f"vllm serves no adapter that replaces whole modules (modules_to_save: {whole})": whole,
        "vllm does not serve DoRA adapters: merge it into the model": adapter.dora,
        f"vllm serves no adapter with a bias ({adapter.bias})": adapter.bias not in (None, "none"),
        f"vllm serves adapters up to rank {most}, and this one has {adapter.rank}": (
            (adapter.rank or 0) > most
        ),
        "vllm fetches an adapter in its newest revision only: download that one and name its folder": (
            adapter.path is None and "@" in adapter.source
        ),
    }
    return next((why for why, it_is in refused.items() if it_is), None)


SPEED = Speed(
    memory_gddr=0.865,
    memory_hbm=0.865,
    memory_unified=0.79,
    layer_us=15.7,
    moe_us=44.6,
    step_us=1393,
    tp_us=36.6,
    sequence_us=10,
    decode=0.562,
    prefill_8bit=0.598,
    prefill_moe=0.505,
    prefill_blackwell=0.441,
    band=0.22,
    band_moe=0.42,
)
"""Fitted by `benchmarks/sizing --refit` on the 155 server rows of its data; what is not listed there (share of
bandwidth for the cache, 0.7; attention, 0.5; link, 0.7; FP4, 0.8; sequence, 10 us) are round values that the
rows did not contradict, and prefill 0.77 and interference 1.17 are the fact sheet's."""

ENGINE = Engine(
    name="vllm",
    families=("safetensors",),
    formats=("safetensors",),
    suggested_formats=("fp8", "awq", "gptq"),
    vendors=("nvidia", "amd"),
    memory_fraction=0.92,
    overhead_gib=overhead_gib,
    refuses=refuses,
    reserves=True,
    online=("fp8",),
    # gpt-oss-120b: 60.7 GiB of files, 64.4 to 66.0 GiB once vLLM has repacked and padded them (its start-up
    # lines); gpt-oss-20b: 12.8 and 13.7.
    load_factor={"mxfp4": (1.053, 1.087)},
    most_sequences=SEQUENCES,
    # `--dtype auto` is 16 bits for a model of 32; `--kv-cache-dtype auto` follows the checkpoint's kv_cache_scheme
    kv_as_published=True,
    halves_fp32=True,
    speed={"nvidia": SPEED},
    ignores_eos=True,
    silent={**SILENT, "VLLM_NO_USAGE_STATS": "1"},
    read_start=read_start,
    adapters=refuses_adapter,
    metrics=Metrics(
        running=("vllm:num_requests_running", "vllm:num_requests_waiting"),
        output_tokens="vllm:generation_tokens_total",
        requests="vllm:request_success_total",
    ),
)
