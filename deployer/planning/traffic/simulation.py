"""What a year of traffic does to one deployment, hour by hour. Pure, seeded, without randomness of its own.

The hours come from `deployer.planning.traffic.demand` (profile or log, with seeded bursts); within an hour requests
arrive at random (Poisson), so what happens between two of them is worked out and not drawn:

    capacity    copies x batch / seconds of one request at that batch, in requests an hour
    backlog     what an hour leaves over; the next one starts with it
    wait        Sakasegawa's formula for a queue with `batch` servers (Annals of the Institute of Statistical
                Mathematics 29, 1977), seconds / servers x u^(sqrt(2 (servers + 1)) - 1) / (1 - u);
                with a backlog, the time to work it off
    awake       `deployer.planning.traffic.scale_to_zero`, from the requests expected in the window before each moment:
                the time to stop when idle, and the time that one request takes
    cold starts requests x the share of time asleep; those who arrive during a start wait for it too
    copies      requests / (80 % of what one copy answers), rounded up: of the busiest hour where copies are
                fixed, of each hour where they follow the traffic

Everything grows with the traffic: more requests never make fewer hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, exp, inf, sqrt
from typing import NamedTuple

from deployer.core.domain import HOURS_PER_MONTH
from deployer.planning.traffic.scale_to_zero import asleep

HEADROOM = 0.8
"""How busy a copy may be before there is another. A service that is known adds one at 80 %; recalled, not read."""
MOST_UTILISED = 0.99
"""Sakasegawa's formula has no end at 1; beyond this an hour is told by its backlog."""


@dataclass(frozen=True)
class Server:
    """One deployment. `seconds` is how long a request takes while `batch` of them are answered at once.

    `seconds` None: the speed is not known, and any traffic is taken to fit on one copy. `keep_hours` is how
    long it runs on after its last request (None: always). `copies` None: as many as the traffic asks for.
    """

    seconds: float | None
    batch: int = 1
    copies: int | None = 1
    keep_hours: float | None = None
    cold_hours: float = 0.0

    @property
    def per_hour(self) -> float:
        """The requests that one copy answers in an hour."""
        return self.batch * 3600 / self.seconds if self.seconds else inf


class Hour(NamedTuple):
    """One hour: what came, what it kept running, and how long it had to wait."""

    requests: float
    copies: int
    awake_hours: float  # of the first copy, cold starts among them
    copy_hours: float  # of all copies
    busy_hours: float  # of the first copy, with a request in it
    utilisation: float | None  # of all copies, 0 to 1; None: the speed is not known
    wait_seconds: float | None  # the mean, beside cold starts
    backlog: float  # requests that the next hour begins with
    cold_starts: float
    met_cold: float  # requests that had to wait for a cold start


@dataclass(frozen=True)
class Simulation:
    """All hours, and what they come to in a month of 730 h."""

    hours: tuple[Hour, ...]

    @cached_property
    def totals(self) -> Mapping[str, float]:
        """The sum of each figure over all hours; what is not known is left out."""
        columns = zip(Hour._fields, zip(*self.hours, strict=True), strict=True)
        return {name: float(sum(column)) for name, column in columns if None not in column}

    def monthly(self, figure: str) -> float:
        """Spread the sum of one figure over a month."""
        return self.totals[figure] * HOURS_PER_MONTH / len(self.hours)

    @cached_property
    def copies(self) -> int:
        """The most copies that ran at once."""
        return max(hour.copies for hour in self.hours)

    @property
    def cold_share(self) -> float:
        """The share of requests that met a cold start."""
        requests = self.totals["requests"]
        return self.totals["met_cold"] / requests if requests else 0.0

    @cached_property
    def utilisation(self) -> float | None:
        """How busy the copies were while they ran; None where the speed is not known."""
        if "utilisation" not in self.totals:
            return None
        used = sum((h.utilisation or 0.0) * h.copies for h in self.hours)
        running = self.totals["copy_hours"]
        return min(1.0, used / running) if running else 0.0

    @cached_property
    def wait_seconds(self) -> float | None:
        """The longest of the hours' mean waits, those of 5 % of all requests left out; None: not known."""
        if "wait_seconds" not in self.totals:
            return None
        left = 0.05 * self.totals["requests"]
        for hour in sorted(self.hours, key=lambda h: -(h.wait_seconds or 0.0)):
            left -= hour.requests
            if left < 0:
                return hour.wait_seconds
        return 0.0


def copies_for(rate: float, server: Server) -> int:
    """Return how many copies answer so many requests an hour; one, where the speed is not known."""
    return max(1, ceil(rate / (HEADROOM * server.per_hour)))


def simulate(rates: Sequence[float], server: Server) -> Simulation:
    """Run one deployment through hours with so many requests each; after the last comes the first."""
    sleeping = asleep(rates, server.keep_hours, server.seconds or 0.0, server.cold_hours)
    hours: list[Hour] = []
    backlog, before = 0.0, 1
    for rate, sleeps in zip(rates, sleeping, strict=True):
        copies = server.copies or copies_for(rate, server)
        hour = _hour(rate, backlog, 0.0 if backlog else sleeps, copies, server)
        if server.copies is None:
            kept = max(0, before - copies) * min(1.0, server.keep_hours or 0.0)
            hour = hour._replace(copy_hours=hour.awake_hours + copies - 1 + kept)
        hours.append(hour)
        backlog, before = hour.backlog, copies
    return Simulation(tuple(hours))


def _hour(rate: float, backlog: float, sleeps: float, copies: int, server: Server) -> Hour:
    capacity = copies * server.per_hour
    left = max(0.0, rate + backlog - capacity)
    used = min(1.0, (rate + backlog) / capacity)
    return Hour(
        requests=rate,
        copies=copies,
        awake_hours=1 - sleeps,
        copy_hours=(1 - sleeps) * copies,
        busy_hours=max(used, 1 - exp(-rate * (server.seconds or 0.0) / 3600)),
        utilisation=used if server.seconds else None,
        wait_seconds=_wait(used, (backlog + left) / 2, copies, server),
        backlog=left,
        cold_starts=rate * sleeps,
        met_cold=min(rate, rate * sleeps * (1 + rate * server.cold_hours)),
    )


def _wait(used: float, waiting: float, copies: int, server: Server) -> float | None:
    if server.seconds is None:
        return None
    servers = copies * server.batch
    if waiting:
        return waiting * server.seconds / servers
    u = min(used, MOST_UTILISED)
    return float(server.seconds / servers * u ** (sqrt(2 * (servers + 1)) - 1) / (1 - u))
