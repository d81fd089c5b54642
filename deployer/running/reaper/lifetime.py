"""What a deployment's machines have cost in their life, since when nobody uses them, and when they are removed.

A record keeps each machine (or auto-scaling group) that it ever had with what an hour of it cost: EC2 forgets a
machine within an hour of its end, CloudWatch still knows for fifteen months how long it ran.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from deployer.agents.idle import decide
from deployer.core.deployment import Deployment
from deployer.core.domain import SECONDS_PER_HOUR, Plan
from deployer.core.errors import DeployerError
from deployer.planning import catalog
from deployer.planning.cost import Rates, spending
from deployer.planning.cost.spending import Prices
from deployer.running.inventory import Found
from deployer.running.reaper.budget import DAY_S, SAMPLE_HOURS
from deployer.running.reaper.orphans import prices
from deployer.running.stack.driver import Remember
from deployer.running.store import Store
from stacks._aws import expiry, idle_metrics, inventory
from stacks._aws.instances import Machine, expires_at, iso, machine, policy
from stacks._aws.session import Clients, Session


@dataclass(frozen=True)
class Glance:
    """What AWS says of a deployment besides its state. `cost_usd` None is unpriced or could not be asked."""

    cost_usd: Decimal | None
    idle_since: str | None
    expires_at: str | None


def glance(clients: Clients, record: Deployment, found: Sequence[Found], now: float) -> Glance:
    """Look at a deployment's machines. `now` is in seconds since 1970."""
    machines = [machine(one) for one in found if one.type == inventory.INSTANCE]
    times = [t for t in map(expires_at, machines) if t is not None]
    return Glance(
        _cost(clients, record, machines, now),
        _idle_since(clients, machines, now),
        iso(min(times)) if times else None,
    )


def remembering(plan: Plan, store: Store, now: Callable[[], str]) -> Remember:
    """Return what adds to a record, once its machines are there, their prices and when they are removed."""

    def remember(record: Deployment, found: Sequence[Found]) -> Deployment:
        record = remembered(record, found, catalog.load(store.home / "catalog"))
        clients, at = Session(plan.inputs["region"]), datetime.fromisoformat(now()).timestamp()
        return prolonged(clients, record, plan.inputs.get("expires"), at)

    return remember


def remembered(record: Deployment, found: Sequence[Found], rates: Rates) -> Deployment:
    """The record with what an hour of each machine that it has now costs while it runs."""
    disks: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        for attached in one.details.get("Attachments", ()) if one.type == inventory.VOLUME else ():
            disks[attached.get("InstanceId", "")].append(one)
    awake = {
        _key(one): _awake(one, prices(one, disks[one.id], rates))
        for one in (machine(f) for f in found if f.type == inventory.INSTANCE)
    }
    return replace(record, launched={**record.launched, **awake})


def prolonged(
    clients: Clients, record: Deployment, expires_s: float | None, now: float
) -> Deployment:
    """The record with the time at which its machines are removed: so long from now, or never."""
    if expires_s is None:
        expiry.lift(clients, record.name)
        return replace(record, expires_at=None)
    return replace(
        record, expires_at=expiry.extend(clients, record.name, now + expires_s) or record.expires_at
    )


def _key(of: Machine) -> str:
    """What its hours are counted by: a group's machines come and go."""
    return of.group or of.id


def _awake(of: Machine, price: Prices | None) -> str | None:
    """USD an hour that it adds while it runs: the disk of a single machine stands while it rests, too."""
    if price is None:
        return None
    return str(price.running if of.group else price.running - price.resting)


def _cost(
    clients: Clients, record: Deployment, machines: Sequence[Machine], now: float
) -> Decimal | None:
    since = datetime.fromisoformat(record.started_at).timestamp()
    standing = record.usd_per_hour_idle
    hourly = {key: Decimal(usd) for key, usd in record.launched.items() if usd is not None}
    if standing is None or not hourly or len(hourly) < len(record.launched):
        return None
    hours = _hours(clients, list(hourly), since, now)
    if hours is None:
        return None
    for one in machines:  # samples come late: this run counts at the least
        this_run = (
            Decimal(int(now - one.started_at)) / SECONDS_PER_HOUR if one.running else Decimal(0)
        )
        hours[_key(one)] = max(hours.get(_key(one), Decimal(0)), this_run)
    ran = sum((hours.get(key, Decimal(0)) * usd for key, usd in hourly.items()), Decimal(0))
    always = Prices(Decimal(standing), Decimal(standing))
    return ran + spending.cost_of((), since, now, always)


def _hours(
    clients: Clients, keys: Sequence[str], since: float, now: float
) -> dict[str, Decimal] | None:
    """How many hours each ran: CloudWatch has a sample of every five minutes that a machine runs."""
    back = max(1, int(now - since))
    one = idle_metrics.Metric("AWS/EC2", "CPUUtilization", "SampleCount", DAY_S, back)
    hours: dict[str, Decimal] = {}
    for of, dimension in ((True, "InstanceId"), (False, "AutoScalingGroupName")):
        named = [key for key in keys if key.startswith("i-") == of]
        told, gaps = idle_metrics.read(clients, replace(one, dimension=dimension), named, now)
        if gaps:
            return None
        for key, series in told.items():
            hours[key] = sum((Decimal(str(n)) for _, n in series), Decimal(0)) * SAMPLE_HOURS
    return hours


def _idle_since(clients: Clients, machines: Sequence[Machine], now: float) -> str | None:
    """Since when all that run are idle, by the watchdog's word or an estimate; None: in use, or not known."""
    running = [one for one in machines if one.running]
    try:
        seen, _ = idle_metrics.observe(clients, running, now)
    except DeployerError:
        return None
    if not running or len(seen) < len(running):
        return None
    least = min(decide(seen[one.id], policy(one), now).idle_s for one in running)
    return iso(now - least) if least > 0 else None
