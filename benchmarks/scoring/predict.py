"""What `deployer` says of a row, with the range it gives; or why it says nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.scoring.case import MOST_TOKENS, Case, understand
from benchmarks.scoring.engines import Engines
from benchmarks.scoring.rows import Row
from deployer.core.domain import GIB, Sizing
from deployer.engines import Engine
from deployer.planning.sizing import kv_copies, loaded_gib
from deployer.planning.throughput import at_load, band_of, batch_at, roofline, saturated, tpot
from deployer.planning.throughput.roofline import Roofline

UNEVEN = 0.65
"""Mean share of the slots in use where requests end at different times and none follows: the last ones run
alone. Two thirds for lengths drawn evenly up to the longest; conversations (ShareGPT) are more uneven."""


@dataclass(frozen=True)
class Prediction:
    """A figure in the unit of its row, or the reason why there is none."""

    low: float | None = None
    value: float | None = None
    high: float | None = None
    basis: str = "unknown"
    reason: str = ""
    fit: str | None = None


def predict(row: Row, engines: Engines) -> Prediction:
    """Predict one row; never fails."""
    case = understand(row)
    return Prediction(reason=case) if isinstance(case, str) else of_case(case, engines)


def of_case(case: Case, engines: Engines) -> Prediction:
    """Predict a row that was understood."""
    served = case.served(engines)
    if case.metric == "weights_gib":
        return _scaled(_weights(case, served), case)
    if case.metric in ("kv_cache_gib", "kv_cache_tokens"):
        return _scaled(_cache(case, served), case)
    rule = SPEEDS.get(case.metric)
    if rule is None:
        known = case.metric == "ttft_ms"
        why = (
            "time to first token: measure it"
            if known
            else f"no model of {case.metric or 'nothing'}"
        )
        return Prediction(reason=why)
    return _scaled(_speed(case, served, rule), case)


def _weights(case: Case, served: Engine) -> Prediction:
    loaded = loaded_gib(case.info, served, case.form, case.gpus)
    if loaded is None:
        return Prediction(reason=f"the size of the weights in {case.form} is unknown")
    share = 1.0 / (1 if case.said.has("total") else case.gpus)
    low, high = loaded[0] * share, loaded[1] * share
    published = (
        case.form == (case.info.native_dtype or "bf16") and case.info.weights_bytes is not None
    )
    basis = "exact" if published and low == high else "estimated"
    return Prediction(0.99 * low, math.sqrt(low * high), 1.01 * high, basis)


def _cache(case: Case, served: Engine) -> Prediction:
    sized = case.sizing
    if sized.kv_capacity_tokens is None or sized.kv_capacity_range is None:
        return Prediction(reason=sized.limit or "unknown", fit=sized.fit)
    low, high = sized.kv_capacity_range
    scale = _cache_scale(case, served, sized)
    value = sized.kv_capacity_tokens * scale
    return Prediction(low * scale, value, high * scale, "estimated", fit=sized.fit)


def _cache_scale(case: Case, served: Engine, sized: Sizing) -> float:
    if case.metric == "kv_cache_gib":  # of one GPU
        copies = kv_copies(case.info, served, max(sized.gpus, 1))
        return (sized.kv_bytes_per_token or 0) * copies / max(sized.gpus, 1) / GIB
    info = case.info
    if served.name == "vllm" and info.window and info.full_attn_layers and info.layers:
        return (
            info.full_attn_layers / info.layers
        )  # its start-up line counts every layer as a full one
    return 1.0


def _speed(case: Case, served: Engine, rule: Rule) -> Prediction:
    sized = case.sizing
    fits = (
        sized.fit != "no" or case.vendor == "apple"
    )  # a chip is sold with several sizes of memory
    if not fits:
        return Prediction(reason=f"does not fit as described: {sized.limit}", fit=sized.fit)
    model = roofline(sized, case.info, served, case.hardware)
    if model is None:
        what = "model" if case.gpu and case.gpu.vendor in served.speed else "GPU under this engine"
        return Prediction(reason=f"no speed is known of this {what}", fit=sized.fit)
    value = rule(case, model, sized)
    if isinstance(value, str):
        return Prediction(reason=value, fit=sized.fit)
    band = 1 + band_of(model.speed, case.info)
    return Prediction(value / band, value, value * band, "estimated", fit=sized.fit)


Rule = Callable[[Case, Roofline, Sizing], float | str]


def _decode(case: Case, model: Roofline, _: Sizing) -> float | str:
    depth = min(case.said.first("ctx_avg", "ctx", "context") or 0, MOST_TOKENS)
    tokens = depth or case.said.depth or case.load.input_tokens + case.load.output_tokens / 2
    batch = case.asked or 1
    return batch / model.step(batch, tokens)


def _prefill(case: Case, model: Roofline, _: Sizing) -> float | str:
    if not case.lengths:
        return "the row gives no prompt length"
    return case.load.input_tokens / model.prefill(case.load.input_tokens)


def _tpot(case: Case, model: Roofline, sized: Sizing) -> float | str:
    if case.asked is None:
        return "the row gives no concurrency"
    if not case.lengths and case.asked > 1:
        return "the row gives no input length"
    return 1000 * tpot(model, batch_at(sized, model, case.load), case.load)


def _output(case: Case, model: Roofline, sized: Sizing) -> float | str:
    if not case.lengths:
        return "the row gives no input length"
    if case.asked is None or case.said.has("sharegpt", "request rate inf", "offline", "queued"):
        rate = case.replicas * saturated(model, sized, case.load)
        return rate * (UNEVEN if case.said.has("sharegpt") else 1.0)
    batch = batch_at(sized, model, case.load)
    if case.said.has("at once"):
        batch = max(1.0, UNEVEN * batch)
    return case.replicas * at_load(model, batch, case.load)


SPEEDS: Mapping[str, Rule] = {
    "decode_tok_s": _decode,
    "batched_decode_tok_s": _decode,
    "prefill_tok_s": _prefill,
    "tpot_ms": _tpot,
    "itl_ms": _tpot,
    "output_tok_s": _output,
    "max_output_tok_s": _output,
    "saturated_tok_s": _output,
}


def _scaled(found: Prediction, case: Case) -> Prediction:
    """Turn GiB and milliseconds into the unit of the row."""
    unit = case.row.text("unit").lower()
    factor = 1.0
    if case.metric.endswith("_gib"):
        factor = {"gb": GIB / 1e9, "mib": 1024.0, "mb": GIB / 1e6}.get(unit, 1.0)
    elif case.metric.endswith("_ms"):
        factor = {"s": 0.001, "us": 1000.0}.get(unit, 1.0)
    if found.value is None or found.low is None or found.high is None:
        return found
    low, value, high = (factor * x for x in (found.low, found.value, found.high))
    return Prediction(low, value, high, found.basis, found.reason, found.fit)
