"""What a deployment has cost so far, and what its budget says of it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.planning.cost.spending import Prices, Run, cost_of, hours_run, verdict

HOUR = 3600.0
PRICES = Prices(Decimal("1.00"), Decimal("0.01"))

COSTS = {
    "one launch that runs still": ([Run(0)], 0, 10 * HOUR, "10.00"),
    "stopped after two of ten hours": ([Run(0, 2 * HOUR)], 0, 10 * HOUR, "2.08"),
    "two launches": ([Run(0, HOUR), Run(5 * HOUR, 6 * HOUR)], 0, 10 * HOUR, "2.08"),
    "launches that overlap count once": (
        [Run(0, 3 * HOUR), Run(HOUR, 2 * HOUR)],
        0,
        4 * HOUR,
        "3.01",
    ),
    "before the month does not count": ([Run(0)], 9 * HOUR, 10 * HOUR, "1.00"),
    "never launched": ([], 0, 10 * HOUR, "0.10"),
    "a clock that went back": ([Run(5 * HOUR)], 0, 4 * HOUR, "0.04"),
}


@pytest.mark.parametrize("case", COSTS)
def test_the_cost_so_far_of(case):
    runs, since, now, expected = COSTS[case]
    assert round(cost_of(runs, since, now, PRICES), 6) == Decimal(expected)


VERDICTS = {
    "nothing": ("0", "stop", "ok"),
    "just below 80 %": ("319.99", "stop", "ok"),
    "80 %": ("320", "stop", "warn"),
    "just below all": ("399.99", "stop", "warn"),
    "all": ("400", "stop", "stop"),
    "more than all": ("500", "stop", "stop"),
    "all, where it only warns": ("400", "warn", "warn"),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_the_budget_of_400_says_when_spent(case):
    spent, over, expected = VERDICTS[case]
    assert (
        verdict(Decimal(spent), Decimal(400), "warn" if over == "warn" else "stop").state
        == expected
    )


TIMES = st.floats(0, 1e7)
RUNS = st.lists(st.builds(Run, TIMES, st.none() | TIMES), max_size=6)


@given(RUNS, TIMES, TIMES)
def test_nothing_runs_for_longer_than_there_was_time(runs, since, now):
    ran = hours_run(runs, since, now)
    assert 0 <= ran <= Decimal(str(max(0.0, now - since))) / 3600 + Decimal("1e-6")


@given(RUNS, TIMES, st.floats(0, 1e6))
def test_a_deployment_never_gets_cheaper_with_time(runs, now, later):
    before, after = (cost_of(runs, 0, t, PRICES) for t in (now, now + later))
    assert after >= before - Decimal("1e-6")
