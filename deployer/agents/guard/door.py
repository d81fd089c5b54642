"""Where a guard listens: at a port of its own first, at the one in front once it has taken that over."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

from . import handover
from .guard import Guard
from .sockets import listening

RETRY_S = 0.002
"""How often it is tried to listen where another one still does."""


class Door:
    """The listeners of one guard."""

    def __init__(
        self,
        guard: Guard,
        folder: Path,
        listener: socket.socket,
        front_port: int | None,
        front: socket.socket | None,
    ) -> None:
        self.guard, self.folder, self.listener = guard, folder, listener
        self.front_port, self.front = front_port, front
        self.host, self.port = listener.getsockname()[:2]

    def open(self) -> None:
        """Serve at the port of its own, and give its socket to whom takes its place."""
        self.guard.listen(self.listener)
        with contextlib.suppress(OSError):  # who takes its place waits for the port, then
            handover.offer(self.guard, self.folder, lambda: self.listener)

    def take_over(self, done: Callable[[], object]) -> None:
        """Serve at the port in front and no longer at its own, as soon as that one can be had."""
        self.guard.spawn(self._take_over(done))

    async def _take_over(self, done: Callable[[], object]) -> None:
        while self.front is None and self.front_port is not None:
            try:
                self.front = listening(self.host, self.front_port)
            except OSError:
                await asyncio.sleep(RETRY_S)
        if self.front is not None and self.listener is not self.front:
            self.listener = self.front
            self.guard.listen(self.listener)
            self.guard.hush(self.port)
        done()
