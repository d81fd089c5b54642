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

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from math import ceil, exp, inf, sqrt
from operator import mul

from deployer.core.domain import HOURS_PER_MONTH
from deployer.core.records import dataclass
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


@dataclass(frozen=True)
class Simulation:
    """Hours with so many requests each, run through one deployment, and what they come to in a month of 730 h.

    `asleep` is the share of each hour in which the first copy sleeps, and `backlogs` what the hour leaves over. The
    other figures follow from these: a column for each, an item an hour, made when it is asked for.
    """

    server: Server
    requests: Sequence[float]
    copies_running: Sequence[int]
    asleep: Sequence[float]
    backlogs: Sequence[float]

    @cached_property
    def awake_hours(self) -> Sequence[float]:
        """Of the first copy, cold starts among them."""
        return [1 - share for share in self.asleep]

    @cached_property
    def copy_hours(self) -> Sequence[float]:
        """Of all copies. Of those that follow the traffic, one too many runs on for as long as it is kept."""
        fixed, copies = self.server.copies, self.copies_running
        if fixed:
            return [share * fixed for share in self.awake_hours]
        lingers = min(1.0, self.server.keep_hours or 0.0)
        return [
            share + count - 1 + max(0, before - count) * lingers
            for share, count, before in zip(
                self.awake_hours, copies, [1, *copies[:-1]], strict=True
            )
        ]

    @cached_property
    def busy_hours(self) -> Sequence[float]:
        """Of the first copy, with a request in it."""
        seconds = self.server.seconds or 0.0
        return [
            max(busy, 1 - exp(-rate * seconds / 3600))
            for busy, rate in zip(self._used, self.requests, strict=True)
        ]

    @property
    def utilisations(self) -> Sequence[float] | None:
        """How busy all copies are, 0 to 1; None where the speed is not known."""
        return self._used if self.server.seconds else None

    @cached_property
    def waits(self) -> Sequence[float] | None:
        """The mean wait beside cold starts, in seconds; None where the speed is not known."""
        if self.server.seconds is None:
            return None
        return _waits(self._used, (self._waiting, self.backlogs), self.copies_running, self.server)

    @cached_property
    def cold_starts(self) -> Sequence[float]:
        """How many times it wakes."""
        return list(map(mul, self.requests, self.asleep))

    @cached_property
    def met_cold(self) -> Sequence[float]:
        """The requests that have to wait for a cold start."""
        if self.server.keep_hours is None:
            return [0.0] * len(self.requests)
        cold = self.server.cold_hours
        return [
            min(rate, rate * share * (1 + rate * cold))
            for rate, share in zip(self.requests, self.asleep, strict=True)
        ]

    @property
    def _waiting(self) -> Sequence[float]:
        """The requests that each hour begins with."""
        return [0.0, *self.backlogs[:-1]]

    @cached_property
    def _used(self) -> Sequence[float]:
        each = self.server.per_hour
        return [
            min(1.0, (rate + waiting) / (count * each))
            for rate, waiting, count in zip(
                self.requests, self._waiting, self.copies_running, strict=True
            )
        ]

    def total(self, figure: str) -> float:
        """Add up the column of one figure that is known."""
        return float(sum(getattr(self, figure)))

    def monthly(self, figure: str) -> float:
        """Spread the sum of one figure over a month."""
        return self.total(figure) * HOURS_PER_MONTH / len(self.requests)

    @cached_property
    def copies(self) -> int:
        """The most copies that ran at once."""
        return max(self.copies_running)

    @property
    def cold_share(self) -> float:
        """The share of requests that met a cold start."""
        requests = self.total("requests")
        return self.total("met_cold") / requests if requests else 0.0

    @cached_property
    def utilisation(self) -> float | None:
        """How busy the copies were while they ran; None where the speed is not known."""
        if self.utilisations is None:
            return None
        used = sum(map(mul, self.utilisations, self.copies_running))
        running = self.total("copy_hours")
        return min(1.0, used / running) if running else 0.0

    @cached_property
    def wait_seconds(self) -> float | None:
        """The longest of the hours' mean waits, those of 5 % of all requests left out; None: not known."""
        if self.waits is None:
            return None
        left = 0.05 * self.total("requests")
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
    left = _backlogs(rates, server)
    sleeps: Sequence[float] = asleep(
        rates, server.keep_hours, server.seconds or 0.0, server.cold_hours
    )
    if any(left):
        before = [0.0, *left[:-1]]
        sleeps = [0.0 if waiting else share for waiting, share in zip(before, sleeps, strict=True)]
    return Simulation(server, rates, _copies(rates, server), sleeps, left)


def _copies(rates: Sequence[float], server: Server) -> Sequence[int]:
    """The copies of each hour: those that are fixed, or as many as it asks for within what there may be."""
    if server.copies:
        return [server.copies] * len(rates)
    most = server.most or inf
    if copies_for(max(rates), server) <= server.least:
        return [server.least] * len(rates)
    each = HEADROOM * server.per_hour
    return [max(server.least, int(min(most, ceil(rate / each)))) for rate in rates]


def _backlogs(rates: Sequence[float], server: Server) -> list[float]:
    """The requests that each hour leaves over. Copies that follow the traffic without end leave none."""
    capacity = (server.copies or server.most or inf) * server.per_hour
    if max(rates) <= capacity:
        return [0.0] * len(rates)
    left = accumulate(rates, lambda waiting, rate: max(0.0, rate + waiting - capacity), initial=0.0)
    return list(left)[1:]


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
