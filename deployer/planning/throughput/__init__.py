"""How fast a model is on given hardware: a roofline, labelled estimated and shown as a range. Pure.

The roofline itself is `deployer.planning.throughput.roofline`; here is what it says of a load:

    TPOT       step(C) + 1.17 x (C - 1) x prefill / output tokens, C bounded by the KV cache
    at load    C x output / (output x step + (1 + 1.17 x (C - 1)) x prefill)
    saturated  C x output / (output x step + C x prefill), with the greatest C that the KV cache holds

Ranges are as wide as 80 % of the held-out predictions needed (`Speed.band`, from `benchmarks/sizing`).
There is no time to first token under load: its held-out error was 56 to 79 % where it was tried (fact
sheet), so it must be measured. What is given is its floor, one prompt on idle hardware.
"""

from __future__ import annotations

from dataclasses import replace

from deployer.core.domain import GIB, ModelInfo, Range, Sizing
from deployer.core.quantization import FORMATS, expert_params
from deployer.engines import Engine, Speed
from deployer.planning.sizing import Hardware, Load, sequence_bytes
from deployer.planning.throughput.roofline import Roofline

HOST_GB_S: Range = (40, 200)
"""Memory bandwidth of hosts, whose own is not known: two channels of DDR4 to eight of DDR5."""


def roofline(
    sizing: Sizing, info: ModelInfo, engine: Engine, hardware: Hardware
) -> Roofline | None:
    """Return the roofline of a model on hardware, or None where one of them is unknown."""
    gpu = hardware.gpu
    speed = engine.speed.get(gpu.vendor) if gpu else None
    if gpu is None or speed is None or not (gpu.bf16_tflops and gpu.bandwidth_gb_s):
        return None
    known = info.params_total and info.layers and sequence_bytes(info, 1) is not None
    if sizing.quantization not in FORMATS:
        return None
    if sizing.weights_gib is None or not known or (info.experts and expert_params(info) is None):
        return None
    return Roofline(
        info, engine, speed, gpu, max(sizing.gpus, 1), sizing.weights_gib * GIB, sizing.quantization
    )


def estimate(
    sizing: Sizing, info: ModelInfo, engine: Engine, hardware: Hardware, load: Load
) -> Sizing:
    """Return the sizing with its speeds filled in; unchanged where the hardware or the model is unknown."""
    model = roofline(sizing, info, engine, hardware)
    if model is None or sizing.fit == "no":
        return sizing
    if sizing.cpu_layers:
        return _from_host(sizing, model, info, load)
    tokens = load.input_tokens + load.output_tokens / 2
    batch = batch_at(sizing, model, load)
    band = band_of(model.speed, info)
    prefill = model.prefill(load.input_tokens)
    return replace(
        sizing,
        decode_tok_s=_band(1 / model.step(1, tokens), band),
        tpot_ms=_band(1000 * tpot(model, batch, load), band),
        output_tok_s=_band(at_load(model, batch, load), band),
        saturated_tok_s=_band(saturated(model, sizing, load), band),
        prefill_tok_s=_band(load.input_tokens / prefill, band),
        ttft_floor_ms=_band(1000 * prefill, band),
    )


def band_of(speed: Speed, info: ModelInfo) -> float:
    """Return the half-width of a range, as a share: wider for mixtures of experts."""
    return speed.band_moe if info.experts else speed.band


def batch_at(sizing: Sizing, model: Roofline, load: Load) -> float:
    """Return how many requests run at once: those asked for, as far as the KV cache and the engine hold them."""
    tokens = load.input_tokens + load.output_tokens / 2
    most = min(load.concurrency, model.engine.most_sequences or load.concurrency)
    held = _held(sizing, model, tokens)
    return max(1.0, min(most, most if held is None else held))


def tpot(model: Roofline, batch: float, load: Load) -> float:
    """Return seconds between two tokens of one request among `batch`, whose prompts hold each other up."""
    tokens = load.input_tokens + load.output_tokens / 2
    others = model.speed.interference * (batch - 1) * model.prefill(load.input_tokens)
    return model.step(batch, tokens) + others / load.output_tokens


def at_load(model: Roofline, batch: float, load: Load) -> float:
    """Return output tokens per second of all requests together, each sent when one ends."""
    seconds = load.output_tokens * tpot(model, batch, load) + model.prefill(load.input_tokens)
    return batch * load.output_tokens / seconds


def saturated(model: Roofline, sizing: Sizing, load: Load) -> float:
    """Return output tokens per second with all requests queued."""
    held = _held(sizing, model, load.input_tokens + load.output_tokens)
    most = model.engine.most_sequences or load.concurrency
    batch = max(1.0, min(most, most if held is None else held))
    step = model.step(batch, load.input_tokens + load.output_tokens / 2)
    prompts = batch * model.prefill(load.input_tokens)
    return batch * load.output_tokens / (load.output_tokens * step + prompts)


def _held(sizing: Sizing, model: Roofline, tokens: float) -> float | None:
    """Return how many sequences of some length the KV cache holds."""
    if sizing.kv_capacity_tokens is None or not sizing.kv_bytes_per_token:
        return None
    return sizing.kv_capacity_tokens * sizing.kv_bytes_per_token / model.sequence(tokens)


def _from_host(sizing: Sizing, model: Roofline, info: ModelInfo, load: Load) -> Sizing:
    """Speed of one request when layers stay on the CPU: their weights are read from host memory each step."""
    share = (sizing.cpu_layers or 0) / (info.layers or 1)
    tokens = load.input_tokens + load.output_tokens / 2
    on_gpu = model.step(1, tokens) * (1 - share)
    read = (model.weights_read(1) + model.sequence(tokens)) * share
    slow, fast = (on_gpu + read / (gb_s * 1e9) for gb_s in HOST_GB_S)
    cost = (
        f"; that is {1 / slow:.1f} to {1 / fast:.1f} tokens/s if it moves {HOST_GB_S[0]:.0f} to"
        f" {HOST_GB_S[1]:.0f} GB/s, instead of {1 / model.step(1, tokens):.0f} with all layers on the GPU"
    )
    return replace(
        sizing, limit=f"{sizing.limit}{cost}", decode_tok_s=(1 / slow, 1 / fast), tpot_ms=(1000 * fast, 1000 * slow),
        output_tok_s=(1 / slow, 1 / fast),
    )  # fmt: skip


def _band(value: float, band: float) -> Range:
    return value / (1 + band), value * (1 + band)
