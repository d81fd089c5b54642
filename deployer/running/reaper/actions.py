"""Stop or destroy what was found idle, after a second look: what was asked something meanwhile is kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from typing import Literal

from deployer.agents.idle import Decision, Observation, decide
from deployer.core.errors import DeployerError
from deployer.providers.cloud import Cloud, Gap, Machine, MachineControl
from deployer.running.reaper import survey
from deployer.running.reaper.verdicts import MachineVerdict, policy

Verb = Literal["stop", "destroy"]
Lock = Callable[[str], AbstractContextManager[None]]
"""Keeps others away from a deployment; fails with a `DeployerError` when another process works on it."""
AT_ONCE = 50
"""Machines in one call that stops or ends; few enough to find the one that the cloud objects to."""


def unlocked(_deployment: str) -> AbstractContextManager[None]:
    """Keep nobody away."""
    return nullcontext()


@dataclass(frozen=True)
class Outcome:
    """What became of one machine: `done` is stop, destroy or keep; `why` says why it was kept or not ended."""

    machine: Machine
    done: Literal["stop", "destroy", "keep", "failed"]
    why: str


def chosen(verdicts: Sequence[MachineVerdict], verb: Verb) -> list[MachineVerdict]:
    """Choose what is to be acted on: what the decision ends, as far as the verb may."""
    return [one for one in verdicts if not one.kept and _may(one.machine, verb)]


def _may(of: Machine, verb: Verb) -> bool:
    """Whether it may be ended so: what rests already need not be stopped, and what a group would replace cannot be.

    What only carries a tag is nobody's to end.
    """
    return of.ours and (verb == "destroy" or (of.running and of.can_stop and of.group is None))


def act(
    clouds: Iterable[Cloud],
    verdicts: Sequence[MachineVerdict],
    verb: Verb,
    idle_for_s: float | None,
    clock: Callable[[], float],
    lock: Lock = unlocked,
) -> tuple[list[Outcome], list[Gap]]:
    """End machines, all those of a scope at once. Each is looked at again just before.

    Those of a deployment that another process is working on are kept.

    Args:
        clouds: where they are.
        verdicts: what `chosen` chose.
        verb: stop or destroy.
        idle_for_s: the limit that the machines were chosen by, if it was not their own.
        clock: the time in seconds since 1970; it is asked again for the second look.
        lock: keeps every other process away from a deployment.
    """
    with ExitStack() as held:
        free, busy = _locked(verdicts, lock, held)
        outcomes, gaps = _acted(clouds, free, verb, idle_for_s, clock)
    return [*busy, *outcomes], gaps


def _locked(
    verdicts: Sequence[MachineVerdict], lock: Lock, held: ExitStack
) -> tuple[list[MachineVerdict], list[Outcome]]:
    """Take the locks of all deployments that are free; what others work on is kept, with the reason."""
    why: dict[str, str] = {}
    for deployment in sorted({one.machine.deployment for one in verdicts}):
        try:
            held.enter_context(lock(deployment))
        except DeployerError as error:
            why[deployment] = error.message
    busy = [one for one in verdicts if one.machine.deployment in why]
    kept = [Outcome(one.machine, "keep", why[one.machine.deployment]) for one in busy]
    return [one for one in verdicts if one.machine.deployment not in why], kept


def _acted(
    clouds: Iterable[Cloud],
    verdicts: Sequence[MachineVerdict],
    verb: Verb,
    idle_for_s: float | None,
    clock: Callable[[], float],
) -> tuple[list[Outcome], list[Gap]]:
    controls = {cloud.name: cloud.control for cloud in clouds if cloud.control}
    places: dict[tuple[str, str], list[MachineVerdict]] = defaultdict(list)
    for one in verdicts:
        places[one.machine.provider, one.machine.scope].append(one)
    outcomes: list[Outcome] = []
    gaps: list[Gap] = []
    for (name, scope), there in places.items():
        control = controls[name]
        again, missing = _again(control, scope, there, idle_for_s, clock())
        gaps += missing
        outcomes += [Outcome(one.machine, "keep", one.decision.reason) for one in again if one.kept]
        outcomes += _end(control, scope, [one for one in again if not one.kept], verb)
    return outcomes, gaps


def _again(
    control: MachineControl,
    scope: str,
    verdicts: Sequence[MachineVerdict],
    idle_for_s: float | None,
    now: float,
) -> tuple[list[MachineVerdict], list[Gap]]:
    """Look at some machines of a scope again: their state, their terms, their use."""
    try:
        found = control.machines(scope, [one.machine.id for one in verdicts])
    except DeployerError as error:
        reason = f"it could not be checked again: {error.message}"
        kept = [replace(one, decision=Decision("keep", reason)) for one in verdicts]
        return kept, [Gap(scope, error.message)]
    seen, gaps = control.observe(found, now)
    fresh = {machine.id: machine for machine in found}
    judged = [_judged(one, fresh.get(one.machine.id), seen, idle_for_s, now) for one in verdicts]
    return survey.together(judged), gaps


def _judged(
    one: MachineVerdict,
    fresh: Machine | None,
    seen: Mapping[str, Observation],
    idle_for_s: float | None,
    now: float,
) -> MachineVerdict:
    if fresh is None:
        return replace(one, decision=Decision("keep", "already gone"))
    if not fresh.ours:
        return replace(one, machine=fresh, decision=Decision("keep", "not made by deployer"))
    if fresh.state != one.machine.state:
        reason = f"it was {one.machine.state} when it was listed and is {fresh.state} now"
        return replace(one, machine=fresh, decision=Decision("keep", reason))
    observed = seen.get(fresh.id)
    if not fresh.running or observed is None:
        decision = survey.unseen(fresh, now, idle_for_s)
    else:
        decision = decide(observed, policy(fresh, idle_for_s), now)
    if one.over_budget and decision.action == "keep":
        decision = one.decision
    return replace(one, machine=fresh, decision=decision)


def _end(
    control: MachineControl, scope: str, verdicts: Sequence[MachineVerdict], verb: Verb
) -> Iterator[Outcome]:
    """End machines: those of a group through the group, which would replace them otherwise."""
    alone = [one for one in verdicts if one.machine.group is None]
    call = control.stop if verb == "stop" else control.destroy
    for start in range(0, len(alone), AT_ONCE):
        yield from _called(lambda ids: call(scope, ids), alone[start : start + AT_ONCE], verb)
    for group in dict.fromkeys(one.machine.group for one in verdicts if one.machine.group):
        members = [one for one in verdicts if one.machine.group == group]
        yield from _emptied(control, scope, group, members)


def _called(
    call: Callable[[Sequence[str]], None], verdicts: Sequence[MachineVerdict], verb: Verb
) -> Iterator[Outcome]:
    """One call for several; when it is refused, each alone, so that one does not hold up the others."""
    try:
        call([one.machine.id for one in verdicts])
    except DeployerError as error:
        if len(verdicts) == 1:
            yield Outcome(verdicts[0].machine, "failed", error.message)
            return
    else:
        yield from (Outcome(one.machine, verb, one.decision.reason) for one in verdicts)
        return
    for one in verdicts:
        yield from _called(call, [one], verb)


def _emptied(
    control: MachineControl, scope: str, group: str, verdicts: Sequence[MachineVerdict]
) -> Iterator[Outcome]:
    """Let a group shrink to nothing; 'deployer up' wakes it."""
    try:
        control.empty(scope, group)
    except DeployerError as error:
        yield from (Outcome(one.machine, "failed", error.message) for one in verdicts)
        return
    reason = "its group was set to no machines"
    yield from (
        Outcome(one.machine, "destroy", f"{one.decision.reason}; {reason}") for one in verdicts
    )
