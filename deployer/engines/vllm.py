"""vLLM: safetensors on NVIDIA and AMD GPUs."""

from __future__ import annotations

from deployer.engines import Engine, Speed
from deployer.words import Gpu, ModelInfo, Range

LARGE_MOE = 60_000_000_000
BEFORE_AMPERE = ("T4", "T4g", "V100-16GB SXM2", "V100-32GB SXM2")
"""GPUs older than Ampere: no bf16, and no Marlin kernels (MXFP4, NVFP4)."""


def overhead_gib(info: ModelInfo) -> Range:
    """Return what each GPU loses to activations, CUDA graphs and the CUDA context, in GiB.

    Source: vLLM start-up lines in its issue tracker, 2024-2026: 1.2 to 3.5 GiB for dense models, up to
    8 GiB for large mixtures of experts.
    """
    large = bool(info.experts) and (info.params_total or 0) >= LARGE_MOE
    return (2.0, 8.0) if large else (1.2, 3.5)


def refuses(gpu: Gpu | None, format_name: str) -> str | None:
    """Say why a GPU cannot run a format, or None."""
    if gpu is None:
        return "vLLM needs a GPU"
    if format_name == "fp8" and gpu.fp8_tflops is None:
        return f"fp8 needs Ada or Hopper or newer; {gpu.name} has no fp8"
    if format_name == "bf16" and gpu.name in BEFORE_AMPERE:
        return f"{gpu.name} has no bf16"
    if format_name in ("mxfp4", "nvfp4") and gpu.name in BEFORE_AMPERE:
        return f"{format_name} needs Ampere or newer, not {gpu.name}"
    return None


ENGINE = Engine(
    name="vllm",
    families=("safetensors",),
    vendors=("nvidia", "amd"),
    memory_fraction=0.92,
    overhead_gib=overhead_gib,
    refuses=refuses,
    online=("fp8",),
    # gpt-oss-120b: 60.7 GiB of files, 64.4 to 66.0 GiB once vLLM has repacked them (its start-up lines).
    load_factor={"mxfp4": (1.06, 1.087)},
    speed={
        "nvidia": Speed(
            memory_gddr=0.95,
            memory_hbm=0.95,
            layer_us=71,
            tp_us=24,
            prefill=0.77,
            prefill_moe=0.34,
            prefill_per_tp_doubling=0.84,
        )
    },
)
