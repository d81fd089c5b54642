"""What a row asks, in the words of `deployer`: model, format, hardware, engine and load; or why that is unknown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from benchmarks.scoring import engines, known
from benchmarks.scoring.rows import Conditions, Row, conditions
from deployer.core.domain import Gpu, ModelInfo, Sizing
from deployer.core.gpu_traits import DRIVER_SHARE
from deployer.engines import Engine
from deployer.planning.sizing import Hardware, Load, size

INPUT = ("isl", "input_len", "input_tokens", "input_length", "prompt_tokens", "prompt_len", "prompt",
         "input", "in", "pp", "npp")  # fmt: skip
OUTPUT = ("osl", "output_len", "output_tokens", "output_length", "max_tokens", "output", "out", "tg",
          "ntg", "gen")  # fmt: skip
CONCURRENCY = ("conc", "concurrency", "max_concurrency", "users", "batch", "batch_size", "bs", "npl",
               "parallel", "clients", "num_users", "b")  # fmt: skip
FRACTION = ("util", "gpu_memory_utilization", "gpu_mem_util", "mem_fraction_static", "mem_fraction",
            "kv_fraction", "free_gpu_memory_fraction")  # fmt: skip
EIGHT_BIT_KV = ("fp8 kv", "kv fp8", "fp8_e4m3 kv", "kv_cache_dtype=fp8", "kv=fp8", "kv_dtype=fp8")
SIXTEEN_BIT_KV = ("bf16 kv", "fp16 kv", "kv bf16", "kv=bf16")
MOST = 100_000
"""Greater counts of requests and GPUs in a row are taken as this."""
MOST_TOKENS = 10_000_000
_DRAWN = re.compile(r"\bid=20\d\d_")
DRAWN_SHARE = 0.9
"""InferenceX draws lengths from 80 to 100 % of the nominal ones."""
_LENGTHS = re.compile(r"\b(\d{2,6})\s*(?:x|/|in\s*/?\s*)\s*(\d{1,6})\b")
_AT_ONCE = re.compile(r"\b(\d+) requests? at once|\b(\d+) concurrent")


@dataclass(frozen=True, eq=False)
class Case:
    """A row that was understood. `lengths` is False where the row gives no input length."""

    row: Row
    info: ModelInfo
    gpu: Gpu | None
    form: str
    engine: str
    vendor: str
    gpus: int
    replicas: int
    said: Conditions
    load: Load
    asked: int | None  # concurrency, where the row gives one
    lengths: bool

    @property
    def metric(self) -> str:
        """What was measured."""
        return self.row.text("metric")

    @cached_property
    def hardware(self) -> Hardware:
        """The hardware of the row; memory as it says, else as the GPU has it."""
        gpu = self.gpu
        total = self.said.first("total_gib")
        if total:
            memory: float | None = min(total, 1e5) / DRIVER_SHARE
        elif gpu is None:
            memory = None
        else:
            reported = gpu.vram_mib_reported
            memory = reported / 1024 if reported else gpu.vram_gb
        return Hardware(gpu, self.gpus, memory, overhead_gib=self._overhead())

    def _overhead(self) -> tuple[float, float] | None:
        """What vLLM's own start-up line names as lost: `non_torch 0.20 act 0.37`."""
        parts = [
            re.search(rf"{name}\s*=?\s*([\d.]+)", self.said.text) for name in ("non_torch", "act")
        ]
        found = [float(p[1]) for p in parts if p]
        return (0.95 * sum(found), 1.05 * sum(found)) if len(found) == len(parts) else None

    def served(self, all_engines: Mapping[str, Engine]) -> Engine:
        """The engine with the memory fraction and the KV cache of the row."""
        return replace(all_engines[self._build], **self._settings)

    @cached_property
    def sizing(self) -> Sizing:
        """The sizing, whatever context the model was trained for. It does not depend on an engine's speed."""
        info = replace(self.info, max_context=None)
        return size(info, self.served(engines.known()), self.form, self.hardware, self.load)

    @cached_property
    def _build(self) -> str:
        old = self.engine == "llama.cpp" and engines.before_flash(self.said.text)
        return "llama.cpp old" if old else self.engine

    @cached_property
    def _settings(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        share = self.said.first(*FRACTION)
        if share and share <= 1:
            found["memory_fraction"] = share
        if self.said.has(*EIGHT_BIT_KV):
            found["kv_8bit"] = (self.form,)
        elif self.said.has(*SIXTEEN_BIT_KV):
            found["kv_8bit"] = ()
        if most := self.said.first("max_num_seqs", "max_batch_size", "max_running_requests"):
            found["most_sequences"] = max(1, min(int(most), MOST))
        return found


def understand(row: Row) -> Case | str:
    """Return what a row asks, or why it cannot be told."""
    info = known.model(row.text("model"))
    if info is None:
        return f"unknown model: {row.text('model') or 'none named'}"
    quant = row.text("quant")
    form = known.form(quant or row.text("model"), info) or (None if quant else known.form("", info))
    if form is None:
        return f"unknown format: {row.text('quant')}"
    engine = engines.name(row.text("engine"))
    if engine is None:
        return f"unknown engine: {row.text('engine') or 'none named'}"
    gpu = known.gpu(row.text("gpu"))
    if gpu is None and row.text("metric") != "weights_gib":
        return f"unknown GPU: {row.text('gpu') or 'none named'}"
    if engine == "llama.cpp" and form == "mxfp4":
        form = "mxfp4_moe"
    return _case(row, info, gpu, form, engine)


def _case(row: Row, info: ModelInfo, gpu: Gpu | None, form: str, engine: str) -> Case:
    said = conditions(row.text("conditions"))
    tp, replicas = _count(said.first("tp")), _count(said.first("dp"))
    gpus = max(row.gpus, tp)
    if gpus % replicas or tp * replicas > gpus:
        replicas = 1  # data parallel within one copy, or a row that contradicts itself
    gpus //= replicas
    asked = _asked(said)
    load, lengths = _load(said, max(1, -(-(asked or 1) // replicas)))
    return Case(row, info, gpu, form, engine, gpu.vendor if gpu else "any", gpus, replicas, said, load,
                asked, lengths)  # fmt: skip


def _count(number: float | None) -> int:
    return max(1, min(round(number or 1), 1024))


def _asked(said: Conditions) -> int | None:
    number = said.first(*CONCURRENCY)
    if number is None and (found := _AT_ONCE.search(said.text)):
        number = float(found[1] or found[2])
    return None if number is None else max(1, min(round(number), MOST))


def _load(said: Conditions, concurrency: int) -> tuple[Load, bool]:
    into, out = said.first(*INPUT), said.first(*OUTPUT)
    if into is None and (found := _LENGTHS.search(said.text)):
        into, out = float(found[1]), out or float(found[2])
    lengths = into is not None
    if said.phase == "pp" and said.phase_tokens:
        into, lengths = float(said.phase_tokens), True
    share = DRAWN_SHARE if _DRAWN.search(said.text) else 1.0
    tokens = (_tokens((into or 128) * share), _tokens((out or 128) * share))
    at = said.first("max_model_len", "max_seq_len", "context", "ctx")
    return Load(_tokens(at) if at else sum(tokens), concurrency, *tokens), lengths


def _tokens(number: float) -> int:
    return max(1, round(min(number, MOST_TOKENS)))
