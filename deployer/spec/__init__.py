"""The spec: what a user writes, as frozen data. `load` reads it, `problems` refuses what cannot be.

The annotations and the text under each field are also the JSON Schema (`deployer schema`) and what
pydantic validates (`validate.py`); this file itself imports neither, so that a command that only
reads a stored plan does not pay for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from deployer.core.model_source import REPO
from deployer.core.records import dataclass
from deployer.spec import near_misses
from deployer.spec.fields import (
    STRICT,
    Amount,
    Budget,
    Count,
    Duration,
    EngineName,
    Layers,
    Least,
    Parameters,
    Pattern,
    Pieces,
    Quantization,
    Replicas,
)
from deployer.spec.targets import CloudGpu, Hardware, Local, Serverless, Targets

__all__ = [
    "AUTO",
    "SOURCE",
    "CloudGpu",
    "Decide",
    "Facts",
    "Handler",
    "Hardware",
    "Idle",
    "Local",
    "Model",
    "Policy",
    "Scale",
    "Serve",
    "Serverless",
    "Spec",
    "Targets",
    "Traffic",
]

AUTO = "auto"
"""What leaves a choice to the plan."""
SOURCE = (
    rf"^(hf:{REPO}"
    r"|(?!(?:https?|ollama|file|docker|oci|git|ssh|hf|hub|hug\w+):)[a-z][a-z0-9]*://[a-z0-9][a-z0-9._-]+(/.+)?"
    r"|\.{1,2}/.+|/.+)$"
)


@dataclass(frozen=True)
class Facts:
    """Facts about the model that neither its files nor the catalog nor the hub state."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    params: Parameters | None = None
    """Total parameters."""
    active_params: Parameters | None = None
    """Parameters that one token uses (mixture of experts)."""
    layers: Layers | None = None
    hidden: Count | None = None
    attn_heads: Count | None = None
    kv_heads: Count | None = None
    head_dim: Count | None = None
    max_context: Count | None = None
    dtype: Annotated[str, Quantization()] | None = None
    """The format of the published weights, such as bf16 or awq."""
    weights_gib: Amount | None = None


@dataclass(frozen=True)
class Model:
    """Which model, and in which form."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    source: Annotated[
        str,
        Pattern(
            SOURCE,
            "hf:<repo>[@revision], <scheme>://bucket/prefix, ./folder or ./file.gguf",
            near_misses.source,
        ),
    ]
    """hf:<repo>[@revision] | <scheme>://bucket/prefix, as far as the provider reads it | ./folder | ./file.gguf"""
    adapter: (
        Annotated[
            str,
            Pattern(
                SOURCE,
                "hf:<repo>[@revision], <scheme>://bucket/prefix or ./folder",
                near_misses.source,
            ),
        ]
        | None
    ) = None
    """A LoRA adapter that is served with the model."""
    quantization: Annotated[str, Quantization("auto", "none")] = "auto"
    """auto | none | fp8 | awq | gptq | q4_k_m | q8_0 | ... `auto` takes the least lossy that fits."""
    context: Count | Literal["auto"] = "auto"
    """Longest prompt and answer together, in tokens. `auto`: 8192, or the model's own limit if lower."""
    facts: Facts = field(default_factory=Facts)


@dataclass(frozen=True)
class Scale:
    """How many copies of the model serve at once."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    min: Annotated[int, Least(0, most=1024)] = 1
    max: Pieces = 1


@dataclass(frozen=True)
class Handler:
    """How your own handler.py is served."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    route: Literal["chat", "predict"] = "chat"
    """chat: /v1/chat/completions, as in OpenAI's API. predict: /predict, with JSON that the handler defines."""
    timeout: Annotated[int, Duration()] = 60
    """Longest wait for an answer, or for the next chunk of a streamed one."""
    max_request_mb: Annotated[int, Least(1, most=1024)] = 4


@dataclass(frozen=True)
class Serve:
    """How it is served."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    engine: Annotated[str, EngineName(AUTO)] = AUTO
    concurrency: Count = 8
    """Requests answered at the same time."""
    replicas: Annotated[Scale, Replicas()] = Scale()
    """A number, or {min, max}."""
    handler: Handler | None = None
    """Only for an engine that serves your own handler.py."""


Hourly = Annotated[tuple[Amount, ...], Least(24, of="length", most=24)]


@dataclass(frozen=True)
class Traffic:
    """The requests that users are expected to send. Cost per token and idle time follow from it."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    requests_per_day: Amount = Decimal(1000)
    input_tokens: Count = 800
    """Tokens of a typical prompt."""
    output_tokens: Count = 300
    """Tokens of a typical answer."""
    profile: Literal["steady", "office-hours", "diurnal", "spiky"] | Hourly = "steady"
    """How the day's requests are spread over the week, or 24 weights, one for each hour of the day."""


@dataclass(frozen=True)
class Idle:
    """What happens to a rented machine that nobody uses."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    after: Annotated[int, Duration()] = 1800
    action: Literal["stop", "destroy", "none"] = "stop"


@dataclass(frozen=True)
class Policy:
    """What must not happen. A plan that breaks it is refused."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    privacy: Annotated[
        str,
        Pattern(
            r"^(local-only|cloud-ok|region:[a-z]{2}[a-z0-9-]*)$",
            "local-only, region:eu, region:<country> or cloud-ok",
            near_misses.privacy,
        ),
    ] = "cloud-ok"
    """local-only | region:eu (its member states) | region:<country>, such as region:uk | region:<id> | cloud-ok"""
    budget: Annotated[Decimal, Budget()] | None = None
    """The highest cost allowed, such as 400 USD/month."""
    over_budget: Literal["stop", "warn"] = "stop"
    """What happens to a rented machine that has used up its budget this month; a warning comes from 80 % on."""
    idle: Idle = Idle()
    expires: Annotated[int, Duration()] | None = None
    """When a rented machine is removed, in use or not, counted from `up`, such as 7d."""


@dataclass(frozen=True)
class Decide:
    """What `deployer compare` takes into account. It does not change plans."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    prefer: Literal["auto", "local", "cloud-gpu", "serverless"] = "auto"
    """The target to recommend regardless of the other rules, if it can serve the model."""
    needs: tuple[Literal["pii", "offline", "multi-tenant"], ...] = ()
    """pii: personal data. offline: it must work without a network. multi-tenant: it serves several customers."""
    ignore: tuple[Literal["private", "multi-tenant", "wall", "bursty", "steady", "idle"], ...] = ()
    """Rules that the recommendation ignores."""
    development_requests_per_day: Amount | None = None
    """Requests a day from developers, in office hours. Default: a hundredth of traffic.requests_per_day."""


@dataclass(frozen=True)
class Spec:
    """One model, how it is served, what traffic it expects and what must not be exceeded."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = STRICT

    name: Annotated[
        str,
        Pattern(
            r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$",
            "lower-case letters, digits and '-', at most 40, a letter first",
        ),
    ]
    """The prefix of the deployments' names: <name>-local, <name>-cloud-gpu, <name>-serverless."""
    model: Model
    serve: Serve = Serve()
    traffic: Traffic = Traffic()
    policy: Policy = Policy()
    decide: Decide = Decide()
    targets: Targets = Targets()
