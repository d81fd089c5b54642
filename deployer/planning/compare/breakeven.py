"""When owned hardware is paid for, and where two targets cost the same: ranges, or "too close to call". Pure.

    months = price / (rent a month - electricity a month)

the shortest from the dearest rent and the least electricity, the longest the other way round. Where two
targets meet is looked up on the cost curve: from the last amount of traffic at which one is cheaper whatever
the estimates, to the first at which the other is.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

from deployer.core.units import usd
from deployer.planning.compare.curve import FACTORS, Curve, running
from deployer.planning.compare.result import Meeting, Money, Paid, Row

CLOSE = "too close to call"
HALVINGS = 6
"""How often the gap between two points of the curve is halved: to within 1 % of its traffic."""
PAIRS = (("serverless", "cloud-gpu"), ("cloud-gpu", "local"), ("serverless", "local"))


def paid(own: Row, other: Row) -> Paid:
    """Say after how many months owned hardware has cost less than renting."""
    upfront, rent, power = own.decimal("upfront_usd"), other.monthly, running(own)
    if upfront is None or rent is None or power is None:
        return Paid(other.target, upfront, None, "unknown: a price is missing")
    if not upfront:
        return Paid(
            other.target, upfront, (0.0, 0.0), "from the first day: nothing has to be bought"
        )
    low, high = own.cells["upfront_usd"].within or (upfront, upfront)
    soon = _months(Decimal(low), rent[1] - power[0])
    late = _months(Decimal(high), rent[0] - power[1])
    return Paid(other.target, upfront, (soon, late), _when(soon, late))


def _months(price: Decimal, saved: Decimal) -> float | None:
    return float(price / saved) if saved > 0 else None


def _when(soon: float | None, late: float | None) -> str:
    if soon is None:
        return "never: renting costs less than its electricity"
    if late is None:
        return f"{CLOSE}: after {soon:.1f} months at the earliest, or never"
    return (
        f"after {soon:.1f} months"
        if late - soon < 0.1
        else f"after {soon:.1f} to {late:.1f} months"
    )


def cheaper(a: Money, b: Money) -> int:
    """Return -1 where a costs less for certain, 1 where b does, 0 where it is too close to call."""
    return -1 if a[1] < b[0] else 1 if b[1] < a[0] else 0


def meetings(curve: Curve) -> Iterator[Meeting]:
    """Say of each pair of targets where they cost the same."""
    for a, b in PAIRS:
        if a in curve.ways and b in curve.ways:
            yield _meeting(curve, a, b)


def _meeting(curve: Curve, a: str, b: str) -> Meeting:
    if not curve.demand.per_hour:
        return Meeting(None, None, None, "unknown: no traffic", (a, b))
    if any(curve.cost(target, 1.0) is None for target in (a, b)):
        return Meeting(None, None, None, "unknown: a price is missing", (a, b))
    now = _sign(curve, a, b, 1.0)
    here = CLOSE if now == 0 else f"{a if now < 0 else b} costs less"
    signs = [(factor, _sign(curve, a, b, factor)) for factor in FACTORS]
    certain = [(factor, sign) for factor, sign in signs if sign]
    for (below, first), (above, second) in pairwise(certain):
        if first != second:
            return _found(curve, (a, b), first, (below, above), here)
    if not certain:
        return Meeting(None, None, None, f"{CLOSE} at any traffic", (a, b))
    return _apart(curve, (a, b), signs, here)


def _found(
    curve: Curve, pair: tuple[str, str], first: int, between: tuple[float, float], here: str
) -> Meeting:
    """They change places: narrow both ends of where it is too close to call."""
    below = _edge(curve, pair, between, first)
    above = _edge(curve, pair, (between[1], between[0]), -first)
    low, high = curve.tokens(below), curve.tokens(above)
    under, over = pair if first < 0 else (pair[1], pair[0])
    said = (
        f"{under} costs less below {million(low)} tokens a month and {over} above {million(high)};"
        f" at this traffic: {here}"
    )
    return Meeting(under, over, (low, high), said, pair)


def _edge(curve: Curve, pair: tuple[str, str], between: tuple[float, float], sign: int) -> float:
    """The last amount of traffic, going from the first of two to the second, that still has this sign."""
    same, other = between
    for _ in range(HALVINGS):
        middle = (same * other) ** 0.5
        if _sign(curve, *pair, middle) == sign:
            same = middle
        else:
            other = middle
    return same


def _apart(
    curve: Curve, pair: tuple[str, str], signs: list[tuple[float, int]], here: str
) -> Meeting:
    """One of them is cheaper wherever that is certain."""
    sign = next(sign for _, sign in signs if sign)
    winner, loser = pair if sign < 0 else (pair[1], pair[0])
    close = [factor for factor, found in signs if not found]
    span = f"{million(curve.tokens(FACTORS[0]))} to {million(curve.tokens(FACTORS[-1]))} tokens a month"
    if not close:
        said = f"{winner} costs less than {loser} at any traffic from {span}"
        return Meeting(winner, winner, None, said, pair)
    said = (
        f"{winner} costs less than {loser} or it is {CLOSE}, from {span}; at this traffic: {here}"
    )
    return Meeting(winner, None, None, said, pair)


def _sign(curve: Curve, a: str, b: str, factor: float) -> int:
    one, other = curve.cost(a, factor), curve.cost(b, factor)
    return 0 if one is None or other is None else cheaper(one, other)


def million(tokens: float) -> str:
    """Write an amount of tokens: `12.3M`, `4.56B`."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if tokens >= size:
            return f"{tokens / size:.3g}{letter}"
    return f"{tokens:.3g}"


def within(pair: Money | None) -> str:
    """Write a range of money, or one amount where both are the same."""
    if pair is None:
        return "unknown"
    low, high = usd(pair[0]), usd(pair[1])
    return low if low == high else f"{low} to {high}"
