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
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import accumulate
from math import ceil, exp, inf, sqrt
from operator import mul
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
    long it runs on after its last request (None: always). `copies` None: as many as the traffic asks for,
    from `least` to `most`.
    """

    seconds: float | None
    batch: int = 1
    copies: int | None = 1
    keep_hours: float | None = None
    cold_hours: float = 0.0
    least: int = 1
    most: int | None = None

    @cached_property
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
    """All hours, a column for each figure, and what they come to in a month of 730 h.

    The columns are as long as each other and named as in `Hour`; `utilisation` and `wait_seconds` are None
    where the speed is not known.
    """

    requests: Sequence[float]
    copies_running: Sequence[int]
    awake_hours: Sequence[float]
    copy_hours: Sequence[float]
    busy_hours: Sequence[float]
    utilisations: Sequence[float] | None
    waits: Sequence[float] | None
    backlogs: Sequence[float]
    cold_starts: Sequence[float]
    met_cold: Sequence[float]

    @cached_property
    def hours(self) -> tuple[Hour, ...]:
        """One record for each hour, made when it is asked for: a comparison needs the columns alone."""
        unknown = [None] * len(self.requests)
        columns = (unknown if column is None else column for column in self._columns.values())
        return tuple(map(Hour, *columns))

    @cached_property
    def _columns(self) -> Mapping[str, Sequence[float] | None]:
        named = (getattr(self, column.name) for column in fields(self))
        return dict(zip(Hour._fields, named, strict=True))

    @cached_property
    def totals(self) -> Mapping[str, float]:
        """The sum of each figure over all hours; what is not known is left out."""
        columns = self._columns.items()
        return {name: float(sum(column)) for name, column in columns if column is not None}

    def monthly(self, figure: str) -> float:
        """Spread the sum of one figure over a month."""
        return self.totals[figure] * HOURS_PER_MONTH / len(self.requests)

    @cached_property
    def copies(self) -> int:
        """The most copies that ran at once."""
        return max(self.copies_running)

    @property
    def cold_share(self) -> float:
        """The share of requests that met a cold start."""
        requests = self.totals["requests"]
        return self.totals["met_cold"] / requests if requests else 0.0

    @cached_property
    def utilisation(self) -> float | None:
        """How busy the copies were while they ran; None where the speed is not known."""
        if self.utilisations is None:
            return None
        used = sum(map(mul, self.utilisations, self.copies_running))
        running = self.totals["copy_hours"]
        return min(1.0, used / running) if running else 0.0

    @cached_property
    def wait_seconds(self) -> float | None:
        """The longest of the hours' mean waits, those of 5 % of all requests left out; None: not known."""
        if self.waits is None:
            return None
        left = 0.05 * self.totals["requests"]
        for hour in sorted(range(len(self.waits)), key=self.waits.__getitem__, reverse=True):
            left -= self.requests[hour]
            if left < 0:
                return self.waits[hour]
        return 0.0


def copies_for(rate: float, server: Server) -> int:
    """Return how many copies answer so many requests an hour; one, where the speed is not known."""
    return max(1, ceil(rate / (HEADROOM * server.per_hour)))


def simulate(rates: Sequence[float], server: Server) -> Simulation:
    """Run one deployment through hours with so many requests each; after the last comes the first.

    It works column by column: hour by hour takes three times as long, and a comparison has 80,000 hours.
    """
    fixed = server.copies
    most = server.most or inf
    copies = [
        fixed or max(server.least, int(min(most, copies_for(rate, server)))) for rate in rates
    ]
    left = _backlogs(rates, server)
    before = [0.0, *left[:-1]]
    sleeping = asleep(rates, server.keep_hours, server.seconds or 0.0, server.cold_hours)
    sleeps = [0.0 if waiting else share for waiting, share in zip(before, sleeping, strict=True)]
    awake = [1 - share for share in sleeps]
    used = [
        min(1.0, (rate + waiting) / (count * server.per_hour))
        for rate, waiting, count in zip(rates, before, copies, strict=True)
    ]
    seconds, cold = server.seconds or 0.0, server.cold_hours
    return Simulation(
        requests=rates,
        copies_running=copies,
        awake_hours=awake,
        copy_hours=[share * fixed for share in awake] if fixed else _scaled(awake, copies, server),
        busy_hours=[
            max(busy, 1 - exp(-rate * seconds / 3600))
            for busy, rate in zip(used, rates, strict=True)
        ],
        utilisations=used if server.seconds else None,
        waits=None if server.seconds is None else _waits(used, (before, left), copies, server),
        backlogs=left,
        cold_starts=list(map(mul, rates, sleeps)),
        met_cold=[
            min(rate, rate * share * (1 + rate * cold))
            for rate, share in zip(rates, sleeps, strict=True)
        ],
    )


def _backlogs(rates: Sequence[float], server: Server) -> list[float]:
    """The requests that each hour leaves over. Copies that follow the traffic without end leave none."""
    capacity = (server.copies or server.most or inf) * server.per_hour
    if max(rates) <= capacity:
        return [0.0] * len(rates)
    left = accumulate(rates, lambda waiting, rate: max(0.0, rate + waiting - capacity), initial=0.0)
    return list(left)[1:]


def _scaled(awake: Sequence[float], copies: Sequence[int], server: Server) -> list[float]:
    """The hours of copies that follow the traffic: one too many runs on for as long as it is kept."""
    lingers = min(1.0, server.keep_hours or 0.0)
    return [
        share + count - 1 + max(0, before - count) * lingers
        for share, count, before in zip(awake, copies, [1, *copies[:-1]], strict=True)
    ]


def _waits(
    used: Sequence[float],
    backlogs: tuple[Sequence[float], Sequence[float]],
    copies: Sequence[int],
    server: Server,
) -> list[float]:
    """The mean wait of each hour, in seconds; `backlogs` are those that it begins and ends with."""
    servers = {count: count * server.batch for count in set(copies)}
    each = {count: (server.seconds or 0.0) / number for count, number in servers.items()}
    power = {count: sqrt(2 * (number + 1)) - 1 for count, number in servers.items()}
    return [
        (before + left) / 2 * (server.seconds or 0.0) / servers[count]
        if before or left
        else each[count] * u ** power[count] / (1 - u)
        for u, before, left, count in zip(
            (min(u, MOST_UTILISED) for u in used), *backlogs, copies, strict=True
        )
    ]
