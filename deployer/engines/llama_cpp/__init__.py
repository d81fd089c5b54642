"""llama.cpp: GGUF files on a CPU, on Apple silicon and on GPUs."""

from __future__ import annotations

from dataclasses import replace

from deployer.core.adapter import Adapter
from deployer.core.domain import Gpu, ModelInfo, Range
from deployer.core.quantization import FORMATS
from deployer.engines import Engine, Metrics, Speed


def overhead_gib(
    info: ModelInfo,
    gpus: int = 1,  # noqa: ARG001 - one signature for all engines
    memory_gib: float | None = None,  # noqa: ARG001
) -> Range:
    """Return what compute buffers and the runtime take besides weights and KV cache, in GiB.

    Compute buffers grow with the vocabulary and the batch; 0.3 to 1.5 GiB covers 1B to 70B models in
    llama.cpp's own load reports. Models below 1B stay under 0.3 GiB.
    """
    small = (info.params_total or 10**12) < 1_000_000_000
    return (0.05, 0.3) if small else (0.3, 1.5)


def refuses(gpu: Gpu | None, format_name: str) -> str | None:  # noqa: ARG001 - one signature for all engines
    """Say why a format cannot be run, or None: llama.cpp runs every GGUF format on everything."""
    known = FORMATS.get(format_name)
    if known is None or known.family == "gguf" or known.bits >= 16:
        return None
    return f"llama.cpp serves GGUF formats, not {format_name}"


def refuses_adapter(adapter: Adapter) -> str | None:
    """Say why llama.cpp cannot load an adapter, or None: it takes GGUF files on this machine (`--lora`)."""
    if adapter.format == "gguf" and adapter.path is not None:
        return None
    return (
        "llama.cpp serves adapters as GGUF files on this machine: convert it with convert_lora_to_gguf.py, and set"
        " model.adapter to the file"
    )


_CUDA = Speed(
    memory_gddr=0.904,
    memory_hbm=0.575,
    memory_unified=0.824,
    layer_us=41.5,
    hop_us=200,
    decode=0.194,
    columns=True,
    prefill=0.9,
    prefill_packed=0.904,
    prefill_moe=0.42,
    tflops_per_watt={
        "volta": 0.2,
        "turing": 0.2,
        "ampere": 0.217,
        "ada": 0.295,
        "hopper": 0.397,
        "blackwell": 0.4,
    },
    band=0.25,
    band_moe=0.35,
)
"""Fitted by `benchmarks/sizing --refit` on the 105 CUDA rows of its data. HBM is read at a lower share than
GDDR: its bandwidth outruns the kernels of small batches. Prompts reach a number of TFLOPS per watt that
grows by generation; those of Volta, Turing and Blackwell were not measured and are like their neighbours'."""

_METAL = replace(
    _CUDA,
    memory_unified=0.786,
    layer_us=105.5,
    prefill=0.683,
    prefill_packed=0.832,
    tflops_per_watt={},
    band=0.25,
)
"""The same on the 23 rows of Apple chips."""

ENGINE = Engine(
    name="llama.cpp",
    also_called=("llamacpp", "llama_cpp", "llama-cpp", "llama", "llama-server", "gguf", "ollama"),
    families=("gguf",),
    formats=("gguf",),
    suggested_formats=("q8_0", "q6_k", "q4_k_m"),
    vendors=("nvidia", "amd", "apple", "other", "cpu"),
    memory_fraction=0.95,
    overhead_gib=overhead_gib,
    refuses=refuses,
    split="layer",
    offloads=True,
    speed={"nvidia": _CUDA, "apple": _METAL},
    ignores_eos=True,
    adapters=refuses_adapter,
    metrics=Metrics(
        running=("llamacpp:requests_processing", "llamacpp:requests_deferred"),
        output_tokens="llamacpp:tokens_predicted_total",
        prompt_tokens="llamacpp:prompt_tokens_total",
    ),
)
