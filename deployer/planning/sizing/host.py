"""llama.cpp with some layers on the GPUs and the rest on the CPU. Pure."""

from __future__ import annotations

from dataclasses import replace

from deployer.core.domain import Gpu, ModelInfo, Sizing

HOST_SHARE = 0.8
"""Share of a machine's memory that a model may take beside the operating system (our own limit)."""


def on_host(
    sized: Sizing,
    info: ModelInfo,
    gpu: Gpu | None,
    host_gib: float | None,
    need: tuple[float, float],
) -> Sizing:
    """Leave layers on the CPU where the GPUs alone do not hold one request and the host holds the rest.

    `need` is GiB: what the GPUs have for layers, and what all layers take with one request's KV cache.
    """
    layers = info.layers
    if (
        gpu is None
        or gpu.vendor == "apple"
        or not layers
        or not host_gib
        or sized.weights_gib is None
    ):
        return sized
    room, whole = need
    on_gpu = max(0, min(layers, int(room / (whole / layers))))
    on_cpu = layers - on_gpu
    if whole * on_cpu / layers > HOST_SHARE * host_gib:
        return replace(
            sized, limit=f"{sized.limit}, and the host's {host_gib:.0f} GiB do not hold the rest"
        )
    rest = sized.weights_gib * on_cpu / layers
    return replace(
        sized,
        fit="tight",
        cpu_layers=on_cpu,
        max_concurrency=1,
        limit=f"{on_cpu} of {layers} layers stay on the CPU: every token reads {rest:.1f} GiB"
        " from host memory, whose bandwidth is unknown",
    )
