"""How many requests the engine is given at once; the others wait in turn, and each only for so long."""

from __future__ import annotations

from typing import Protocol


class Waits(Protocol):
    """A request that is given a place, or is told that there is none."""

    since: float
    heard: float

    def start(self) -> None:
        """It has a place now."""

    def refuse(self, status: int, message: str) -> None:
        """It gets none."""


class Places:
    """Places at the engine. While they are closed, those who come wait, if the engine was ever there."""

    def __init__(self, count: int, waiting: int, waiting_s: float) -> None:
        self.count, self.waiting, self.waiting_s = count, waiting, waiting_s
        self.running: dict[Waits, None] = {}
        self.queue: dict[Waits, None] = {}
        self.is_open = self.was_open = False

    def enter(self, one: Waits) -> None:
        """Start a request, or let it wait."""
        if self.is_open and len(self.running) < self.count and not self.queue:
            self.running[one] = None
            one.start()
        elif not self.was_open:
            one.refuse(503, "the engine is not ready yet: try again later")
        elif len(self.queue) >= self.waiting:
            one.refuse(429, f"{self.waiting:,} requests wait already: try again later")
        else:
            self.queue[one] = None

    def leave(self, one: Waits) -> None:
        """Give a request's place, or its turn, to the next."""
        self.queue.pop(one, None)
        if one in self.running:
            del self.running[one]
            self._go_on()

    def open(self) -> None:
        """The engine answers: let in who waits."""
        self.is_open = self.was_open = True
        self._go_on()

    def close(self) -> None:
        """The engine does not answer: who comes waits."""
        self.is_open = False

    def look(self, now: float) -> None:
        """Tell those who have waited too long."""
        for one in list(self.queue):
            if now - one.since < self.waiting_s:
                return  # they stand in the order in which they came
            del self.queue[one]
            one.refuse(429, f"no place became free within {self.waiting_s:g} s: try again later")

    def silent_since(self) -> float:
        """Return since when no request that has a place has heard anything; infinity where a place is free."""
        if len(self.running) < self.count:
            return float("inf")
        return max(one.heard for one in self.running)

    def _go_on(self) -> None:
        while self.is_open and self.queue and len(self.running) < self.count:
            one = next(iter(self.queue))
            del self.queue[one]
            self.running[one] = None
            one.start()
