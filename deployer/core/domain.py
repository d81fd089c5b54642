"""The words of the design as frozen data: what one stage hands to the next.

Pure and light: it imports nothing of this package, so every stage and every provider may use it.
Sizes are bytes, GiB (2**30) or MiB (2**20) as each name says; money is `Decimal` US dollars.
`None` means unknown: it is never a zero and never a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, Literal

GIB = 2**30
MIB = 2**20
HOURS_PER_MONTH = 730
"""Hours in a month as cloud price pages count them: 365 x 24 / 12."""
SECONDS_PER_HOUR = 3600

TARGETS = ("local", "cloud-gpu", "serverless")

Basis = Literal["exact", "measured", "estimated", "unknown"]
Fit = Literal["fits", "tight", "no", "unknown"]
State = Literal["starting", "healthy", "unhealthy", "stopped", "failed"]
"""How a deployment is."""
Vendor = Literal["nvidia", "amd", "apple", "aws", "other"]
"""Who made a GPU."""
Range = tuple[float, float]
"""Lowest and highest likely value."""


@dataclass(frozen=True)
class Keyword:
    """A keyword of JSON Schema beside a type: which of its values there can be. A value of None takes it away."""

    name: str
    value: str | int | tuple[str | int, ...] | None


Date = Annotated[str, Keyword("pattern", r"^\d{4}-\d{2}(-\d{2})?$")]
"""ISO 8601; some sources say the month only."""
Price = Annotated[Decimal, Keyword("exclusiveMinimum", 0), Keyword("minimum", None)]
"""What is rented has a price above 0."""
VOWEL_SOUNDS = "AEFHILMNORSX"
"""Letters whose names begin with a vowel: an L4, an H100, a T4."""
Signed = Annotated[float, Keyword("minimum", None)]
"""All other figures are sizes, counts and money: none is negative."""


@dataclass(frozen=True)
class Part:
    """A width of a model that tensor parallelism divides: `size` of `name`, only in pieces of whole `unit`s.

    `unit` is 1, or a block or group of quantized weights that no cut may go through.
    """

    name: str  # as the message says it, such as moe_intermediate_size
    size: int
    unit: int = 1


@dataclass(frozen=True)
class ModelInfo:
    """What is known about one model. Every field but `name` may be unknown (`None`).

    `kv_bytes_per_token` is what each further token adds at 16 bits a value (sliding-window layers
    past their window add nothing); `state_bytes_per_seq` is the fixed state of hybrid models.
    `weights_bytes` is the size of the tensors in the format `native_dtype`.
    `kv_share` is the size of the growing KV cache beside 16 bits that the checkpoint asks the engine for.
    `embedding_params` counts the embedding and the head, which AWQ and GPTQ leave at 16 bits.
    `origins` names, for each field that is known, where the figure was read. `attention` "none" is an encoder's, which
    keeps no cache.
    """

    name: str
    architecture: str | None = None  # "Qwen3ForCausalLM", or the GGUF architecture "llama"
    file_format: Literal["safetensors", "gguf", "handler"] | None = None
    params_total: int | None = None
    params_active: int | None = None
    layers: int | None = None
    hidden: int | None = None
    attn_heads: int | None = None
    kv_heads: int | None = None
    head_dim: int | None = None
    max_context: int | None = None
    attention: Literal["full", "sliding", "mla", "hybrid", "other", "none"] | None = None
    full_attn_layers: int | None = None
    window: int | None = None
    experts: int | None = None
    experts_per_token: int | None = None
    kv_bytes_per_token: int | None = None
    kv_window_bytes: int | None = None  # one sequence's full sliding window at 16 bits
    state_bytes_per_seq: int | None = None
    kv_share: float | None = None
    native_dtype: str | None = (
        None  # a name of `deployer.core.quantization`: bf16, fp8, awq, q4_k_m; or another method's own
    )
    weights_bytes: int | None = None
    embedding_params: int | None = None
    gated: bool | None = (
        None  # whether its terms must be accepted at the model hub before it can be fetched
    )
    other_use: str | None = None  # what it is, where it does not generate text: "an encoder (bert)"
    parts: tuple[Part, ...] = ()  # what tensor parallelism divides, besides heads
    origins: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gpu:
    """One GPU or unified-memory chip. Dense (never sparse) TFLOPS; bandwidth in GB/s (10**9). None: unknown."""

    name: str
    vram_gb: float
    bandwidth_gb_s: float | None
    bf16_tflops: float | None
    fp8_tflops: float | None
    watts: float | None
    list_price_usd: Decimal | None
    vendor: Vendor
    source: str
    vram_mib_reported: int | None = None  # what a cloud or the driver reports, below the nominal


@dataclass(frozen=True)
class Offer:
    """One buyable way to get the hardware. `usd_per_hour` is None when unpriced, never 0."""

    provider: str
    region: str | None
    instance_type: str
    gpu: str | None
    gpu_count: int
    vram_mib: int | None  # of one GPU, as the provider reports it
    usd_per_hour: Price | None
    billing: str  # on-demand | spot | per-minute | owned
    source: str
    as_of: Date | None  # of the price
    vcpus: int | None = None
    memory_gib: float | None = None
    gpu_fraction: float | None = None  # the share of one GPU, where it is not a whole one
    gpu_ids: tuple[str, ...] = ()  # which of the machine's GPUs, where it has others too
    gpu_vendor: Vendor | None = None  # `Gpu.vendor`, of one that the catalog may not have

    @property
    def gpu_words(self) -> str | None:
        """The GPUs in words: `2x L4`, or `1/8 of an L4` of a slice; None without one."""
        if not self.gpu:
            return None
        if self.gpu_fraction is None:
            return f"{self.gpu_count}x {self.gpu}"
        share = Fraction(self.gpu_fraction).limit_denominator(100)
        return f"{share} of {'an' if self.gpu[:1] in VOWEL_SOUNDS else 'a'} {self.gpu}"


@dataclass(frozen=True)
class Rate:
    """The price of one unit of one component in one region. `usd` None: unpriced."""

    component: str
    unit: str
    usd: Decimal | None
    source: str
    as_of: str | None


@dataclass(frozen=True)
class Resource:
    """One thing that will exist: a Pulumi type and its inputs, or a process, or an endpoint."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    action: Literal["create", "update", "replace", "delete", "same"] = "create"


