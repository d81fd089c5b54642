"""What is said of an engine: the record `Engine`, and its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Literal, Protocol

from deployer.core.adapter import Adapter
from deployer.core.domain import Gpu, ModelInfo, Range
from deployer.core.records import dataclass


@dataclass(frozen=True)
class Metrics:
    """What an engine calls its figures at /metrics, in Prometheus' text format.

    `running` are the gauges of requests that run or wait. `output_tokens`, `prompt_tokens` and `requests` (answered
    ones) are counted since its start; None: it does not count that. `last_request` is when it was last asked,
    in seconds since 1970.
    """

    running: tuple[str, ...]
    output_tokens: str | None = None
    prompt_tokens: str | None = None
    requests: str | None = None
    last_request: str | None = None

    @property
    def finished(self) -> tuple[str, ...]:
        """The counters, which grow when something was answered."""
        counters = (self.requests, self.output_tokens, self.prompt_tokens)
        return tuple(name for name in counters if name)


@dataclass(frozen=True)
class Speed:
    """Constants of the roofline (`deployer.planning.throughput`) of one engine.

    Shares of the GPU's memory bandwidth that decoding reaches: `memory_gddr`, `memory_hbm` and
    `memory_unified` for weights, by kind of memory; `kv` for the KV cache.
    Microseconds of one step: `step_us` at all, `layer_us` a layer, `moe_us` more in a layer of experts,
    `tp_us` more a layer with tensor parallelism, `sequence_us` a sequence of the batch, `hop_us` from GPU
    to GPU where layers are split.
    Shares of dense peak FLOPS: `decode` for batches, `prefill` and `prefill_8bit` for prompts (times
    `prefill_4bit` in FP4, `prefill_moe` with experts, `prefill_blackwell` there, `prefill_packed` where
    weights must be unpacked first), `attention` for a prompt's attention.
    `link` is the share of the GPU link's bandwidth. `interference` is how much each other request's prompt
    holds a request up. `band` is how far off the 80th percentile of held-out predictions was, as a share.
    """

    memory_gddr: float
    memory_hbm: float
    memory_unified: float
    layer_us: float
    kv: float = 0.7
    step_us: float = 0.0
    moe_us: float = 0.0
    tp_us: float = 0.0
    sequence_us: float = 0.0
    hop_us: float = 0.0
    decode: float = 0.6
    prefill: float = 0.77
    prefill_8bit: float = 0.6
    prefill_4bit: float = 0.8
    prefill_moe: float = 0.45
    prefill_blackwell: float = 1.0
    prefill_packed: float = 1.0
    attention: float = 0.5
    link: float = 0.7
    interference: float = 1.17
    unlinked: float = 2.5  # what tp_us grows by where GPUs have no NVLink
    no_marlin: float = 0.5  # memory share of 4-bit kernels before Ampere, beside Marlin's
    columns: bool = (
        False  # True: each further sequence's work adds to the step, as it unpacks weights anew
    )
    grouped_kv: bool = True  # False: without flash attention every query head reads the cache anew
    tflops_per_watt: Mapping[str, float] = field(default_factory=dict)  # prefill's ceiling
    band: float = 0.25
    band_moe: float = 0.35


class Overhead(Protocol):
    """What a GPU (or the host) loses besides weights and KV cache, in GiB: lowest and highest."""

    def __call__(self, info: ModelInfo, /, gpus: int = 1, memory_gib: float | None = None) -> Range:
        """Return the band for one of `gpus` GPUs with `memory_gib` of memory each."""
        ...


class Refusal(Protocol):
    """Why a GPU cannot run a format."""

    def __call__(self, gpu: Gpu | None, format_name: str, /) -> str | None:
        """Return the reason, or None where it can. `gpu` None is a CPU."""
        ...


SILENT: Mapping[str, str] = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""For every engine: the common request not to track, that of the model hub's libraries, and Ray's, which engines start."""
OFFLINE: Mapping[str, str] = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
"""The model hub's libraries then read their cache and open no connection."""
ReadStart = Callable[[Iterable[str]], Mapping[str, float]]
"""Figures of an engine's start-up log, `kv_capacity_tokens` among them; {} where there are none."""


AdapterCheck = Callable[[Adapter], str | None]
"""Why an engine cannot serve an adapter, in words; None where it can."""


