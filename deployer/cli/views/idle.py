"""What `deployer idle` shows to a person."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from deployer.cli import terminal
from deployer.core.units import duration, usd

if TYPE_CHECKING:
    from deployer.providers.cloud import Gap
    from deployer.running.reaper.actions import Verb
    from deployer.running.reaper.endpoints import Serving
    from deployer.running.reaper.orphans import Orphan
    from deployer.running.reaper.service import Round
    from deployer.running.reaper.survey import Survey
    from deployer.running.reaper.verdicts import MachineVerdict

COLOURS = {"keep": "green", "stop": "yellow", "destroy": "red"}


def show(found: Survey) -> None:
    """Show machines, what is left over, and what could not be seen."""
    if found.machines:
        _machines(found.machines)
    if found.served:
        _endpoints(found.served)
    if found.orphans:
        _orphans(found.orphans)
    if not (found.machines or found.served or found.orphans):
        terminal.say("Nothing of deployer was found.")
    for name in found.unasked:
        terminal.say(f"Not asked: {name}, for there are no credentials.")
    ended = sum(not one.kept for one in found.machines)
    if ended:
        terminal.say(f"{ended} to be ended. Next: deployer idle stop (or destroy)")
    _gaps(found.gaps)


def show_chosen(proposed: Round, verb: Verb) -> None:
    """Show what is to be ended."""
    terminal.out(terminal.heading(f"To {verb}"))
    _machines(proposed.chosen)


def show_round(done: Round, verb: Verb) -> None:
    """Show what was ended, kept after the second look, or not ended."""
    if not done.outcomes and done.chosen:
        show_chosen(done, verb)
        terminal.say("Nothing was ended.")
    elif not done.chosen:
        terminal.say(f"There is nothing to {verb}.")
    for one in done.outcomes:
        of = one.machine
        terminal.out(
            f"{one.done:8}{terminal.printable(f'{of.deployment} {of.scope} {of.id}: {one.why}')}"
        )
    _gaps([*done.survey.gaps, *done.gaps])


def _machines(verdicts: Sequence[MachineVerdict]) -> None:
    header = [
        "deployment",
        "region",
        "id",
        "type",
        "state",
        "idle",
        "USD/h",
        "USD since",
        "",
        "why",
    ]
    terminal.out(terminal.table([header, *map(_row, verdicts)], right=frozenset({5, 6, 7})))


def _endpoints(served: Sequence[Serving]) -> None:
    terminal.out(terminal.heading("\nServed without a machine"))
    rows = [
        [terminal.printable(text) for text in (f.deployment, f.region, f.id, one.state, one.reason)]
        for one in served
        for f in (one.found,)
    ]
    terminal.out(terminal.table([["deployment", "region", "id", "state", "why it is kept"], *rows]))


def _row(one: MachineVerdict) -> list[str]:
    of, action = one.machine, one.decision.action
    cells = [of.deployment, of.scope, of.id, of.type, of.state, _idle(one)]
    cells += [usd(one.usd_per_hour, 3), usd(one.cost_since_idle)]
    cells = [terminal.printable(cell) for cell in cells]
    return [
        *cells,
        click.style(action, fg=COLOURS[action]),
        terminal.printable(one.decision.reason),
    ]


def _idle(one: MachineVerdict) -> str:
    if one.idle_s is None:
        return "unknown"
    whole = int(one.idle_s)
    said = duration(whole if whole < 60 else whole - whole % 60)
    return f"~{said}" if one.basis == "estimated" else said


def _orphans(left: Sequence[Orphan]) -> None:
    terminal.out(terminal.heading("\nLeft over: their deployment is gone"))
    header = ["deployment", "region", "type", "id", "USD/month"]
    rows = [
        [
            *map(
                terminal.printable, (o.found.deployment, o.found.region, o.found.type, o.found.id)
            ),
            usd(o.monthly_usd),
        ]
        for o in left
    ]
    terminal.out(terminal.table([header, *rows], right=frozenset({4})))
    known = sum((o.monthly_usd for o in left if o.monthly_usd is not None), Decimal(0))
    unpriced = sum(o.monthly_usd is None for o in left)
    more = f", and {unpriced} unpriced" if unpriced else ""
    terminal.out(
        f"  {usd(known)} USD a month{more}. 'deployer down NAME' removes what is left of one."
    )


def _gaps(gaps: Sequence[Gap]) -> None:
    for gap in dict.fromkeys(gaps):
        terminal.say(
            click.style(f"not seen: {gap.scope}: ", fg="red") + terminal.printable(gap.error)
        )
