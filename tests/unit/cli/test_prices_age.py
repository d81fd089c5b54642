"""How old a price is: by the calendar, never younger than it may be, and warned about after 90 days."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.core.domain import Rate
from deployer.planning.catalog import age

DAYS = st.dates(min_value=date(1999, 1, 1), max_value=date(2101, 1, 1))


def rate(as_of: str | None) -> Rate:
    return Rate("disk", "GB", Decimal(1), "a price page", as_of)


@given(DAYS, DAYS)
def test_days_are_counted_as_the_calendar_counts_them(first, second):
    expected = max(0, (second - first).days)
    assert age.age_days(first.isoformat(), second.isoformat()) == expected


@pytest.mark.parametrize(
    ("as_of", "days"),
    [
        ("2026-11-22", 0),
        ("2026-11-22T10:00:00+00:00", 0),
        ("2026-11", 21),  # counts from the first of the month
        ("2026", 325),
        ("2027-01-01", 0),  # a clock that is behind makes no negative age
    ],
)
def test_a_date_that_is_not_exact_counts_from_its_first_day(as_of, days):
    assert age.age_days(as_of, "2026-11-22T12:00:00+00:00") == days


@pytest.mark.parametrize("days", [0, 89, 90])
def test_up_to_90_days_nothing_is_said(days):
    today = date(2026, 11, 22)
    assert age.stale(rate((today - timedelta(days)).isoformat()), today.isoformat()) is None


def test_after_90_days_the_age_and_the_date_are_said():
    said = age.stale([rate("2026-08-23"), rate("2026-11-01")], "2026-11-22")
    assert said == "the oldest price is 91 days old (2026-08-23)"


def test_a_price_without_a_date_is_said_too():
    assert age.stale(rate(None), "2026-11-22") == "the price is undated"
    said = age.stale([rate(None), rate("2026-11-01")], "2026-11-22")
    assert said == "1 of 2 prices are undated"


def test_nothing_is_not_stale():
    assert age.stale([], "2026-11-22") is None
    assert age.oldest([]) is None
