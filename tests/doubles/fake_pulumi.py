"""A Pulumi engine and an AWS that do what a test says, in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from deployer.running.stack.changes import UNKNOWN

STACK = "urn:pulumi:bot-cloud-gpu::deployer"
MACHINE = "aws:ec2/instance:Instance"


def event(kind: str, op: str, type_: str, name: str, **more: Any) -> Any:
    """One event of an engine: `old` and `new` are inputs, `diffs` what differs."""
    old, new = more.get("old"), more.get("new")
    metadata = SimpleNamespace(
        op=op,
        urn=f"{STACK}::{type_}::{name}",
        old=None if old is None else SimpleNamespace(inputs=old, id=more.get("id", "")),
        new=None if new is None else SimpleNamespace(inputs=new, id=more.get("id", "")),
        diffs=more.get("diffs"),
        keys=None,
    )
    kinds = dict.fromkeys(("resource_pre_event", "res_outputs_event", "diagnostic_event"))
    return SimpleNamespace(**{**kinds, kind: SimpleNamespace(metadata=metadata)})


def told(op: str, type_: str, name: str, **more: Any) -> list[Any]:
    """The two events of one step."""
    kinds = ("resource_pre_event", "res_outputs_event")
    return [event(kind, op, type_, name, **more) for kind in kinds]


def said(message: str) -> Any:
    """An error that the engine tells."""
    words = SimpleNamespace(severity="error", message=message)
    return SimpleNamespace(resource_pre_event=None, res_outputs_event=None, diagnostic_event=words)


MACHINE_INPUTS = {"instanceType": "g5.xlarge", "subnetId": UNKNOWN, "__defaults": []}


class FakeEngine:
    """Fulfils `deployer.running.stack.engine.Engine`: a list of what was asked, and a state that the test fills."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.kept: dict[str, Any] = {"resources": [], "pending_operations": []}
        self.preview_events: Sequence[Any] = told("create", MACHINE, "machine", new=MACHINE_INPUTS)
        self.refresh_events: Sequence[Any] = ()
        self.failing: dict[str, list[Callable[[Callable[[Any], object]], None]]] = {}
        self.after_up: Mapping[str, Any] | None = None

    def preview(self, on_event: Callable[[Any], object], *, refresh: bool) -> None:
        self._tell("preview", on_event, self.preview_events)

    def up(self, on_event: Callable[[Any], object]) -> None:
        self._tell("up", on_event, ())
        if self.after_up is not None:
            self.kept = dict(self.after_up)

    def refresh(self, on_event: Callable[[Any], object], *, clear_pending: bool) -> None:
        self._tell(f"refresh clear={clear_pending}", on_event, self.refresh_events)
        self.kept["pending_operations"] = []

    def destroy(self, on_event: Callable[[Any], object]) -> None:
        self._tell("destroy", on_event, ())
        self.kept = {"resources": [], "pending_operations": []}

    def cancel(self) -> None:
        self.asked.append("cancel")

    def state(self) -> Mapping[str, Any]:
        return self.kept

    def remove(self) -> None:
        self.asked.append("remove")

    def _tell(self, what: str, on_event: Callable[[Any], object], events: Sequence[Any]) -> None:
        self.asked.append(what)
        for one in events:
            on_event(one)
        if self.failing.get(what):
            self.failing[what].pop(0)(on_event)
