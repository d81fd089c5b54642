"""What will exist for one target, what it costs, and what else was weighed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal
from typing import Any, Literal

from deployer.core.domain.bill import Estimate, Usage
from deployer.core.domain.hardware import Offer
from deployer.core.domain.model import ModelInfo
from deployer.core.domain.sizing import Sizing
from deployer.core.records import dataclass

CONTAINER, PROCESS = "local:index:Container", "local:index:Process"
"""The types of what runs on one's own machine."""


@dataclass(frozen=True)
class Resource:
    """One thing that will exist: a Pulumi type and its inputs, or a process, or an endpoint."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    action: Literal["create", "update", "replace", "delete", "same"] = "create"


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