@dataclass(frozen=True)
class Engine:
    """One engine: a program that serves a model.

    `families` are the files that it serves: safetensors, GGUF, or a handler.py of the user's own.
    `formats` are the families of quantized formats that it serves (`Format.family`), its own first.
    `suggested_formats` are named where the spec asks for one that it does not serve.
    `by_name` are the vendors on which it is taken only when the spec names it.
    `memory_fraction` is the share of the memory that the engine takes by default.
    `online` are the formats it makes itself from 16-bit weights as it loads them.
    `load_factor` says how much larger a format is in memory than in its files.
    `split` says how it uses several GPUs: each layer over all of them, or whole layers one after the other.
    `reserves` says whether it takes its share of the memory when it starts, whatever the model needs.
    `offloads` says whether layers that do not fit on the GPU can stay on the CPU.
    `most_sequences` bounds the batch; None: as many as are asked for.
    `kv_8bit` are the formats with which it keeps the KV cache in 8 bits by default; `kv_as_published` says whether
    it keeps it in 8 bits where the checkpoint asks for that.
    `halves_fp32` says whether it serves weights of 32 bits in 16.
    `managed`: a provider runs it on hardware of its own choice, which is neither named nor rented by itself.
    `read_start` reads what it says of itself in its log when it starts.
    `ignores_eos` says whether a request may ask it (`ignore_eos`) to go on until `max_tokens`.
    `metrics` says what it calls its figures; None: it has none, so nobody sees whether it is used.
    `elsewhere` is what to do where a provider does not run it. `also_called` are other names that people write for it.
    `adapters` says of a LoRA adapter why it cannot serve it; None: it serves none.
    `silent` are the variables that keep it, and the libraries that it is made of, from reporting their use; `offline`
    those with which it takes what it needs from the disk alone.
    """

    name: str
    families: tuple[Literal["safetensors", "gguf", "handler"], ...]
    vendors: tuple[str, ...]  # of `Gpu.vendor`; "cpu" for none
    memory_fraction: float
    overhead_gib: Overhead
    refuses: Refusal
    speed: Mapping[str, Speed]  # by vendor; a vendor without constants has no estimate
    formats: tuple[Literal["safetensors", "gguf", "mlx"], ...] = ()
    suggested_formats: tuple[str, ...] = ()
    by_name: tuple[str, ...] = ()
    online: tuple[str, ...] = ()
    load_factor: Mapping[str, Range] = field(default_factory=dict)
    health_path: str = "/health"
    split: Literal["tensor", "layer"] = "tensor"
    reserves: bool = False
    offloads: bool = False
    most_sequences: int | None = None
    kv_8bit: tuple[str, ...] = ()
    kv_as_published: bool = False
    halves_fp32: bool = False
    managed: bool = False
    ignores_eos: bool = False
    read_start: ReadStart | None = None
    metrics: Metrics | None = None
    elsewhere: str | None = None
    also_called: tuple[str, ...] = ()
    adapters: AdapterCheck | None = None
    silent: Mapping[str, str] = field(default_factory=lambda: SILENT)
    offline: Mapping[str, str] = field(default_factory=lambda: OFFLINE)

    @property
    def runs_handlers(self) -> bool:
        """Whether it serves a handler.py of the user's own."""
        return "handler" in self.families

    @property
    def serves_one_file(self) -> bool:
        """Whether its model is a single file, and never a folder."""
        return self.families == ("gguf",)

    def kv_share(self, info: ModelInfo, format_name: str) -> float:
        """Return the size of the growing KV cache beside one of 16 bits."""
        if self.kv_as_published and info.kv_share is not None and format_name == info.native_dtype:
            return info.kv_share
        return 0.5 if format_name in self.kv_8bit else 1.0

    def refuses_cache(self, info: ModelInfo, gpu: Gpu | None, format_name: str) -> str | None:
        """Say why a GPU cannot keep the KV cache that the checkpoint asks for, or None.

        Without fp8 units vLLM ends with "type fp8e4nv not supported in this architecture" (its issue 26431).
        """
        if self.kv_share(info, format_name) == 1.0 or info.kv_share is None:
            return None
        if gpu is None or gpu.fp8_tflops is not None:
            return None
        return f"its checkpoint asks for a KV cache in fp8, and {gpu.name} has no fp8"

    def served_as(self, native: str, gpu: Gpu | None) -> str:
        """Return the format in which it serves one that is published, where nobody asks for another."""
        if native != "fp32" or not self.halves_fp32:
            return native
        return "fp16" if self.refuses(gpu, "bf16") else "bf16"
