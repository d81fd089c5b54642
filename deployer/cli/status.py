"""`deployer status`: what runs, how it is, what it has cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployer.cli import options, terminal
from deployer.core.errors import Exit

if TYPE_CHECKING:
    from decimal import Decimal

    from deployer.core.documents.status import DeploymentStatus, StatusDocument

COLOURS = {"healthy": "green", "starting": "yellow", "stopped": "yellow"}


@click.command("status", help="Show deployments: state, endpoint, usage and cost so far.")
@click.argument("name", required=False)
@options.spec_file_option
@options.target_option
@options.json_option
def command(name: str | None, spec_file: Path | None, target: str | None, as_json: bool) -> int:
    """Show one deployment, or all; exit 1 when one of them was not checked."""
    from deployer.core.clock import now
    from deployer.core.home import home
    from deployer.workflows import status

    one = name or spec_file or target
    names = [options.deployment_name(name, spec_file, target)] if one else None
    document = status.status(home(), names, now())
    if as_json:
        terminal.emit(document)
    else:
        _show(document)
    return Exit.FAILED if document.gaps else Exit.DONE


def _show(document: StatusDocument) -> None:
    if document.deployments:
        terminal.out(_table(document.deployments))
    elif not document.gaps:
        terminal.say("No deployments. Next: deployer init, then deployer up --target local")
    for shown in document.deployments:
        for key, why in shown.unkept.items():
            terminal.say(terminal.printable(f"{shown.name}: {key} has no effect: {why}"))
    for gap in document.gaps:
        where = f" ({gap.target} by {gap.provider})" if gap.target else ""
        said = click.style(f"not checked: {gap.deployment}{where}: ", fg="red")
        terminal.say(said + terminal.printable(gap.error))
        if gap.hint:
            terminal.say(f"  {click.style('hint:', bold=True)} {terminal.printable(gap.hint)}")


def _table(deployments: Sequence[DeploymentStatus]) -> str:
    header = ["name", "state", "endpoint", "up", "GPU MiB", "requests", "output tokens"]
    header += ["idle since", "USD/h", "USD so far"]
    return terminal.table([header, *map(_row, deployments)], right=frozenset({3, 4, 5, 6, 8, 9}))


def _row(shown: DeploymentStatus) -> list[str]:
    state = shown.state
    return [
        shown.name,
        click.style(state, fg=COLOURS.get(state, "red")) + _asleep(shown),
        shown.endpoint or "-",
        _uptime(shown.uptime_seconds),
        _figure(shown.gpu_memory_mib),
        _figure(shown.requests),
        _figure(shown.output_tokens),
        shown.idle_since or "-",
        _figure(shown.usd_per_hour),
        _figure(shown.cost_so_far_usd),
    ]


def _asleep(shown: DeploymentStatus) -> str:
    """What sleeps by itself is well all the same: the next call wakes it."""
    return ", asleep" if shown.state == "healthy" and shown.awake is False else ""


def _uptime(seconds: int | None) -> str:
    """Write a time in its two largest units: 3d4h, 4h5m, 5m6s."""
    if seconds is None:
        return "-"
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds % 60, "s")]
    first = next((i for i, (count, _) in enumerate(parts) if count), 3)
    return "".join(f"{count}{unit}" for count, unit in parts[first : first + 2])


def _figure(number: int | Decimal | None) -> str:
    return "unknown" if number is None else f"{float(number):,.6g}"
