"""What an engine would change, for a human: each resource, and what it does to the monthly cost."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import click

from deployer.cli.terminal import heading, table
from deployer.core.units import usd

if TYPE_CHECKING:
    from deployer.running.stack.changes import Change, Changes

COLOURS = {"create": "green", "update": "yellow", "replace": "magenta", "delete": "red"}
MOST_PROPERTIES = 4


def render(changes: Changes) -> str:
    """Return the changes as text for a terminal."""
    lines = ["", heading("  what changes")]
    lines.append(table([_row(change) for change in changes.real], right=frozenset({4})))
    lines += ["", f"  {_total(changes)}"]
    return "\n".join(lines)


def _row(change: Change) -> list[str]:
    action = click.style(change.action, fg=COLOURS.get(change.action))
    return ["", action, change.type, change.name, _cost(change), _properties(change)]


def _cost(change: Change) -> str:
    """What it does to the month's bill: `+734.38`, `0.00`; nothing for what is free."""
    if not change.priced:
        return "unpriced"
    if change.before_usd is None and change.after_usd is None:
        return ""
    return _signed((change.after_usd or Decimal(0)) - (change.before_usd or Decimal(0)))


def _signed(amount: Decimal) -> str:
    return f"{'+' if amount > 0 else ''}{usd(amount)}"


def _properties(change: Change) -> str:
    if change.action not in ("update", "replace") or not change.differs:
        return ""
    more = len(change.differs) - MOST_PROPERTIES
    named = ", ".join(change.differs[:MOST_PROPERTIES])
    return f"for {named}" + (f" and {more} more" if more > 0 else "")


def _total(changes: Changes) -> str:
    after = changes.after.monthly_usd
    said = usd(after) if after is None else f"{usd(after)} USD"
    if changes.monthly_usd is None:
        return f"a month: {said} afterwards (the difference is unknown: a price is missing)"
    return f"a month: {_signed(changes.monthly_usd)} USD, {said} afterwards"
