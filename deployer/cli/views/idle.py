"""What `deployer idle` shows to a person."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import click

from deployer.cli import terminal
from deployer.core.units import duration, usd

if TYPE_CHECKING:
    from deployer.core.documents.idle import (
        EndedDocument,
        Gap,
        IdleDocument,
        IdleEndpoint,
        Instance,
        Orphan,
        Tagged,
    )
    from deployer.running.reaper.actions import Verb

COLOURS = {"keep": "green", "stop": "yellow", "destroy": "red"}


def show(found: IdleDocument, unasked: Sequence[str] = ()) -> None:
    """Show machines, what is left over, and what could not be seen; `unasked` are clouds without credentials."""
    if found.instances:
        _machines(found.instances)
    if found.endpoints:
        _endpoints(found.endpoints)
    if found.orphans:
        _orphans(found.orphans)
    _left(found.left)
    _tagged(found.tagged)
    if not (found.instances or found.endpoints or found.orphans or found.left or found.tagged):
        terminal.say("Nothing of deployer was found.")
    for name in unasked:
        terminal.say(f"Not asked: {name}, for there are no credentials.")
    ended = sum(one.decision != "keep" for one in found.instances)
    if ended:
        terminal.say(
            f"{ended} machine{'s' if ended > 1 else ''} would be stopped. Next: deployer idle stop (or destroy)"
        )
    _gaps(found.gaps)


def show_chosen(chosen: Sequence[Instance], verb: Verb) -> None:
    """Show which machines are to be stopped or destroyed."""
    terminal.out(terminal.heading(f"Machines to {verb}"))
    _machines(chosen)


def show_round(done: EndedDocument, chosen: Sequence[Instance], verb: Verb) -> None:
    """Show which machines were stopped or destroyed, kept after a second check, or failed."""
    if chosen and not done.acted:
        show_chosen(chosen, verb)
        terminal.say("No machine was changed.")
    elif not chosen:
        terminal.say(f"No machine to {verb}.")
    for one in done.acted:
        terminal.out(
            f"{one.done:8}{terminal.printable(f'{one.deployment} {one.region} {one.id}: {one.reason}')}"
        )
    _left(done.left)
    _tagged(done.tagged)
    _gaps(done.gaps)


def _machines(machines: Sequence[Instance]) -> None:
    header = [
        "deployment",
        "region",
        "id",
        "type",
        "state",
        "idle",
        "USD/h",
        "USD idle",
        "",
        "why",
    ]
    terminal.out(terminal.table([header, *map(_row, machines)], right=frozenset({5, 6, 7})))


def _endpoints(served: Sequence[IdleEndpoint]) -> None:
    terminal.out(terminal.heading("\nServerless endpoints"))
    rows = [
        [
            terminal.printable(text)
            for text in (one.deployment, one.region, one.id, one.state, one.reason)
        ]
        for one in served
    ]
    terminal.out(terminal.table([["deployment", "region", "id", "state", "why"], *rows]))


def _row(one: Instance) -> list[str]:
    cells = [one.deployment, one.region, one.id, one.instance_type, one.state, _idle(one)]
    cells += [usd(one.usd_per_hour, 3), usd(one.cost_since_idle_usd)]
    cells = [terminal.printable(cell) for cell in cells]
    return [
        *cells,
        click.style(one.decision, fg=COLOURS[one.decision]),
        terminal.printable(one.reason),
    ]


def _idle(one: Instance) -> str:
    whole = one.idle_seconds
    if whole is None:
        return "unknown"
    said = duration(whole if whole < 60 else whole - whole % 60)
    return f"~{said}" if one.idle_basis == "estimated" else said


def _orphans(left: Sequence[Orphan]) -> None:
    terminal.out(terminal.heading("\nOrphaned: their deployment is gone"))
    _billed(left, "'deployer down NAME' removes them")


def _left(left: Sequence[Orphan]) -> None:
    """What a deployment without a machine still costs, and how to end that."""
    if left:
        terminal.out(terminal.heading("\nStill billed: their deployment has no machine any more"))
        _billed(left, "'deployer down NAME' removes them")


def _tagged(strange: Sequence[Tagged]) -> None:
    """What carries a tag of ours and was made by somebody else."""
    if strange:
        terminal.out(terminal.heading("\nOnly tagged: not made by deployer, and never touched"))
        _billed(strange, "Remove the tag, or them, where they are")


def _billed(left: Sequence[Orphan | Tagged], hint: str) -> None:
    header = ["deployment", "region", "type", "id", "USD/month"]
    rows = [
        [*map(terminal.printable, (o.deployment, o.region, o.type, o.id)), usd(o.monthly_usd)]
        for o in left
    ]
    terminal.out(terminal.table([header, *rows], right=frozenset({4})))
    known = sum((o.monthly_usd for o in left if o.monthly_usd is not None), Decimal(0))
    unpriced = sum(o.monthly_usd is None for o in left)
    more = f", and {unpriced} unpriced" if unpriced else ""
    terminal.out(f"  {usd(known)} USD a month{more}. {hint}.")


def _gaps(gaps: Sequence[Gap]) -> None:
    for gap in gaps:
        terminal.say(
            click.style(f"not checked: {gap.region}: ", fg="red") + terminal.printable(gap.error)
        )
