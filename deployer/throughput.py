"""How fast a model is on given hardware: a roofline, labelled estimated and shown as a range. Pure.

step = sqrt(memory^2 + compute^2) + layers x (launch + tensor-parallel communication)
memory = (weights read + KV read) / (efficiency x bandwidth x tp); compute = 2 x batch x active / FLOPS
A mixture of experts reads its shared part and experts x (1 - (1 - k/E)^batch).
TPOT = step + 1.17 x (C - 1) x prefill / output tokens
saturated = C x output / (output x step + C x prefill), C bounded by the KV cache.

Constants: `deployer.engines`, fitted elsewhere as one set on published measurements; the held-out error
was 5 to 18 % for decode and 10 to 22 % under load, so every figure is given as +-25 %. There is no time to
first token under load: its held-out error was 56 to 79 %, so it must be measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from deployer.engines import Engine, Speed
from deployer.sizing import Hardware, Load, sequence_bytes
from deployer.words import GIB, ModelInfo, Range, Sizing

BAND = 0.25
"""Half-width of the range, as a share: the typical held-out error."""
HBM_GB_S = 1200
"""GPUs above this bandwidth carry HBM, or GDDR7 that behaves like it."""
BLACKWELL = ("B200", "B300", "RTX 5090", "RTX PRO")
BLACKWELL_LAYER, BLACKWELL_PREFILL = 0.64, 0.44


@dataclass(frozen=True)
class _Roofline:
    info: ModelInfo
    speed: Speed
    hardware: Hardware
    tp: int
    weights: float  # bytes
    flops: float

    def step(self, batch: int, tokens: int) -> float:
        """Return seconds of one decoding step of `batch` sequences of `tokens` tokens."""
        memory = (self._weights_read(batch) + batch * (sequence_bytes(self.info, tokens) or 0)) / (
            self._efficiency() * self._bandwidth() * self.tp
        )
        compute = 2 * batch * self._active() / (self.flops * self.tp)
        return math.hypot(memory, compute) + self._layers()

    def prefill(self, tokens: int) -> float:
        """Return seconds of one prompt of `tokens` tokens on idle hardware: the floor of the TTFT."""
        share = self.speed.prefill * math.pow(
            self.speed.prefill_per_tp_doubling, math.log2(self.tp)
        )
        share *= self.speed.prefill_moe if self.info.experts else 1.0
        share *= BLACKWELL_PREFILL if self._blackwell() else 1.0
        ceiling = (self.speed.prefill_tflops or math.inf) * 1e12
        return 2 * self._active() * tokens / (min(self.flops * share, ceiling) * self.tp)

    def _active(self) -> float:
        return float(self.info.params_active or self.info.params_total or 0)

    def _layers(self) -> float:
        us = self.speed.layer_us * (BLACKWELL_LAYER if self._blackwell() else 1.0)
        us += self.speed.tp_us if self.tp > 1 else 0.0
        return (self.info.layers or 0) * us * 1e-6

    def _weights_read(self, batch: int) -> float:
        info = self.info
        total, active = info.params_total, info.params_active
        if not (info.experts and info.experts_per_token and total and active):
            return self.weights
        share = info.experts_per_token / info.experts
        experts = (total - active) / (1 - share) if share < 1 else 0.0
        read = (total - experts) + experts * (1 - (1 - share) ** batch)
        return self.weights * read / total

    def _bandwidth(self) -> float:
        assert self.hardware.gpu is not None  # noqa: S101 - `estimate` leaves out CPUs
        return self.hardware.gpu.bandwidth_gb_s * 1e9

    def _efficiency(self) -> float:
        hbm = self._bandwidth() >= HBM_GB_S * 1e9
        return self.speed.memory_hbm if hbm else self.speed.memory_gddr

    def _blackwell(self) -> bool:
        gpu = self.hardware.gpu
        return gpu is not None and gpu.name.startswith(BLACKWELL)


def _roofline(
    sizing: Sizing, info: ModelInfo, engine: Engine, hardware: Hardware
) -> _Roofline | None:
    gpu = hardware.gpu
    speed = engine.speed.get(gpu.vendor) if gpu else None
    if gpu is None or speed is None or gpu.bf16_tflops is None or sizing.weights_gib is None:
        return None
    if not (info.params_total and info.layers) or sequence_bytes(info, 1) is None:
        return None
    fp8 = gpu.fp8_tflops if sizing.quantization in ("fp8", "int8") else None
    flops = (fp8 or gpu.bf16_tflops) * 1e12
    return _Roofline(info, speed, hardware, max(sizing.gpus, 1), sizing.weights_gib * GIB, flops)


def estimate(
    sizing: Sizing, info: ModelInfo, engine: Engine, hardware: Hardware, load: Load
) -> Sizing:
    """Return the sizing with its speeds filled in; unchanged where the hardware or the model is unknown."""
    model = _roofline(sizing, info, engine, hardware)
    if model is None or sizing.fit == "no":
        return sizing
    tokens = load.input_tokens + load.output_tokens // 2
    batch = max(1, min(load.concurrency, sizing.max_concurrency or load.concurrency))
    prefill = model.prefill(load.input_tokens)
    tpot = model.step(batch, tokens) + 1.17 * (batch - 1) * prefill / load.output_tokens
    return replace(
        sizing,
        decode_tok_s=_band(1 / model.step(1, tokens)),
        tpot_ms=_band(1000 * tpot),
        output_tok_s=_band(batch / tpot),
        saturated_tok_s=_band(_saturated(model, sizing, load, prefill)),
    )


MOST_SEQUENCES = 256
"""vLLM's default `max_num_seqs` on most GPUs: the batch does not grow past it."""


def _saturated(model: _Roofline, sizing: Sizing, load: Load, prefill: float) -> float:
    tokens = load.input_tokens + load.output_tokens
    held = (sizing.kv_capacity_tokens or tokens) // tokens
    batch = max(1, min(MOST_SEQUENCES, held))
    step = model.step(batch, load.input_tokens + load.output_tokens // 2)
    return batch * load.output_tokens / (load.output_tokens * step + batch * prefill)


def _band(value: float) -> Range:
    return (value * (1 - BAND), value * (1 + BAND))
