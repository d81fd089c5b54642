"""What the reaper found and did, as the documents of `deployer idle`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deployer.core.clock import iso
from deployer.core.documents import idle
from deployer.providers.cloud import Gap
from deployer.running.reaper.actions import Outcome
from deployer.running.reaper.endpoints import Serving
from deployer.running.reaper.orphans import Orphan
from deployer.running.reaper.service import Round
from deployer.running.reaper.survey import Survey
from deployer.running.reaper.verdicts import MachineVerdict


def listed(found: Survey) -> idle.IdleDocument:
    """Return the document of one look."""
    return idle.IdleDocument(
        instances=tuple(map(instance, found.machines)),
        endpoints=tuple(map(_endpoint, found.served)),
        orphans=tuple(map(_orphan, found.orphans)),
        left=tuple(map(_orphan, found.left())),
        gaps=_gaps(found.gaps),
        tagged=tuple(map(_tagged, found.tagged)),
    )


def ended(done: Round) -> idle.EndedDocument:
    """Return the document of one look and of what was ended after it."""
    found = listed(done.survey)
    return idle.EndedDocument(
        instances=found.instances,
        endpoints=found.endpoints,
        orphans=found.orphans,
        left=tuple(map(_orphan, done.survey.left(done.ended))),
        gaps=_gaps([*done.survey.gaps, *done.gaps]),
        tagged=found.tagged,
        acted=tuple(map(_outcome, done.outcomes)),
    )


def extended(deployment: str, held: Mapping[str, str]) -> idle.ExtendedDocument:
    """Return the document of a longer life; `held` has the time that now holds, by region."""
    rows = (idle.Extended(region=region, expires_at=at) for region, at in held.items())
    return idle.ExtendedDocument(deployment=deployment, extended=tuple(rows))


def instance(one: MachineVerdict) -> idle.Instance:
    """Return one machine as the documents have it."""
    return idle.Instance(
        deployment=one.machine.deployment,
        region=one.machine.scope,
        id=one.machine.id,
        instance_type=one.machine.type,
        state=one.machine.state,
        stack=_stack(recorded=one.recorded),
        owner=one.machine.owner,
        idle_seconds=None if one.idle_s is None else int(one.idle_s),
        idle_basis=one.basis,
        usd_per_hour=one.usd_per_hour,
        cost_since_idle_usd=one.cost_since_idle,
        expires_at=iso(one.machine.expires_at),
        month_to_date_usd=one.spent_usd,
        decision=one.decision.action,
        reason=one.decision.reason,
    )


def _endpoint(one: Serving) -> idle.IdleEndpoint:
    return idle.IdleEndpoint(
        deployment=one.found.deployment,
        region=one.found.region,
        type=one.found.type,
        id=one.found.id,
        state=one.state,
        awake=one.sleeper.awake,
        stack=_stack(recorded=one.recorded),
        reason=one.reason,
    )


def _orphan(one: Orphan) -> idle.Orphan:
    return idle.Orphan(
        type=one.found.type,
        id=one.found.id,
        region=one.found.region,
        deployment=one.found.deployment,
        monthly_usd=one.monthly_usd,
    )


def _tagged(one: Orphan) -> idle.Tagged:
    return idle.Tagged(
        type=one.found.type,
        id=one.found.id,
        region=one.found.region,
        deployment=one.found.deployment,
        monthly_usd=one.monthly_usd,
    )


def _outcome(one: Outcome) -> idle.Ended:
    return idle.Ended(
        deployment=one.machine.deployment,
        region=one.machine.scope,
        id=one.machine.id,
        done=one.done,
        reason=one.why,
    )


def _gaps(gaps: Sequence[Gap]) -> tuple[idle.Gap, ...]:
    """Each once: what could not be seen may be met by both looks."""
    return tuple(dict.fromkeys(idle.Gap(region=gap.scope, error=gap.error) for gap in gaps))


def _stack(*, recorded: bool) -> idle.Stack:
    return "recorded here" if recorded else "not recorded here"
