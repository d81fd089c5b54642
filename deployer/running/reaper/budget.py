"""What machines with a budget have cost this month, and which of them have used it up.

How long a machine ran is what its cloud counted. A machine that was ended and is not listed any more is not in it:
the sum is what the deployment cost at the least.
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
from deployer.providers.cloud import Gap, MachineControl
from deployer.running.reaper.verdicts import MachineVerdict


def month_start(now: float) -> float:
    """Return when the month of `now` began, in UTC as clouds bill."""
    first = datetime.fromtimestamp(now, UTC).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )
    return first.timestamp()


def budgeted(
    control: MachineControl, verdicts: Sequence[MachineVerdict], now: float
) -> tuple[list[MachineVerdict], list[Gap]]:
    """Say what deployments with a budget have spent this month; one that has used it up is to be stopped."""
    limited = [one for one in verdicts if one.machine.terms.budget_usd is not None]
    ran, gaps = _hours(control, limited, now)
    spent: dict[str, list[Decimal | None]] = defaultdict(list)
    for one in limited:
        spent[one.machine.deployment].append(_spent(one, ran, now))
    return [_judged(one, spent.get(one.machine.deployment, ())) for one in verdicts], gaps


def _hours(
    control: MachineControl, verdicts: Sequence[MachineVerdict], now: float
) -> tuple[Mapping[str, Decimal], list[Gap]]:
    """How many hours each ran this month."""
    hours: dict[str, Decimal] = {}
    gaps: list[Gap] = []
    for scope in dict.fromkeys(one.machine.scope for one in verdicts):
        ids = [one.machine.id for one in verdicts if one.machine.scope == scope]
        counted, missing = control.hours(scope, ids, month_start(now), now)
        hours.update(counted)
        gaps += missing
    return hours, gaps


def _spent(one: MachineVerdict, ran: Mapping[str, Decimal], now: float) -> Decimal | None:
    if one.prices is None or one.machine.id not in ran:
        return None
    since = month_start(now)
    this_run = now - max(since, one.machine.started_at) if one.machine.running else 0.0
    hours = max(
        ran[one.machine.id], Decimal(int(this_run)) / SECONDS_PER_HOUR
    )  # what is counted comes late
    existed = Decimal(int(now - max(since, one.machine.made_at))) / SECONDS_PER_HOUR
    return spending.cost(hours, existed, one.prices)


def _judged(one: MachineVerdict, amounts: Sequence[Decimal | None]) -> MachineVerdict:
    most, over = one.machine.terms.budget_usd, one.machine.terms.over_budget
    known = [amount for amount in amounts if amount is not None]
    if most is None or not known or len(known) < len(amounts):
        return one
    spent = sum(known, Decimal(0))
    return _changed(replace(one, spent_usd=spent), spending.verdict(spent, most, over))


def _changed(one: MachineVerdict, said: Verdict) -> MachineVerdict:
    """What the budget changes: a machine that runs is stopped when nothing ends it anyway; a warning is said."""
    decision = one.decision
    if said.state == "ok" or not one.machine.running or not one.kept:
        return one
    if said.state == "stop":
        stop = Decision("stop", said.reason, decision.idle_s)
        return replace(one, over_budget=True, decision=stop)
    warned = Decision("keep", f"{decision.reason}; {said.reason}", decision.idle_s)
    return replace(one, decision=warned)
