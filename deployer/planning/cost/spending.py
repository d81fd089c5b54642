"""What a deployment has cost so far, and what its budget says of that. Pure: times are hours or seconds, given."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from deployer.core.domain import SECONDS_PER_HOUR

WARN_AT = Decimal("0.8")

Over = Literal["stop", "warn"]


@dataclass(frozen=True)
class Run:
    """One stretch of running, in seconds since 1970; `ended_at` None: it runs still."""

    started_at: float
    ended_at: float | None = None


@dataclass(frozen=True)
class Prices:
    """USD an hour: `running` of all that a running machine costs, `resting` of what stays when it is stopped."""

    running: Decimal
    resting: Decimal


@dataclass(frozen=True)
class Verdict:
    """What the budget says: `ok`, `warn` from 80 % on, `stop` from 100 % on; and why, in words."""

    state: Literal["ok", "warn", "stop"]
    reason: str


def hours_run(runs: Iterable[Run], since: float, now: float) -> Decimal:
    """Add up the hours of running from `since` to `now`; stretches that overlap count once."""
    total, done = 0.0, since
    for run in sorted(runs, key=lambda r: r.started_at):
        start = max(run.started_at, done)
        end = min(now if run.ended_at is None else run.ended_at, now)
        if end > start:
            total += end - start
            done = end
    return Decimal(str(total)) / SECONDS_PER_HOUR


def cost(ran_hours: Decimal, existed_hours: Decimal, prices: Prices) -> Decimal:
    """What it has cost, in USD: the hours that it ran at the full price, the others at that of its disks."""
    rested = max(Decimal(0), existed_hours - ran_hours)
    return ran_hours * prices.running + rested * prices.resting


def cost_of(runs: Iterable[Run], since: float, now: float, prices: Prices) -> Decimal:
    """What launches have cost from `since` (when it was made, or the month's first) to `now`, in USD."""
    existed = Decimal(str(max(0.0, now - since))) / SECONDS_PER_HOUR
    return cost(hours_run(runs, since, now), existed, prices)


def verdict(spent: Decimal, budget: Decimal, over: Over = "stop") -> Verdict:
    """Say what a monthly budget makes of what was spent this month. With `over` warn it never stops."""
    share = spent / budget
    said = f"{spent:.2f} of {budget:.2f} USD this month ({share * 100:.0f} %)"
    if share >= 1 and over == "stop":
        return Verdict("stop", f"its budget is used up: {said}")
    if share >= 1:
        return Verdict("warn", f"its budget is used up and the policy only warns: {said}")
    if share >= WARN_AT:
        return Verdict("warn", f"its budget is nearly used up: {said}")
    return Verdict("ok", said)
