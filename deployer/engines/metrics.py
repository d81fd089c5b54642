"""What each engine's metrics are called."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Counted:
    """The names of an engine's metrics, counted since its start; None: it does not count that."""

    output_tokens: str
    requests: str | None = None
    last_request: str | None = None  # seconds since 1970
    running: str | None = None


COUNTED = {
    "llama.cpp": Counted("llamacpp:tokens_predicted_total"),
    "vllm": Counted("vllm:generation_tokens_total", "vllm:request_success_total"),
    "sglang": Counted("sglang:generation_tokens_total", "sglang:num_requests_total"),
    "mlx": Counted(
        "mlx_completion_tokens_total",
        "mlx_request_success_total",
        "mlx_last_request_timestamp_seconds",
        "mlx_requests_running",
    ),
    "fastapi": Counted(
        "handler_completion_tokens_total",
        "handler_request_success_total",
        "handler_last_request_timestamp_seconds",
        "handler_requests_running",
    ),
}
"""By engine. Only what this tool serves itself (a handler, MLX) says when it was last asked."""
