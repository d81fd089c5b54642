"""The simulated year: held against one that draws every request, and what must hold for any traffic."""

from __future__ import annotations

from decimal import Decimal
from math import inf
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.planning.compare.week import typical, wait_class
from deployer.planning.traffic.demand import WEEKS, of_traffic
from deployer.planning.traffic.profile import HOURS, usage
from deployer.planning.traffic.simulation import Server, copies_for, simulate
from deployer.spec import Traffic

PROFILES = ("steady", "office-hours", "diurnal", "spiky")
KEEP, COLD, SECONDS = 0.5, 0.05, 6.0
SLEEPER = Server(SECONDS, batch=8, copies=1, keep_hours=KEEP, cold_hours=COLD)
FIELDS = ("awake_hours", "copy_hours", "busy_hours", "requests")


def traffic(per_day: float, profile: object = "steady") -> Traffic:
    return Traffic(requests_per_day=Decimal(str(per_day)), profile=profile)  # type: ignore[arg-type]


def one_by_one(rates: tuple[float, ...], seed: int) -> tuple[float, float, float]:
    """Draw every request; return the share of time awake, cold starts an hour, and the share that met one."""
    draw, asks = Random(seed), []  # noqa: S311 - traffic, no secret
    for hour, rate in enumerate(rates):
        at = draw.expovariate(rate) if rate else inf
        while at < 1:
            asks.append(hour + at)
            at += draw.expovariate(rate)
    awake, starts, met = 0.0, 0, 0
    begun, ready, until = 0.0, 0.0, 0.0
    for at in asks:
        if at >= until:
            awake, starts = awake + until - begun, starts + 1
            begun, ready = at, at + COLD
        met += at < ready
        until = max(until, max(at, ready) + SECONDS / 3600 + KEEP)
    return (awake + until - begun) / len(rates), starts / len(rates), met / len(asks)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("per_day", [5, 20, 200, 2000])
def test_hours_and_cold_starts_are_those_of_requests_drawn_one_by_one(profile, per_day):
    rates = of_traffic(traffic(per_day, profile)).expected
    made = simulate(rates, SLEEPER)
    weeks = 104
    awake, starts, met = one_by_one(rates * weeks, seed=5)
    drawn = starts * len(rates) * weeks  # counted: three standard deviations of it are chance
    chance = 3 / max(1.0, drawn) ** 0.5
    assert made.monthly("awake_hours") / 730 == pytest.approx(awake, rel=0.03)
    assert made.monthly("cold_starts") / 730 == pytest.approx(starts, rel=max(0.04, chance))
    assert made.cold_share == pytest.approx(met, rel=max(0.05, chance), abs=1e-4)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("per_day", [10, 300, 10_000])
def test_without_bursts_it_runs_as_long_as_the_plan_says(profile, per_day):
    told = traffic(per_day, profile)
    planned = usage(
        told,
        scale_to_zero_minutes=60 * KEEP,
        seconds_per_request=(SECONDS, SECONDS),
        cold_start_minutes=(60 * COLD, 60 * COLD),
    )
    made = simulate(of_traffic(told).expected, SLEEPER)
    assert made.monthly("awake_hours") == pytest.approx(float(planned.active_hours[0]), rel=0.015)


def test_a_year_has_exactly_the_profiles_requests_and_the_same_bursts_every_time():
    demand = of_traffic(traffic(1000, "spiky"))
    assert len(demand.rates) == WEEKS * HOURS
    assert sum(demand.rates) == pytest.approx(7000 * WEEKS)
    assert demand == of_traffic(traffic(1000, "spiky"))
    assert demand.rates != of_traffic(traffic(1000, "spiky"), seed=2).rates


def test_bursts_do_not_depend_on_how_much_is_asked():
    once, twice = (of_traffic(traffic(n, "diurnal")).rates for n in (100, 200))
    assert [b / a for a, b in zip(once, twice, strict=True)] == pytest.approx([2.0] * len(once))


