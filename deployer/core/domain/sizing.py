"""Whether a model fits on the hardware, and how fast it is there."""

from __future__ import annotations

from deployer.core.domain.terms import Basis, Fit, Range, Signed
from deployer.core.records import dataclass


@dataclass(frozen=True)
class MeasuredFigure:
    """A figure of a sizing that was measured, beside what was estimated.

    `error` is the middle of the estimate divided by what was measured, less one.
    """

    figure: str  # the name of the field
    value: float
    unit: str
    estimate: Range | None
    error: Signed | None
    at: str  # ISO 8601
    source: str


@dataclass(frozen=True)
class Sizing:
    """Does the model fit on the hardware, and how fast is it there.

    `basis` is that of the fit; a speed is an estimate unless `measured` names it. `kv_gib` is for the asked context and concurrency; `kv_capacity_tokens` is what the chosen
    hardware holds at the engine's default memory fraction. `decode_tok_s` is one stream alone;
    `tpot_ms` and `output_tok_s` are at the spec's concurrency and token counts.
    """

    fit: Fit
    quantization: str
    engine: str
    gpus: int
    basis: Basis
    limit: str | None = None  # which limit bites, in words
    weights_gib: float | None = None
    kv_bytes_per_token: int | None = None
    kv_gib: float | None = None
    kv_capacity_tokens: int | None = None
    overhead_gib: Range | None = None
    vram_gib: float | None = None
    max_concurrency: int | None = None
    decode_tok_s: Range | None = None
    tpot_ms: Range | None = None
    output_tok_s: Range | None = None
    saturated_tok_s: Range | None = None
    kv_capacity_range: Range | None = None  # tokens, with the most and the least overhead
    adapter_gib: Range | None = None
    cpu_layers: int | None = None  # layers that stay on the CPU
    prefill_tok_s: Range | None = None  # one prompt on idle hardware
    ttft_floor_ms: Range | None = None  # unloaded; under load it must be measured
    ttft_ms: Range | None = None  # measured at the spec's concurrency: p50 and p95
    context: int | None = None  # tokens of one conversation, as asked; so are the next three
    concurrency: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    measured: tuple[MeasuredFigure, ...] = ()
    notes: tuple[str, ...] = ()
