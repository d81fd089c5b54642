"""What a deployment's machines have cost in their life, since when nobody uses them, and when they are removed.

A record keeps each machine (or group) that it ever had with what an hour of it cost: a cloud forgets a machine soon
after its end, and still knows how long it ran.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from deployer.agents.idle import decide
from deployer.core.clock import iso
from deployer.core.deployment import Deployment
from deployer.core.domain import SECONDS_PER_HOUR
from deployer.core.errors import DeployerError
from deployer.planning.cost import Rates, spending
from deployer.planning.cost.spending import Prices
from deployer.providers.cloud import Expiry, Leftover, Machine, MachineControl
from deployer.providers.managers import MachineUsage
from deployer.running.reaper.costs import prices
from deployer.running.reaper.orphans import disks_of
from deployer.running.reaper.verdicts import policy


def usage(
    control: MachineControl, scope: str, record: Deployment, machines: Sequence[Machine], now: float
) -> MachineUsage:
    """Look at a deployment's machines, all in one scope. `now` is in seconds since 1970."""
    times = [one.expires_at for one in machines if one.expires_at is not None]
    return MachineUsage(
        _cost(control, scope, record, machines, now),
        _idle_since(control, machines, now),
        iso(min(times)) if times else None,
    )


def remembered(
    record: Deployment, machines: Sequence[Machine], leftovers: Sequence[Leftover], rates: Rates
) -> Deployment:
    """The record with what an hour of each machine that it has now costs while it runs."""
    disks = disks_of(leftovers)
    awake = {
        one.counted_by: _awake(one, prices(one, disks.get(one.id, ()), rates)) for one in machines
    }
    return replace(record, launched={**record.launched, **awake})


def prolonged(
    expiry: Expiry, scope: str, record: Deployment, expires_s: float | None, now: float
) -> Deployment:
    """The record with the time at which its machines are removed: so long from now, or never."""
    if expires_s is None:
        expiry.lift(scope, record.name)
        return replace(record, expires_at=None)
    held = expiry.extend(scope, record.name, now + expires_s)
    return replace(record, expires_at=held or record.expires_at)


def _awake(of: Machine, price: Prices | None) -> str | None:
    """USD an hour that it adds while it runs: the disk of a single machine stands while it rests, too."""
    if price is None:
        return None
    return str(price.running if of.group else price.running - price.resting)


def _cost(
    control: MachineControl, scope: str, record: Deployment, machines: Sequence[Machine], now: float
) -> Decimal | None:
    since = datetime.fromisoformat(record.started_at).timestamp()
    standing = record.usd_per_hour_idle
    hourly = {key: Decimal(usd) for key, usd in record.launched.items() if usd is not None}
    if standing is None or not hourly or len(hourly) < len(record.launched):
        return None
    counted, gaps = control.hours(scope, list(hourly), since, now)
    if gaps:
        return None
    hours = dict(counted)
    for one in machines:  # what is counted comes late: this run counts at the least
        this_run = (
            Decimal(int(now - one.started_at)) / SECONDS_PER_HOUR if one.running else Decimal(0)
        )
        hours[one.counted_by] = max(hours.get(one.counted_by, Decimal(0)), this_run)
    ran = sum((hours.get(key, Decimal(0)) * usd for key, usd in hourly.items()), Decimal(0))
    always = Prices(Decimal(standing), Decimal(standing))
    return ran + spending.cost_of((), since, now, always)


def _idle_since(control: MachineControl, machines: Sequence[Machine], now: float) -> str | None:
    """Since when all that run are idle, by what is known or estimated; None: in use, or not known."""
    running = [one for one in machines if one.running]
    try:
        seen, _ = control.observe(running, now)
    except DeployerError:
        return None
    if not running or len(seen) < len(running):
        return None
    least = min(decide(seen[one.id], policy(one), now).idle_s for one in running)
    return iso(now - least) if least > 0 else None