def test_a_silent_night_ends_with_one_cold_start_however_many_come_at_ten():
    made = simulate(of_traffic(traffic(100_000, [0] * 10 + [1] + [0] * 13)).expected, SLEEPER)
    assert made.total("cold_starts") == pytest.approx(7)


def test_what_never_stops_has_no_cold_start():
    made = simulate((0.0, 1.0), Server(SECONDS, copies=2))
    assert made.cold_share == 0
    assert made.monthly("copy_hours") == 2 * 730


def test_copies_are_built_for_four_fifths_of_their_capacity():
    server = Server(seconds=3.0, batch=10)  # 12,000 an hour
    assert [copies_for(rate, server) for rate in (0, 9600, 9601, 19_200)] == [1, 1, 2, 2]
    assert copies_for(1e9, Server(seconds=None)) == 1


def test_what_an_hour_cannot_answer_is_left_to_the_next_and_counted_as_waiting():
    # 100 an hour from one copy: 250 come in the first hour, none after: 150 left, then 50, then none
    made = simulate((250.0, 0.0, 0.0, 0.0), Server(seconds=36.0, batch=1))
    assert made.backlogs == [150, 50, 0, 0]
    assert [wait_class(each) for each in made.waits or ()] == [
        "overloaded",
        "overloaded",
        "overloaded",
        "none",
    ]


def test_a_queue_of_one_server_waits_as_the_textbook_says():
    # M/M/1 at half its capacity: the mean wait is u / (1 - u) services, one service of 36 s
    made = simulate((50.0,), Server(seconds=36.0, batch=1))
    assert made.waits == pytest.approx([36.0])


def test_copies_that_follow_the_traffic_are_paid_when_they_run():
    server = Server(seconds=3.0, batch=10, copies=None, keep_hours=0.25)
    made = simulate((19_200.0, 100.0, 0.0, 0.0), server)
    assert made.copies_running == [2, 1, 1, 1]
    # two copies for an hour; then one, and a quarter of an hour of the other; then the last quarter of the one
    assert made.copy_hours == pytest.approx([2, 1.25, 0.25, 0], abs=0.01)


def test_an_unknown_speed_is_told_as_unknown():
    made = simulate((1000.0,) * 24, Server(seconds=None))
    assert (made.utilisation, made.wait_seconds) == (None, None)
    assert wait_class(made.wait_seconds) == "unknown"


def test_the_typical_week_is_the_mean_of_all_weeks():
    made = simulate(of_traffic(traffic(1000, "office-hours")).rates, SLEEPER)
    week = typical(made)
    assert len(week) == HOURS
    assert sum(hour.requests for hour in week) == pytest.approx(7000)


@settings(max_examples=60)
@given(
    rates=st.lists(st.floats(0, 1000), min_size=1, max_size=60),
    factor=st.floats(1, 50),
    keep=st.none() | st.floats(0, 3),
    cold=st.floats(0, 0.2),
    copies=st.none() | st.integers(1, 3),
    seconds=st.floats(0.1, 60),
)
def test_more_requests_never_make_fewer_hours(rates, factor, keep, cold, copies, seconds):
    server = Server(seconds, batch=4, copies=copies, keep_hours=keep, cold_hours=cold)
    few = simulate(tuple(rates), server)
    many = simulate(tuple(rate * factor for rate in rates), server)
    for figure in FIELDS:
        assert many.total(figure) >= few.total(figure) * (1 - 1e-9) - 1e-9


@settings(max_examples=60)
@given(
    rates=st.lists(st.floats(0, 1e5), min_size=1, max_size=60),
    keep=st.floats(0, 500),
    cold=st.floats(0, 2),
)
def test_no_hour_is_longer_than_an_hour_and_no_share_more_than_all(rates, keep, cold):
    made = simulate(tuple(rates), Server(5.0, batch=4, keep_hours=keep, cold_hours=cold))
    assert all(-1e-9 <= share <= 1 + 1e-9 for share in made.awake_hours)
    assert all(0 <= share <= 1 for share in made.busy_hours)
    assert all(0 <= met <= came for met, came in zip(made.met_cold, made.requests, strict=True))
    assert 0 <= made.cold_share <= 1
