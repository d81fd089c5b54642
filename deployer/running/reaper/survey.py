"""One look at everything: which machines are idle, what is left over, what could not be seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from deployer.agents.idle import Decision, Observation, decide
from deployer.core.documents.idle import IdleBasis
from deployer.planning.cost import Rates
from deployer.planning.cost.spending import Prices
from deployer.running.inventory import Found
from deployer.running.reaper.budget import budgeted
from deployer.running.reaper.endpoints import Served, served
from deployer.running.reaper.orphans import Orphan, orphans, prices
from deployer.running.reaper.verdicts import Looked
from stacks._aws import idle_metrics, inventory
from stacks._aws.instances import Machine, machine, policy
from stacks._aws.sweep import ClientsOf, Gap, sweep


@dataclass(frozen=True)
class Survey:
    """What `deployer idle` shows."""

    machines: Sequence[Looked]
    orphans: Sequence[Orphan]
    gaps: Sequence[Gap]
    served: Sequence[Served] = ()


@dataclass(frozen=True)
class Asked:
    """What is looked for. `idle_for_s` goes before the limit in a machine's tags."""

    regions: Sequence[str]
    everywhere: bool = True
    idle_for_s: float | None = None


def survey(
    clients_of: ClientsOf, asked: Asked, rates: Rates, recorded: Collection[str], now: float
) -> Survey:
    """Look at everything of this tool in some regions. `now` is in seconds since 1970."""
    swept = sweep(clients_of, asked.regions, everywhere=asked.everywhere)
    machines = [machine(one) for one in swept.found if one.type == inventory.INSTANCE]
    seen, gaps = observe(clients_of, machines, now)
    disks = _disks(swept.found)
    shown = [
        _looked(
            m, seen.get(m.id), asked, now, prices(m, disks[m.id], rates), m.deployment in recorded
        )
        for m in machines
    ]
    shown, more = budgeted(clients_of, together(shown), now)
    left = orphans(swept.found, recorded, swept.blind, rates)
    sleepers, unseen_there = served(clients_of, swept.found, recorded)
    every = dict.fromkeys([*swept.gaps, *gaps, *more, *unseen_there])
    return Survey(shown, left, list(every), sleepers)


def observe(
    clients_of: ClientsOf, machines: Sequence[Machine], now: float
) -> tuple[Mapping[str, Observation], list[Gap]]:
    """Observe machines in several regions at once. One that could not be observed is missing."""
    regions: dict[str, list[Machine]] = defaultdict(list)
    for one in machines:
        regions[one.region].append(one)
    with ThreadPoolExecutor(max(1, len(regions))) as pool:
        answers = list(
            pool.map(lambda r: idle_metrics.observe(clients_of(r), regions[r], now), regions)
        )
    seen = {key: one for told, _ in answers for key, one in told.items()}
    return seen, [gap for _, gaps in answers for gap in gaps]


def _looked(
    of: Machine,
    seen: Observation | None,
    asked: Asked,
    now: float,
    price: Prices | None,
    recorded: bool,
) -> Looked:
    rules = policy(of, asked.idle_for_s)
    if not of.running:
        seen = Observation(of.stopped_at or of.started_at, of.stopped_at, now, state=of.state)
    if seen is None:
        decision = unseen(of, now, asked)
        return Looked(of, decision, None, price, recorded, "unknown")
    decision = decide(seen, rules, now)
    known = of.running or of.stopped_at is not None
    basis: IdleBasis = "estimated" if seen.estimated else "measured" if known else "unknown"
    return Looked(of, decision, decision.idle_s if known else None, price, recorded, basis)


def unseen(of: Machine, now: float, asked: Asked) -> Decision:
    """Decide about a machine whose use could not be read: nothing but its expiry ends it."""
    busy = Observation(now, seen_at=now, running=1, state=of.state)
    decision = decide(busy, policy(of, asked.idle_for_s), now)
    if decision.action == "keep":
        return Decision("keep", "its use could not be read")
    return decision


def together(looked: Sequence[Looked]) -> list[Looked]:
    """Keep a group's idle machines while others of it work: its own scaling decides on their number."""
    working = {
        one.machine.group
        for one in looked
        if one.machine.group and one.machine.running and one.decision.action == "keep"
    }
    return [_kept(one) if one.machine.group in working else one for one in looked]


def _kept(one: Looked) -> Looked:
    if one.decision.action == "keep" or one.machine.group is None:
        return one
    reason = f"{one.decision.reason}; but other machines of its group are in use"
    return replace(one, decision=Decision("keep", reason, one.decision.idle_s))


def _disks(found: Sequence[Found]) -> Mapping[str, list[Found]]:
    """The disks of each instance."""
    by: dict[str, list[Found]] = defaultdict(list)
    for one in found:
        for attached in one.details.get("Attachments", ()) if one.type == inventory.VOLUME else ():
            by[attached.get("InstanceId", "")].append(one)
    return by
