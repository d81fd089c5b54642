"""Who is connected, by address. Where there are too many, those go first that have asked for nothing yet."""

from __future__ import annotations

from collections import Counter
from typing import Protocol


class Connected(Protocol):
    """A caller's connection."""

    address: str

    def leave(self) -> None:
        """Close it, for others to have its place."""

    def look(self, now: float) -> None:
        """End what takes too long."""


class Callers:
    """All connections. Those that ask for nothing stand apart, the longest silent first."""

    def __init__(self, most: int, per_address: int) -> None:
        self.most, self.per_address = most, min(per_address, most)
        self.every: dict[Connected, None] = {}
        self.idle: dict[Connected, None] = {}
        self.counts: Counter[str] = Counter()

    def admit(self, one: Connected) -> bool:
        """Take a new connection in, in the place of an idle one if need be; False: there is no room."""
        crowded = self.counts[one.address] >= self.per_address
        if crowded or len(self.every) >= self.most:
            longest = self._longest_idle(one.address if crowded else None)
            if longest is None:
                return False
            self.forget(longest)
            longest.leave()
        self.every[one] = self.idle[one] = None
        self.counts[one.address] += 1
        return True

    def _longest_idle(self, address: str | None) -> Connected | None:
        return next((one for one in self.idle if address in (None, one.address)), None)

    def busy(self, one: Connected) -> None:
        """It has asked for something."""
        self.idle.pop(one, None)

    def rest(self, one: Connected) -> None:
        """It asks for nothing now."""
        if one in self.every:
            self.idle[one] = None

    def forget(self, one: Connected) -> None:
        """It has gone."""
        self.idle.pop(one, None)
        if one in self.every:
            del self.every[one]
            self.counts[one.address] -= 1
            if not self.counts[one.address]:
                del self.counts[one.address]
