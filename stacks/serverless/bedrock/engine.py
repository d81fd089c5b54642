"""What Amazon Bedrock serves imported models with: AWS chooses engine and hardware, and names neither.

Memory, speed and how many requests it takes at once are not published: measure them.
"""

from __future__ import annotations

from deployer.core.domain import Gpu, ModelInfo, Range
from deployer.engines import Engine

FORMATS = ("bf16", "fp16", "fp32")
"""What can be imported; the dated table is its `catalog/rules.json`."""


def overhead_gib(
    info: ModelInfo,  # noqa: ARG001 - one signature for all engines
    /,
    gpus: int = 1,  # noqa: ARG001
    memory_gib: float | None = None,  # noqa: ARG001
) -> Range:
    """Return a band in GiB that decides nothing: the hardware is AWS's."""
    return (0.5, 8.0)


def refuses(gpu: Gpu | None, format_name: str) -> str | None:  # noqa: ARG001 - one signature for all
    """Say why a format cannot be imported, or None."""
    if format_name in FORMATS:
        return None
    return f"Bedrock imports FP32, FP16 or BF16 weights, not {format_name}"


ENGINE = Engine(
    name="bedrock",
    families=("safetensors",),
    formats=("safetensors",),
    vendors=("cpu",),
    memory_fraction=1.0,
    overhead_gib=overhead_gib,
    refuses=refuses,
    speed={},
    managed=True,
)
