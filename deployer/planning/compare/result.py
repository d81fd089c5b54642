"""What a comparison holds: one frozen tree that the table, the JSON document and a report are made of. Pure.

Money is `Decimal` US dollars. `None` is unknown, never 0. A `Cell` is a figure with its basis and its source.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from deployer.core.documents.compare import Rule, Traffic, Wait
from deployer.core.domain import Basis, Item, Offer
from deployer.core.records import dataclass
from deployer.planning.traffic.simulation import Simulation

Value = str | bool | int | float | Decimal | None
Money = tuple[Decimal, Decimal]
"""Lowest and highest likely."""


def left_out(unpriced: tuple[str, ...]) -> str:
    """Name the lines of a bill that have no price; "" where all have one."""
    return "; ".join(dict.fromkeys(name.partition(": ")[2] or name for name in unpriced))


@dataclass(frozen=True)
class Cell:
    """One cell of the table. `within` is the lowest and the highest likely value."""

    value: Value
    basis: Basis
    source: str
    unit: str = ""
    within: tuple[Decimal, Decimal] | tuple[float, float] | None = None


class WeekHour(NamedTuple):
    """One hour of the typical week, from Monday 0:00: the mean of that hour over all simulated weeks."""

    requests: float
    running_hours: float  # of all copies
    utilisation: float | None
    wait: Wait
    cold_starts: float
    met_cold: float


@dataclass(frozen=True)
class Row:
    """One way to serve the model at this traffic. `cells` is by name, in the order of the table."""

    target: str
    provider: str
    variant: str  # "" for the target's own plan, else how it differs from it
    feasible: bool
    reasons: tuple[str, ...]
    offer: Offer | None
    cells: dict[str, Cell]
    items: tuple[Item, ...] = ()  # the bill of a month, with sources
    unpriced: tuple[str, ...] = ()
    simulation: Simulation | None = None  # at the lower likely speed
    week: tuple[WeekHour, ...] = ()
    owned: bool = False  # hardware that is paid for already

    @property
    def monthly(self) -> Money | None:
        """What a month costs, lowest and highest likely."""
        cell = self.cells.get("monthly_usd")
        if cell is None or not isinstance(cell.value, Decimal):
            return None
        low, high = cell.within or (cell.value, cell.value)
        return Decimal(low), Decimal(high)

    @property
    def without(self) -> str:
        """What its cost leaves out, for no price is known; "" where that is nothing."""
        return left_out(self.unpriced)

    @property
    def copies(self) -> int | None:
        """How many copies the traffic asks for at its busiest; None: the speed is not known."""
        value = self.cells["copies"].value
        return value if isinstance(value, int) else None

    def decimal(self, name: str) -> Decimal | None:
        """The value of a cell that holds money."""
        cell = self.cells.get(name)
        return cell.value if cell and isinstance(cell.value, Decimal) else None


@dataclass(frozen=True)
class Paid:
    """Months until owned hardware is paid for by what renting would have cost; None: never."""

    against: str  # the target that is not paid
    upfront_usd: Decimal | None
    months: tuple[float | None, float | None] | None  # None: not known
    verdict: str


@dataclass(frozen=True)
class Meeting:
    """Where two targets cost the same, in tokens a month; None: they do not meet."""

    cheaper_below: str | None
    cheaper_above: str | None
    tokens: tuple[float, float] | None
    verdict: str  # in words; "too close to call" where the ranges overlap at this traffic
    pair: tuple[str, str]


@dataclass(frozen=True)
class Point:
    """What each target costs a month at one amount of traffic, lowest and highest likely."""

    tokens: float
    requests_per_day: float
    usd: dict[str, Money]


class Crowd(NamedTuple):
    """How long an answer takes when so many ask at the same time, least and most likely."""

    users: int
    seconds: tuple[float, float]


@dataclass(frozen=True)
class Wall:
    """The scaling wall of one target: beyond `at_once` users the rest wait for their turn."""

    at_once: int
    points: tuple[Crowd, ...]
    basis: Basis
    source: str


@dataclass(frozen=True)
class Recommendation:
    """The target that the rules leave and that costs least, why, and what development would take."""

    target: str | None
    rules: tuple[Rule, ...]
    close: tuple[str, ...] = ()  # others whose cost cannot be told apart from it
    development: str | None = None
    hybrid: str | None = None  # said where development and production want different targets


@dataclass(frozen=True)
class Comparison:
    """Everything that `deployer compare` found out."""

    spec_name: str
    spec_digest: str
    generated_at: str
    traffic: Traffic
    rows: tuple[Row, ...]  # one of each target
    alternatives: tuple[Row, ...]
    paid: tuple[Paid, ...]
    meetings: tuple[Meeting, ...]
    curve: tuple[Point, ...]  # cost against traffic
    months: dict[
        str, tuple[Money, ...]
    ]  # spent until the end of each month, from month 0 (up front)
    walls: dict[str, Wall]  # by target; one whose speed is not known has none
    recommendation: Recommendation
    notes: tuple[str, ...] = ()

    def row(self, target: str) -> Row:
        """The row of a target."""
        return next(row for row in self.rows if row.target == target)
