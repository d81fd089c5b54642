"""SGLang: safetensors on NVIDIA and AMD GPUs. As fast as vLLM, which its published figures resemble."""

from __future__ import annotations

from dataclasses import replace

from deployer.core.domain import Gpu, ModelInfo, Range
from deployer.core.gpu_traits import generation
from deployer.engines import Metrics, vllm


def overhead_gib(info: ModelInfo, gpus: int = 1, memory_gib: float | None = None) -> Range:
    """Return what each GPU loses within SGLang's static memory fraction, in GiB.

    Activations and CUDA graphs stand outside that fraction; within it are the CUDA context and NCCL's
    buffers (1.6 GiB of an 80 GB GPU under Qwen3-235B on four, vLLM issue 21348). Large mixtures of experts
    may lower the fraction itself, so their band is as wide as vLLM's.
    """
    low, high = (0.5, 1.5) if gpus > 1 else (0.3, 1.0)
    if info.experts and (info.params_total or 0) >= vllm.LARGE_MOE:
        high += 0.05 * (memory_gib or 80)
    return low, high


def refuses(gpu: Gpu | None, format_name: str) -> str | None:
    """Say why a GPU cannot run a format, or None: as vLLM, but NVFP4 on Blackwell alone.

    Source: `ModelOptFp4Config.get_min_capability` of SGLang is 100, and it refuses to start below.
    """
    if reason := vllm.refuses(gpu, format_name):
        return reason
    if format_name == "nvfp4" and gpu is not None and generation(gpu) != "blackwell":
        return f"sglang serves nvfp4 on Blackwell only, not on {gpu.name}"
    return None


ENGINE = replace(
    vllm.ENGINE,
    name="sglang",
    memory_fraction=0.9,
    most_sequences=2048,
    kv_as_published=False,  # it follows ModelOpt's checkpoints and not all others: counted at 16 bits
    overhead_gib=overhead_gib,
    refuses=refuses,
    read_start=None,
    adapters=None,
    metrics=Metrics(
        running=("sglang:num_running_reqs", "sglang:num_queue_reqs"),
        output_tokens="sglang:generation_tokens_total",
        requests="sglang:num_requests_total",
    ),
)
"""SGLang derives `mem_fraction_static` from the GPU: 0.88 for one of 80 GB in 2025, more for larger ones."""
