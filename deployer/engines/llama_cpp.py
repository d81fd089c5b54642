"""llama.cpp: GGUF files on a CPU, on Apple silicon and on GPUs."""

from __future__ import annotations

from deployer.engines import Engine, Speed
from deployer.quantization import FORMATS
from deployer.words import Gpu, ModelInfo, Range


def overhead_gib(info: ModelInfo) -> Range:
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


ENGINE = Engine(
    name="llama.cpp",
    families=("gguf",),
    vendors=("nvidia", "amd", "apple", "other", "cpu"),
    memory_fraction=0.95,
    overhead_gib=overhead_gib,
    refuses=refuses,
    speed={
        "nvidia": Speed(
            memory_gddr=0.79,
            memory_hbm=0.55,
            layer_us=64,
            tp_us=24,
            prefill=0.77,
            prefill_tflops=155,
        ),
        "apple": Speed(memory_gddr=0.74, memory_hbm=0.74, layer_us=109, tp_us=0, prefill=0.77),
    },
)
