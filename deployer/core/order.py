"""What a provider is handed of a plan to make its inputs: what was chosen, in what JSON can hold.

A plain mapping with known keys, and not a record: parts of it become inputs of a stack as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict


class ModelOrder(TypedDict):
    """What is served. `path` is the folder or file on this machine; None where the source is not on it."""

    source: str
    name: str
    path: str | None
    adapter: NotRequired[str | None]
    adapter_path: NotRequired[str | None]
    adapter_rank: NotRequired[int | None]


class OfferOrder(TypedDict):
    """The hardware: `deployer.core.domain.Offer`, and of its GPU the watts and the list price (one GPU each).

    Prices are decimal numbers as text.
    """

    provider: str
    region: str | None
    instance_type: str
    gpu: str | None
    gpu_count: int
    vram_mib: int | None
    usd_per_hour: str | None
    billing: str
    source: str
    as_of: str | None
    vcpus: int | None
    memory_gib: float | None
    gpu_ids: NotRequired[list[str] | None]
    gpu_fraction: NotRequired[float | None]
    gpu_vendor: str | None
    gpu_watts: int | None
    gpu_list_price_usd: str | None
    gpu_source: str | None


class DockerOrder(TypedDict):
    """A Docker daemon of another machine: how it is asked, and the host that it is on."""

    url: str
    host: str


class ReplicasOrder(TypedDict):
    """How many machines serve it."""

    min: int
    max: int


class HandlerOrder(TypedDict):
    """How a user's handler is served; `timeout` in seconds, `sha256` of its code."""

    route: str
    timeout: int
    max_request_mb: int
    sha256: str


class TrafficOrder(TypedDict):
    """The requests that are expected."""

    requests_per_day: str
    input_tokens: int
    output_tokens: int
    profile: str | list[float]


class IdleOrder(TypedDict):
    """What happens to a machine that nobody uses, after how many seconds."""

    after: int
    action: str


class PolicyOrder(TypedDict):
    """What must not happen. `budget` in USD a month as text, `expires` in seconds."""

    privacy: str
    budget: str | None
    over_budget: str
    idle: IdleOrder
    expires: int | None


class Order(TypedDict):
    """What was chosen (`deployer.planning.plan.order_of`).

    `replicas` None: one, for who serves one machine at a time. `docker` None: the daemon of this machine. `handler` is there where the engine serves one;
    `options` are the spec's `targets.<target>` with every default; `files` the texts that a rented machine starts
    from; `deployed` what a stack exports that serves this model already.
    """

    deployment: str
    spec_name: str
    digest: str
    model: ModelOrder
    engine: str
    quantization: str
    quantize: NotRequired[str | None]
    context: int
    concurrency: int
    replicas: ReplicasOrder | None
    handler: HandlerOrder | None
    gpus: int
    weights_gib: float | None
    offer: OfferOrder
    options: Mapping[str, Any]
    docker: NotRequired[DockerOrder | None]
    traffic: TrafficOrder
    policy: PolicyOrder
    deployed: Mapping[str, Any]
    files: NotRequired[Mapping[str, str]]
