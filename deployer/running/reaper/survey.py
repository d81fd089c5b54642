"""One look at a cloud: which machines are idle, what is left over, what could not be seen."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from deployer.agents.idle import Decision, Observation, decide
from deployer.core.documents.idle import IdleBasis
from deployer.planning.cost import Rates
from deployer.planning.cost.spending import Prices
from deployer.providers.cloud import (
    Cloud,
    Gap,
    Machine,
    MachineControl,
    Scopes,
    Sleeper,
    Swept,
)
from deployer.running.endpoints.hourly import Hourly
from deployer.running.reaper.budget import budgeted
from deployer.running.reaper.costs import prices
from deployer.running.reaper.endpoints import Serving
from deployer.running.reaper.orphans import Orphan, disks_of, orphans, standing, tagged
from deployer.running.reaper.verdicts import MachineVerdict, policy


@dataclass(frozen=True)
class Survey:
    """What `deployer idle` shows. `unasked` names the clouds that there are no credentials for.

    `standing` is what is billed besides machines, of every deployment (`left` picks of it). `tagged` is what carries the
    tag of a deployment and was not made by this tool: it is named, and never touched.
    """

    machines: Sequence[MachineVerdict] = ()
    orphans: Sequence[Orphan] = ()
    gaps: Sequence[Gap] = ()
    served: Sequence[Serving] = ()
    unasked: Sequence[str] = ()
    standing: Sequence[Orphan] = ()
    tagged: Sequence[Orphan] = ()

    def left(self, ended: Collection[str] = ()) -> list[Orphan]:
        """What is billed on of deployments that have no machine, or none but those that were just ended (by id)."""
        there = {one.machine.deployment for one in self.machines if one.machine.id not in ended}
        there |= {one.found.deployment for one in self.served}
        shown = {one.found for one in self.orphans}
        billed = (one for one in self.standing if one.monthly_usd != 0)
        return [o for o in billed if o.found.deployment not in there and o.found not in shown]


@dataclass(frozen=True)
class Grounds:
    """What everything is judged by: prices, the deployments recorded here, the time in seconds since 1970.

    `idle_for_s` goes before the limit that a machine's own terms say; `hourly` is what the records say of their prices.
    """

    rates: Rates
    recorded: Collection[str]
    now: float
    idle_for_s: float | None = None
    hourly: Mapping[str, Hourly] = field(default_factory=dict)


def merged(surveys: Sequence[Survey]) -> Survey:
    """Return several clouds' surveys as one."""
    return Survey(
        machines=[one for each in surveys for one in each.machines],
        orphans=[one for each in surveys for one in each.orphans],
        gaps=[one for each in surveys for one in each.gaps],
        served=[one for each in surveys for one in each.served],
        unasked=[one for each in surveys for one in each.unasked],
        standing=[one for each in surveys for one in each.standing],
        tagged=[one for each in surveys for one in each.tagged],
    )


def survey(cloud: Cloud, scopes: Scopes, grounds: Grounds) -> Survey:
    """Look at everything of this tool in some scopes of a cloud.

    Raises:
        DeployerError: nothing at all could be seen.
    """
    swept = cloud.sweep(scopes)
    verdicts, gaps = _verdicts(cloud.control, swept, grounds) if cloud.control else ([], [])
    left = orphans(swept, grounds.recorded, grounds.rates)
    served = [_serving(one, grounds) for one in swept.sleepers if one.found.ours]
    every = list(dict.fromkeys([*scopes.gaps, *swept.gaps, *gaps]))
    return Survey(
        verdicts,
        left,
        every,
        served,
        standing=standing(swept, grounds.rates),
        tagged=tagged(swept, grounds.rates),
    )


def _serving(one: Sleeper, grounds: Grounds) -> Serving:
    name = one.found.deployment
    return Serving(one, name in grounds.recorded, grounds.hourly.get(name))


def _verdicts(
    control: MachineControl, swept: Swept, grounds: Grounds
) -> tuple[list[MachineVerdict], list[Gap]]:
    machines = [one for one in swept.machines if one.ours]
    seen, unobserved = control.observe(machines, grounds.now)
    disks = disks_of(swept.leftovers)
    judged = [
        _judged(one, seen.get(one.id), prices(one, disks.get(one.id, ()), grounds.rates), grounds)
        for one in machines
    ]
    verdicts, uncounted = budgeted(control, together(judged), grounds.now)
    return verdicts, [*unobserved, *uncounted]


def _judged(
    of: Machine, seen: Observation | None, price: Prices | None, grounds: Grounds
) -> MachineVerdict:
    recorded = of.deployment in grounds.recorded
    if not of.running:
        seen = Observation(
            of.stopped_at or of.started_at, of.stopped_at, grounds.now, state=of.state
        )
    if seen is None:
        decision = unseen(of, grounds.now, grounds.idle_for_s)
        return MachineVerdict(of, decision, None, price, recorded, "unknown")
    decision = _with_address(of, decide(seen, policy(of, grounds.idle_for_s), grounds.now))
    decision = _as_it_can(of, decision)
    known = of.running or of.stopped_at is not None
    basis: IdleBasis = "estimated" if seen.estimated else "measured" if known else "unknown"
    return MachineVerdict(of, decision, decision.idle_s if known else None, price, recorded, basis)


def _with_address(of: Machine, decision: Decision) -> Decision:
    """Say that a stopped machine that keeps an address pays for it, too: the machine itself cannot know."""
    if of.running or not of.address_stays or decision.action != "keep":
        return decision
    return replace(decision, reason="stopped: its disk and the address that it keeps are billed")


def _as_it_can(of: Machine, decision: Decision) -> Decision:
    """Say that a machine which cannot be stopped is only ended by 'destroy'."""
    if decision.action != "stop" or (of.can_stop and of.group is None):
        return decision
    why = "its group would replace it" if of.group else "it cannot be stopped"
    return replace(decision, reason=f"{decision.reason}; {why}: 'idle destroy' ends it")


def unseen(of: Machine, now: float, idle_for_s: float | None) -> Decision:
    """Decide about a machine whose use could not be read: nothing but its expiry ends it."""
    busy = Observation(now, seen_at=now, running=1, state=of.state)
    decision = decide(busy, policy(of, idle_for_s), now)
    if decision.action == "keep":
        return Decision("keep", "its use could not be read")
    return decision


def together(verdicts: Sequence[MachineVerdict]) -> list[MachineVerdict]:
    """Keep a group's idle machines while others of it work: its own scaling decides on their number."""
    working = {
        one.machine.group
        for one in verdicts
        if one.machine.group and one.machine.running and one.kept
    }
    return [_with_its_group(one) if one.machine.group in working else one for one in verdicts]


def _with_its_group(one: MachineVerdict) -> MachineVerdict:
    if one.kept or one.machine.group is None:
        return one
    reason = f"{one.decision.reason}; but other machines of its group are in use"
    return replace(one, decision=Decision("keep", reason, one.decision.idle_s))
