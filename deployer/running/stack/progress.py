"""An operation's progress: one line for each resource that is made, changed or removed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from deployer.providers.api import Program
from deployer.providers.managers import Say
from deployer.running.stack.changes import step_of

DOING = {
    "create": "making",
    "update": "changing",
    "delete": "removing",
    "create-replacement": "recreating",
    "delete-replaced": "removing the old",
}
DONE = {
    "create": "made",
    "update": "changed",
    "delete": "removed",
    "create-replacement": "recreated",
    "delete-replaced": "removed the old",
}
SLOW = ("cloudcontrol/resource:", "dynamic/deployer:")
"""What takes long enough to be announced before it is done, besides what a program names."""


class Progress:
    """Takes the events of a program's operation: says lines, and keeps what was removed and what went wrong."""

    def __init__(
        self,
        say: Say,
        program: Program | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.say, self.clock = say, clock
        self._slow = (*SLOW, *(program.slow if program else ()))
        self._voices = tuple(f"{name}: " for name in (program.voices if program else ()))
        self.errors: list[str] = []
        self.removed: list[dict[str, str]] = []
        self._since: dict[str, float] = {}

    def __call__(self, event: Any) -> None:
        """Take one event."""
        if event.diagnostic_event:
            self._told(event.diagnostic_event)
        elif event.resource_pre_event:
            self._begun(event.resource_pre_event.metadata)
        elif event.res_outputs_event:
            self._ended(event.res_outputs_event.metadata)

    def _told(self, said: Any) -> None:
        """An error is kept; what the code of our own resources writes is passed on."""
        if said.severity == "error":
            self.errors.append(said.message.strip())
        elif said.severity.startswith("info"):
            for line in said.message.splitlines():
                if line.startswith(self._voices):
                    self.say(f"  {line}")

    def _begun(self, metadata: Any) -> None:
        step = step_of(metadata)
        if step.op in DOING and not step.type.startswith("pulumi:"):
            self._since[step.urn + step.op] = self.clock()
            if any(kind in step.type for kind in self._slow):
                self.say(f"{DOING[step.op]} {step.name} ({step.type}) ...")

    def _ended(self, metadata: Any) -> None:
        step = step_of(metadata)
        since = self._since.pop(step.urn + step.op, None)
        if since is None:
            return
        self.say(f"{DONE[step.op]} {step.name} ({step.type}, {self.clock() - since:.0f} s)")
        if step.op == "delete" and metadata.old is not None:
            self.removed.append({"type": step.type, "name": step.name, "id": metadata.old.id})
