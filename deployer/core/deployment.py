"""A spec applied to a target, as it is remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Deployment:
    """A spec applied to a target. Times are ISO 8601 in UTC; money is text, so that it stays exact.

    `endpoint` is None until there is one, `ready_at` until it has answered; `usd_per_hour` None is
    unpriced, as is `usd_per_hour_idle`, what it costs while it rests. `launched` has the machines that it ever
    had, by id or group, and what each adds to that in an hour that it runs. `resources` is what exists, `planned` what the plan asked for. `served` says what measurements
    of it are of: model, quantization, engine, hardware, and the load that its spec asks of it.
    """

    name: str
    spec_name: str
    spec_digest: str
    target: str
    provider: str
    engine: str
    model: str
    started_at: str
    planned: list[Mapping[str, Any]]
    endpoint: str | None = None
    ready_at: str | None = None
    usd_per_hour: str | None = None
    usd_per_hour_idle: str | None = None
    launched: Mapping[str, str | None] = field(default_factory=dict)
    expires_at: str | None = None
    resources: tuple[Mapping[str, str], ...] = ()
    region: str | None = None
    state: str | None = None  # where an engine keeps its state, if the spec says so
    outputs: Mapping[str, str] = field(default_factory=dict)  # what the stack's program exports
    served: Mapping[str, Any] = field(default_factory=dict)

    @property
    def route(self) -> str:
        """How it is asked: "chat" as every engine is, or "predict" of a handler of one's own."""
        handlers = (one["inputs"].get("handler") for one in self.planned)
        return next((str(h["route"]) for h in handlers if h), "chat")
