"""A deployment's log on AWS: its CloudWatch group, or its machine's console while that is empty."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from stacks._aws.console import console_lines, last_boot
from stacks._aws.session import Clients, understood

LOOK_S = 2.0


def lines(
    clients: Clients, group: str, machine: str | None, *, follow: bool, tail: int | None
) -> Iterator[str]:
    """Yield the lines of a log group, the newest last; with `follow` for as long as the group exists.

    The last lines of a console are those of the machine's last boot.

    Raises:
        PrerequisiteError: credentials, permission or network are missing.
    """
    log = _Log(clients, group)
    with understood("read the log (logs:FilterLogEvents)"):
        told = log.new()
        if not told and machine is not None:
            console = console_lines(clients, machine)
            told = list(console if tail is None else last_boot(console))
        yield from told if tail is None else told[len(told) - min(tail, len(told)) :]
        while follow and log.exists:
            time.sleep(LOOK_S)
            yield from log.new()


class _Log:
    """A log group, read from where the last look ended."""

    def __init__(self, clients: Clients, group: str) -> None:
        self.client, self.group, self.exists = clients("logs"), group, True
        self.since = 0
        self.seen: set[str] = set()

    def new(self) -> list[str]:
        """The lines that have come since."""
        try:
            return [str(e["message"]).rstrip("\n") for e in self._events() if self._is_new(e)]
        except self.client.exceptions.ResourceNotFoundException:
            self.exists = False
            return []

    def _events(self) -> Iterator[Any]:
        pages = self.client.get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=self.group, startTime=self.since):
            yield from page["events"]

    def _is_new(self, event: Any) -> bool:
        """Whether it was not seen at the last look, which ended within the same millisecond."""
        if event["timestamp"] > self.since:
            self.since, self.seen = event["timestamp"], set()
        fresh = event["eventId"] not in self.seen
        self.seen.add(event["eventId"])
        return fresh
