"""Stop or destroy what was found idle, after a second look: what was asked something meanwhile is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from deployer.agents.idle import Decision, decide
from deployer.running.reaper import survey
from deployer.running.reaper.survey import Asked
from deployer.running.reaper.verdicts import Looked
from stacks._aws.instances import Machine, described, policy
from stacks._aws.session import Clients
from stacks._aws.sweep import ClientsOf, Gap, spelled

Verb = Literal["stop", "destroy"]
AT_ONCE = 50
"""Instances in one call that stops or ends; few enough to find the one that AWS objects to."""


@dataclass(frozen=True)
class Outcome:
    """What became of one machine: `done` is stop, destroy or keep; `why` says why it was kept or not ended."""

    machine: Machine
    done: Literal["stop", "destroy", "keep", "failed"]
    why: str


def chosen(looked: Sequence[Looked], verb: Verb) -> list[Looked]:
    """Choose what is to be acted on: what the decision ends, as far as the verb may."""
    return [one for one in looked if one.decision.action != "keep" and _may(one.machine, verb)]


def _may(of: Machine, verb: Verb) -> bool:
    """Whether it can be stopped: what rests already need not be, and one-time spot can only be destroyed."""
    return verb == "destroy" or (of.running and not (of.spot and of.group is None))


def act(
    clients_of: ClientsOf,
    found: Sequence[Looked],
    verb: Verb,
    asked: Asked,
    clock: Callable[[], float],
) -> tuple[list[Outcome], list[Gap]]:
    """End machines, all those of a region at once. Each is looked at again just before.

    Args:
        clients_of: gives the clients of a region.
        found: what `chosen` chose.
        verb: stop or destroy.
        asked: what the machines were chosen by.
        clock: the time in seconds since 1970; it is asked again for the second look.
    """
    regions: dict[str, list[Looked]] = defaultdict(list)
    for one in found:
        regions[one.machine.region].append(one)
    outcomes: list[Outcome] = []
    gaps: list[Gap] = []
    for region, ones in regions.items():
        clients = clients_of(region)
        again, missing = _again(clients, ones, asked, clock())
        gaps += missing
        outcomes += [
            Outcome(one.machine, "keep", one.decision.reason) for one in again if _kept(one)
        ]
        outcomes += _end(clients, [one for one in again if not _kept(one)], verb)
    return outcomes, gaps


def _kept(one: Looked) -> bool:
    return one.decision.action == "keep"


def _again(
    clients: Clients, ones: Sequence[Looked], asked: Asked, now: float
) -> tuple[list[Looked], list[Gap]]:
    """Look at some machines of a region again: their state, their tags, their use."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        fresh = {m.id: m for m in _described(clients, [one.machine.id for one in ones])}
    except (BotoCoreError, ClientError) as error:
        reason = f"it could not be looked at again: {spelled(error)}"
        kept = [replace(one, decision=Decision("keep", reason)) for one in ones]
        return kept, [Gap(clients.region, spelled(error))]
    seen, gaps = survey.observe(lambda _: clients, list(fresh.values()), now)
    found = [_judged(one, fresh.get(one.machine.id), seen, asked, now) for one in ones]
    return survey.together(found), gaps


def _judged(
    one: Looked, fresh: Machine | None, seen: Mapping[str, Any], asked: Asked, now: float
) -> Looked:
    if fresh is None:
        return replace(one, decision=Decision("keep", "it is gone already"))
    if fresh.state != one.machine.state:
        reason = f"it was {one.machine.state} when it was listed and is {fresh.state} now"
        return replace(one, machine=fresh, decision=Decision("keep", reason))
    told = seen.get(fresh.id)
    if not fresh.running or told is None:
        decision = survey.unseen(fresh, now, asked)
    else:
        decision = decide(told, policy(fresh, asked.idle_for_s), now)
    if one.over_budget and decision.action == "keep":
        decision = one.decision
    return replace(one, machine=fresh, decision=decision)


def _described(clients: Clients, ids: Sequence[str]) -> Iterator[Machine]:
    for start in range(0, len(ids), 200):  # the most values that a filter takes
        named = {"Name": "instance-id", "Values": list(ids[start : start + 200])}
        pages = clients("ec2").get_paginator("describe_instances").paginate(Filters=[named])
        for one in (i for page in pages for r in page["Reservations"] for i in r["Instances"]):
            yield described(one, clients.region)


def _end(clients: Clients, ones: Sequence[Looked], verb: Verb) -> Iterator[Outcome]:
    """End machines: those of a group through the group, which would replace them otherwise."""
    alone = [one for one in ones if one.machine.group is None]
    for start in range(0, len(alone), AT_ONCE):
        yield from _called(clients, alone[start : start + AT_ONCE], verb)
    for group in dict.fromkeys(one.machine.group for one in ones if one.machine.group):
        yield from _emptied(clients, group, [one for one in ones if one.machine.group == group])


def _called(clients: Clients, ones: Sequence[Looked], verb: Verb) -> Iterator[Outcome]:
    """One call for several; when AWS refuses it, each alone, so that one does not hold up the others."""
    error = _call(clients, [one.machine.id for one in ones], verb)
    if error is None:
        yield from (Outcome(one.machine, verb, one.decision.reason) for one in ones)
    elif len(ones) == 1:
        yield Outcome(ones[0].machine, "failed", error)
    else:
        for one in ones:
            yield from _called(clients, [one], verb)


def _call(clients: Clients, ids: Sequence[str], verb: Verb) -> str | None:
    from botocore.exceptions import BotoCoreError, ClientError

    ec2 = clients("ec2")
    try:
        (ec2.stop_instances if verb == "stop" else ec2.terminate_instances)(InstanceIds=list(ids))
    except (BotoCoreError, ClientError) as error:
        return spelled(error)
    return None


def _emptied(clients: Clients, group: str, ones: Sequence[Looked]) -> Iterator[Outcome]:
    """Let a group shrink to nothing; 'deployer up' wakes it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        clients("autoscaling").update_auto_scaling_group(
            AutoScalingGroupName=group, MinSize=0, DesiredCapacity=0
        )
    except (BotoCoreError, ClientError) as error:
        yield from (Outcome(one.machine, "failed", spelled(error)) for one in ones)
        return
    reason = "its group was set to no machines"
    yield from (Outcome(one.machine, "destroy", f"{one.decision.reason}; {reason}") for one in ones)
