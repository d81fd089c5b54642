"""The month of an endpoint that sleeps: hours awake, windows, and who meets a cold start."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deployer.planning.traffic.month import Sleeper, of_sleeper
from deployer.providers import registry
from deployer.spec import Traffic
from tests.kits.documents import printed

SLEEPER = Sleeper(keep_minutes=15, cold_minutes=(1.0, 5.0), seconds=(5.0, 10.0), batch=8)
PROFILES = ("steady", "office-hours", "diurnal", "spiky")
SERVED = sorted(registry.providers("serverless"))


def traffic(per_day: int, profile: Any = "steady") -> Traffic:
    return Traffic(requests_per_day=Decimal(per_day), profile=profile)


def test_without_requests_it_sleeps_all_month_and_nobody_waits():
    month = of_sleeper(traffic(0), SLEEPER)
    assert month.usage.active_hours == (Decimal(0), Decimal(0))
    assert month.cold_share == (0, 0)


def test_a_call_a_day_or_so_nearly_always_meets_a_cold_start_and_pays_for_it_and_what_follows():
    month = of_sleeper(traffic(1), SLEEPER)
    assert month.cold_share[0] > 0.95
    each = [hours * 60 / month.usage.requests for hours in month.usage.active_hours]
    assert 14 < each[0] <= 17, "15 minutes awake and a start of one"
    assert 18 < each[1] <= 21, "and of five"


@pytest.mark.parametrize("profile", PROFILES)
def test_more_traffic_is_longer_awake_and_meets_fewer_cold_starts(profile):
    months = [of_sleeper(traffic(per_day, profile), SLEEPER) for per_day in (5, 50, 500, 5000)]
    hours = [month.usage.active_hours for month in months]
    shares = [month.cold_share for month in months]
    assert hours == sorted(hours)
    assert shares == sorted(shares, reverse=True)
    assert all(low <= high <= 730 for low, high in hours)


def test_office_hours_are_not_billed_at_night():
    steady, office = (of_sleeper(traffic(2000, p), SLEEPER) for p in ("steady", "office-hours"))
    assert steady.usage.active_hours[0] > 725
    assert 190 < office.usage.active_hours[0] < office.usage.active_hours[1] < 210, "45 of 168 h"


def test_what_is_billed_in_windows_pays_half_a_window_more_each_time_it_wakes():
    plain = of_sleeper(traffic(1), replace(SLEEPER, keep_minutes=5))
    windows = of_sleeper(traffic(1), replace(SLEEPER, keep_minutes=5, window_minutes=5.0))
    more = windows.usage.active_hours[0] - plain.usage.active_hours[0]
    assert more * 60 == pytest.approx(plain.usage.requests * Decimal("2.5"), rel=Decimal("0.02"))


def test_a_speed_that_is_not_known_is_a_range_and_no_figure():
    month = of_sleeper(traffic(100), replace(SLEEPER, seconds=None))
    assert month.usage.busy_hours == (Decimal(0), Decimal(730))
    assert month.usage.active_hours[0] < month.usage.active_hours[1]


@pytest.mark.parametrize("provider", SERVED)
def test_the_plan_says_what_share_meets_a_cold_start_how_long_it_takes_and_who_says_so(
    provider, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
):
    file = tmp_path / "deployer.yaml"
    traffic = "traffic: {requests_per_day: 100, profile: office-hours}\n"
    file.write_text(
        f"name: bot\nmodel: {{source: hf:Qwen/Qwen3-8B}}\n{traffic}"
        f"targets: {{serverless: {{provider: {provider}}}}}\n"
    )
    asked = ("plan", "-f", file, "--target", "serverless", "--offline")
    plan = printed(capsys, *asked).document["plans"][0]
    (said,) = [w for w in plan["warnings"] if "cold start" in w and "% of the requests" in w]
    found: Any = registry.provider("serverless", provider)
    low, high = found.sleep.cold_start_minutes
    assert f"a cold start of {low:g} to {high:g} minutes" in said
    assert "simulated over 4 weeks" in said
    assert "2026-" in said, "a date"