@dataclass(frozen=True)
class Item:
    """One line of the bill: quantity x unit price a month.

    `when`: "running" stops with the machine, "exists" is paid even while it is stopped,
    "used" follows the traffic. `monthly_usd` is None when unpriced. `monthly_range` is given where
    the quantity is an estimate.
    """

    resource: str
    component: str
    quantity: Decimal | None
    unit: str
    unit_price_usd: Decimal | None
    monthly_usd: Decimal | None
    when: Literal["running", "exists", "used"]
    source: str
    as_of: str | None
    basis: Basis = "exact"
    monthly_range: tuple[Decimal, Decimal] | None = None


@dataclass(frozen=True)
class Usage:
    """What the spec's traffic asks of a deployment in a month of 730 h.

    `active_hours` is how long the copies of a scale-to-zero endpoint are awake, all of them together, lowest and
    highest likely.
    """

    requests: Decimal
    input_tokens: Decimal
    output_tokens: Decimal
    egress_gb: Decimal
    log_gb: Decimal
    active_hours: tuple[Decimal, Decimal]
    busy_hours: tuple[Decimal, Decimal]


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


@dataclass(frozen=True)
class Estimate:
    """The bill: line items, and what they add up to. `unpriced` names what has no price."""

    items: tuple[Item, ...]
    unpriced: tuple[str, ...]
    hourly_usd: Decimal | None  # while it runs
    monthly_usd: Decimal | None  # 730 h at the spec's traffic
    monthly_range: tuple[Decimal, Decimal] | None
    idle_hourly_usd: Decimal | None  # stopped, or scaled to zero
    usd_per_1m_tokens: tuple[Decimal, Decimal] | None


@dataclass(frozen=True)
class Verdict:
    """What one rule of the spec's policy says of a plan."""

    rule: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class Alternative:
    """Another offer that was weighed, with its fit, and what would exist and cost with it in the plan's place."""

    offer: Offer
    sizing: Sizing
    monthly_usd: Decimal | None
    order: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    resources: tuple[Resource, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What will exist for one target and what it costs. `apply` takes this and nothing else."""

    deployment: str  # <spec name>-<target>
    spec_name: str
    spec_digest: str  # sha256 of the validated spec
    target: str
    provider: str
    feasible: bool
    model: ModelInfo
    reasons: tuple[str, ...] = ()  # why it is not feasible, and what would be
    sizing: Sizing | None = None
    offer: Offer | None = None
    alternatives: tuple[Alternative, ...] = ()
    resources: tuple[Resource, ...] = ()
    files: tuple[tuple[str, str], ...] = ()  # path, sha256
    cost: Estimate | None = None
    policy: tuple[Verdict, ...] = ()
    warnings: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)  # every default that was taken
    inputs: Mapping[str, Any] = field(default_factory=dict)  # what the provider's program is given
    order: Mapping[str, Any] = field(default_factory=dict)  # what the inputs were made from
    usage: Usage | None = None  # the traffic that the cost is counted for
    options: Mapping[str, Any] = field(default_factory=dict)  # the spec's `targets.<target>`
    deployed: str | None = None  # stands for the state of what is deployed; None: nothing is
    unkept: Mapping[str, str] = field(default_factory=dict)  # why keys of the policy do nothing
