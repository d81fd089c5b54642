"""How old a price is. Pure: today's date is an argument, never looked up.

A date that gives only the month or the year counts from its first day, so that an age never flatters.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Protocol

STALE_DAYS = 90
"""From this age on a price is warned about."""


class Dated(Protocol):
    """A price with the date when it was read: an `Offer`, a `Rate`, an `Item` of a bill."""

    @property
    def as_of(self) -> str | None:
        """ISO date (or month, or year) of the price; None: undated."""
        ...


def age_days(as_of: str, today: str) -> int:
    """Count the days from one ISO date (or time) to another; never below 0.

    Raises:
        ValueError: one of them is not a date.
    """
    return max(0, (_day(today) - _day(as_of)).days)


def oldest(prices: Iterable[Dated]) -> str | None:
    """Return the oldest date among some prices; None when none of them is dated."""
    return min((p.as_of for p in prices if p.as_of), default=None)


def stale(prices: Dated | Iterable[Dated], today: str, days: int = STALE_DAYS) -> str | None:
    """Return a warning when a price is older than `days`, or None.

    A price without a date is warned about too: nobody can say how old it is. How to renew it is the caller's to
    say: some providers' prices are renewed by `deployer prices refresh`, the others come with a newer version.
    """
    listed = list(prices) if isinstance(prices, Iterable) else [prices]
    last = oldest(listed)
    undated = sum(1 for p in listed if p.as_of is None)
    said = []
    if last is not None and age_days(last, today) > days:
        said.append(f"the oldest price is {age_days(last, today)} days old ({last})")
    if undated:
        said.append(
            f"{undated} of {len(listed)} prices are undated"
            if len(listed) > 1
            else "the price is undated"
        )
    return " and ".join(said) or None


def _day(said: str) -> date:
    """Read an ISO date or time; the first of the month or of the year, where it names no day."""
    year, month, day = (*(int(part) for part in said[:10].split("-")), 1, 1)[:3]
    return date(year, month, day)
