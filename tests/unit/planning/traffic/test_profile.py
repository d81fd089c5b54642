"""What traffic asks of a month: the figures worked out, and what must hold for all of them."""

from __future__ import annotations

from decimal import Decimal
from math import exp
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.core.domain import HOURS_PER_MONTH, Range, Usage
from deployer.planning.traffic.profile import hourly_rates, usage

NAMED = ("steady", "office-hours", "diurnal", "spiky")
PROFILES = st.sampled_from(NAMED) | st.lists(st.integers(0, 9), min_size=24, max_size=24)


def month(
    per_day: float,
    profile: Any = "steady",
    minutes: float = 15.0,
    seconds: Range | None = (2.0, 6.0),
    **more: Range,
) -> Usage:
    traffic = {
        "requests_per_day": per_day,
        "input_tokens": 800,
        "output_tokens": 300,
        "profile": profile,
    }
    return usage(traffic, scale_to_zero_minutes=minutes, seconds_per_request=seconds, **more)


@pytest.mark.parametrize("profile", [*NAMED, list(range(24))])
def test_a_profile_spreads_exactly_the_weeks_requests(profile):
    rates = hourly_rates(5000, profile)
    assert len(rates) == 168
    assert sum(rates) == pytest.approx(7 * 5000)


def test_office_hours_are_monday_to_friday_nine_to_six():
    rates = hourly_rates(45, "office-hours")
    assert [h for h in range(24) if rates[h]] == list(range(9, 18))
    assert sum(1 for rate in rates if rate) == 45
    assert not any(rates[5 * 24 :])


def test_the_day_has_its_peak_in_the_afternoon():
    day = hourly_rates(24, "diurnal")[:24]
    assert day.index(max(day)) == 15
    assert max(day) == pytest.approx(1.9)


def test_numbers_are_the_weights_of_every_days_hours():
    rates = hourly_rates(10, [0] * 23 + [1])
    assert rates[23] == pytest.approx(10)
    assert rates[22] == 0


def test_a_month_has_a_twelfth_of_a_years_requests():
    used = month(1200)
    assert round(used.requests) == 36500
    assert round(used.input_tokens) == 36500 * 800
    assert round(used.output_tokens) == 36500 * 300


def test_egress_counts_the_stream_and_not_only_the_text():
    # 36,500 x 300 tokens x 200 bytes = 2.19e9 bytes = 2.0396 GiB
    assert float(month(1200).egress_gb) == pytest.approx(2.0396, abs=1e-4)


def test_active_hours_follow_the_formula():
    # 24 requests a day: one an hour. Awake for 30 min after each, without a start: 1 - e^-0.5 of 730 h
    used = month(24, minutes=30, seconds=(0.0, 0.0), cold_start_minutes=(0.0, 0.0))
    assert float(used.active_hours[0]) == pytest.approx(730 * (1 - exp(-0.5)), abs=1e-3)


def test_a_cold_start_is_paid_too():
    # asleep 1 h on average, then 5 min of starting and (e^0.5 - 1) h awake
    used = month(24, minutes=30, seconds=(0.0, 0.0), cold_start_minutes=(0.0, 5.0))
    awake = 5 / 60 + exp(0.5) - 1
    assert float(used.active_hours[1]) == pytest.approx(730 * awake / (1 + awake), abs=1e-3)


def test_one_short_visit_an_hour_in_office_hours_still_ends_with_the_wait():
    # traffic without a pause from 9 to 18 h keeps the endpoint awake for 9 h and the 30 min after it
    used = month(100_000, "office-hours", minutes=30)
    assert float(used.active_hours[0]) == pytest.approx(5 * 9.5 / 168 * 730, rel=0.02)


@pytest.mark.parametrize("profile", ["steady", "diurnal", "spiky"])
def test_traffic_without_pause_never_sleeps(profile):
    assert round(month(1_000_000, profile).active_hours[0]) == HOURS_PER_MONTH


def test_no_requests_wake_nothing():
    used = month(0, seconds=None)
    assert set(used.active_hours + used.busy_hours) == {Decimal(0)}
    assert used.egress_gb == 0


def test_without_a_known_speed_the_machine_may_be_busy_never_or_always():
    assert month(100, seconds=None).busy_hours == (Decimal(0), Decimal(HOURS_PER_MONTH))


def test_objects_are_read_like_mappings():
    class Traffic:
        requests_per_day = Decimal(1200)
        input_tokens, output_tokens, profile = 800, 300, "steady"

    read = usage(Traffic(), scale_to_zero_minutes=15, seconds_per_request=(2.0, 6.0))
    assert read == month(1200)


@settings(max_examples=40, deadline=None)
@given(
    per_day=st.floats(0, 1e6),
    more=st.floats(1, 100),
    profile=PROFILES,
    minutes=st.floats(0, 600),
    seconds=st.floats(0, 600),
)
def test_more_requests_never_make_fewer_hours(per_day, more, profile, minutes, seconds):
    few = month(per_day, profile, minutes, (seconds / 2, seconds))
    many = month(per_day * more, profile, minutes, (seconds / 2, seconds))
    tiny = Decimal("0.00001")
    for low, high in ((few.active_hours, many.active_hours), (few.busy_hours, many.busy_hours)):
        assert low[0] <= high[0] + tiny
        assert low[1] <= high[1] + tiny


@settings(max_examples=40, deadline=None)
@given(per_day=st.floats(0, 1e7), profile=PROFILES, minutes=st.floats(0, 1e5))
def test_hours_stay_within_the_month_and_the_range_the_right_way_round(per_day, profile, minutes):
    used = month(per_day, profile, minutes)
    for low, high in (used.active_hours, used.busy_hours):
        assert 0 <= low <= high + Decimal("0.00001")
        assert high <= HOURS_PER_MONTH
    assert used.busy_hours[0] <= used.active_hours[0] + Decimal("0.00001")
