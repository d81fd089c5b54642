"""The user's own `handler.py`, wrapped: any model that Python can run, on any machine.

What it takes and how fast it is depends on the user's code, so both are unknown here.
"""

from __future__ import annotations

from deployer.core.domain import Gpu, ModelInfo, Range
from deployer.engines import Engine, Metrics

AS_IT_IS = "none"
"""The quantization of a handler: nothing is done to what it loads."""


def overhead_gib(
    info: ModelInfo,  # noqa: ARG001 - one signature for all engines
    /,
    gpus: int = 1,  # noqa: ARG001
    memory_gib: float | None = None,  # noqa: ARG001
) -> Range:
    """Return the band from a bare Python process to one with a framework and its CUDA context, in GiB."""
    return (0.05, 2.0)


def refuses(gpu: Gpu | None, format_name: str) -> str | None:  # noqa: ARG001 - one signature for all
    """Say why a format cannot be run, or None: a handler is served as it is."""
    return None if format_name == AS_IT_IS else f"a handler is served as is, not as {format_name}"


ENGINE = Engine(
    name="fastapi",
    also_called=("handler", "python", "custom"),
    families=("handler",),
    vendors=("nvidia", "amd", "apple", "aws", "other", "cpu"),
    memory_fraction=1.0,
    overhead_gib=overhead_gib,
    refuses=refuses,
    speed={},
    metrics=Metrics(
        running=("handler_requests_running",),
        output_tokens="handler_completion_tokens_total",
        prompt_tokens="handler_prompt_tokens_total",
        requests="handler_request_success_total",
        last_request="handler_last_request_timestamp_seconds",
    ),
)
