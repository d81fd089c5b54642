"""The engines of the measurements: those of `deployer`, older builds of them, and TensorRT-LLM for comparison."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from deployer.engines import Engine, Speed, engine

TRT_FIXED = 0.67
"""TensorRT-LLM's fixed times beside vLLM's (fact sheet)."""
OLD_CUDA_LAYER = 2.0
"""llama.cpp before CUDA graphs (pull request 6766, May 2024) launched every kernel of a layer by itself."""
OLD_CACHE = {"nvidia": 1.0, "apple": 0.44}
"""Share of bandwidth at which builds without flash attention read the KV cache, once for every query head."""

_NAMES = (
    (re.compile(r"vllm"), "vllm"),
    (re.compile(r"sglang"), "sglang"),
    (re.compile(r"trt|tensorrt"), "trtllm"),
    (re.compile(r"llama[-_. ]?c(pp|\+\+)|llama[-_. ]?bench|ollama|lm ?studio|gguf"), "llama.cpp"),
)
_YEAR = re.compile(r"\b20(2[0-9])\b")

Engines = Mapping[str, Engine]


def name(text: str) -> str | None:
    """Return which engine a row names, in any spelling, or None."""
    return next((found for pattern, found in _NAMES if pattern.search(text.lower())), None)


def known() -> Engines:
    """The engines with their own constants."""
    return with_speeds(
        engine("vllm").speed["nvidia"],
        engine("llama.cpp").speed["nvidia"],
        engine("llama.cpp").speed["apple"],
    )


def with_speeds(server: Speed, cuda: Speed, metal: Speed, cache: float | None = None) -> Engines:
    """The same engines with other constants. `cache` is the share of `OLD_CACHE` for Metal."""
    vllm, llama = engine("vllm"), engine("llama.cpp")
    fixed = {f: TRT_FIXED * getattr(server, f) for f in ("layer_us", "moe_us", "step_us")}
    trtllm = replace(
        vllm,
        name="trtllm",
        memory_fraction=0.9,
        most_sequences=2048,
        kv_8bit=("fp8", "nvfp4"),
        speed={"nvidia": replace(server, **fixed)},
    )
    old = {
        "nvidia": _without_flash(cuda, OLD_CUDA_LAYER, OLD_CACHE["nvidia"]),
        "apple": _without_flash(metal, 1.0, cache or OLD_CACHE["apple"]),
    }
    return {
        "vllm": replace(vllm, speed={"nvidia": server}),
        "sglang": replace(engine("sglang"), speed={"nvidia": server}),
        "trtllm": trtllm,
        "llama.cpp": replace(llama, speed={"nvidia": cuda, "apple": metal}),
        "llama.cpp old": replace(llama, speed=old),
    }


def _without_flash(speed: Speed, layer: float, cache: float) -> Speed:
    return replace(speed, layer_us=speed.layer_us * layer, grouped_kv=False, kv=cache)


def before_flash(text: str) -> bool:
    """Whether the conditions of a llama.cpp row speak of a build from 2024 or before, without flash attention."""
    if re.search(r"\bfa\s*=?\s*1\b|flash", text.lower()):
        return False
    years = [int(y) for y in _YEAR.findall(text)]
    return bool(years) and max(years) <= 24
