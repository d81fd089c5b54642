"""MLX (`mlx_lm.server`): safetensors on Apple silicon, 16-bit or in MLX's own formats (`mlx-community` at the hub).

It runs natively alone: a container on a Mac has no GPU. On a CPU it runs too (Linux has wheels for that), slowly, so
there it is only taken when it is asked for by name. GGUF files are llama.cpp's.
"""

from __future__ import annotations

from dataclasses import replace

from deployer.core.domain import GIB, Gpu, ModelInfo, Range
from deployer.core.quantization import FORMATS
from deployer.engines import Engine, Metrics
from deployer.engines.llama_cpp import ENGINE as LLAMA_CPP

PREFILL_TOKENS = 2048
"""Tokens of a prompt that are computed at once (`--prefill-step-size` by default)."""


def overhead_gib(
    info: ModelInfo,
    gpus: int = 1,  # noqa: ARG001 - one signature for all engines
    memory_gib: float | None = None,  # noqa: ARG001
) -> Range:
    """Return what the runtime and the activations of a prompt take besides weights and KV cache, in GiB.

    Lowest: the server with a model of nothing held 0.1 GiB (Linux, mlx-lm 0.32.2).
    Highest: the activations of one piece of a prompt at 16 bits (about 20 hidden sizes wide, as the widest
    layers of models in the catalog are) and as much again in MLX's pool of freed buffers, and 1 GiB.
    """
    activations = 2 * PREFILL_TOKENS * 20 * (info.hidden or 8192) / GIB
    return 0.1, 1.1 + 2 * activations


def refuses(gpu: Gpu | None, format_name: str) -> str | None:  # noqa: ARG001 - one signature for all engines
    """Say why a format cannot be run, or None.

    Source: `load_model` of mlx_lm/utils.py (0.32.2). It also converts some AWQ and GPTQ checkpoints as it loads them; which ones is only seen then.
    """
    known = FORMATS.get(format_name)
    if known is None or known.family == "mlx" or format_name == "mxfp4":
        return None
    if known.family == "safetensors" and known.bits >= 16:
        return None
    return f"mlx serves 16-bit weights, mxfp4 and MLX formats (such as mlx_4bit), not {format_name}"


_METAL = replace(LLAMA_CPP.speed["apple"], band=0.35, band_moe=0.45)
"""There are no measurements of MLX in the project's data: these are llama.cpp's constants on Apple chips, which read
the same memory, with a wider band."""

ENGINE = Engine(
    name="mlx",
    also_called=("mlx-lm", "mlx_lm"),
    families=("safetensors",),
    formats=("mlx", "safetensors"),
    suggested_formats=("mlx_4bit",),
    vendors=("apple", "cpu"),
    by_name=("cpu",),
    memory_fraction=0.95,  # of a CPU's; on Apple silicon it is what Metal grants
    overhead_gib=overhead_gib,
    refuses=refuses,
    speed={"apple": _METAL},
    metrics=Metrics(
        running=("mlx_requests_running",),
        output_tokens="mlx_completion_tokens_total",
        prompt_tokens="mlx_prompt_tokens_total",
        requests="mlx_request_success_total",
        last_request="mlx_last_request_timestamp_seconds",
    ),
    elsewhere="mlx serves on Apple silicon without Docker: use target local with provider native (or auto) there,"
    " or leave serve.engine out",
)
