"""What machines with a budget have cost this month, and which of them have used it up.

How long a machine ran is what CloudWatch counted: EC2 writes CPUUtilization every five minutes that it runs, so
each sample is five minutes, launches and stops included. A machine that was ended more than an hour ago is not
listed by AWS any more, so what it cost is not in it: the sum is what it cost at the least.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from deployer.agents.idle import Decision
from deployer.core.domain import SECONDS_PER_HOUR
from deployer.planning.cost import spending
from deployer.planning.cost.spending import Verdict
from deployer.running.reaper.verdicts import Looked
from stacks._aws import idle_metrics
from stacks._aws.instances import budget
from stacks._aws.sweep import ClientsOf, Gap

DAY_S = 86400
SAMPLE_HOURS = Decimal(5) / 60


def month_start(now: float) -> float:
    """Return when the month of `now` began, in UTC as AWS bills."""
    first = datetime.fromtimestamp(now, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    return first.timestamp()


def budgeted(
    clients_of: ClientsOf, looked: Sequence[Looked], now: float
) -> tuple[list[Looked], list[Gap]]:
    """Say what deployments with a budget have spent this month; one that has used it up is to be stopped."""
    limited = [one for one in looked if budget(one.machine)[0] is not None]
    ran, gaps = _hours(clients_of, limited, now)
    spent: dict[str, list[Decimal | None]] = defaultdict(list)
    for one in limited:
        spent[one.machine.deployment].append(_spent(one, ran, now))
    return [_judged(one, spent.get(one.machine.deployment, ())) for one in looked], gaps


def _hours(
    clients_of: ClientsOf, looked: Sequence[Looked], now: float
) -> tuple[Mapping[str, Decimal], list[Gap]]:
    """How many hours each ran this month."""
    since = month_start(now)
    samples = idle_metrics.Metric(
        "AWS/EC2", "CPUUtilization", "SampleCount", DAY_S, int(now - since)
    )
    hours: dict[str, Decimal] = {}
    gaps: list[Gap] = []
    for region in dict.fromkeys(one.machine.region for one in looked):
        ids = [one.machine.id for one in looked if one.machine.region == region]
        told, missing = idle_metrics.read(clients_of(region), samples, ids, now)
        gaps += missing
        for key, series in told.items():
            counted = sum(Decimal(str(count)) for _, count in series)
            hours[key] = counted * SAMPLE_HOURS
    return hours, gaps


def _spent(one: Looked, ran: Mapping[str, Decimal], now: float) -> Decimal | None:
    if one.prices is None or one.machine.id not in ran:
        return None
    since = month_start(now)
    this_run = now - max(since, one.machine.started_at) if one.machine.running else 0.0
    hours = max(ran[one.machine.id], Decimal(int(this_run)) / SECONDS_PER_HOUR)  # samples come late
    existed = Decimal(int(now - max(since, one.machine.made_at))) / SECONDS_PER_HOUR
    return spending.cost(hours, existed, one.prices)


def _judged(one: Looked, amounts: Sequence[Decimal | None]) -> Looked:
    most, over = budget(one.machine)
    known = [amount for amount in amounts if amount is not None]
    if most is None or not known or len(known) < len(amounts):
        return one
    spent = sum(known, Decimal(0))
    return _changed(replace(one, spent_usd=spent), spending.verdict(spent, most, over))


def _changed(one: Looked, said: Verdict) -> Looked:
    """What the budget changes: a machine that runs is stopped when nothing ends it anyway; a warning is said."""
    decision = one.decision
    if said.state == "ok" or not one.machine.running or decision.action != "keep":
        return one
    if said.state == "stop":
        stop = Decision("stop", said.reason, decision.idle_s)
        return replace(one, over_budget=True, decision=stop)
    warned = Decision("keep", f"{decision.reason}; {said.reason}", decision.idle_s)
    return replace(one, decision=warned)
