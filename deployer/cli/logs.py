"""`deployer logs`: what the engine says."""

from __future__ import annotations

from pathlib import Path

import click

from deployer.cli import options, view
from deployer.errors import UsageError


@click.command("logs", help="Show a deployment's log.")
@click.argument("name", required=False)
@options.spec_file_option
@options.target_option
@click.option("--follow", "-F", is_flag=True, help="Go on as long as it runs.")
@click.option("--tail", type=click.IntRange(0), default=None, help="Only the last lines.")
@options.json_option
def command(
    name: str | None,
    spec_file: Path | None,
    target: str | None,
    follow: bool,
    tail: int | None,
    as_json: bool,
) -> None:
    """Print the log of one deployment."""
    from deployer import observe
    from deployer.home import home
    from deployer.state import Store

    if follow and as_json:
        raise UsageError("--follow has no end, and --json is one document", hint="leave one out")
    place = home()
    record = Store(place).get(options.deployment_name(name, spec_file, target))
    lines = observe.runner_for(record, place).logs(record.name, follow=follow, tail=tail)
    if as_json:
        view.emit({"deployment": record.name, "lines": list(lines)})
        return
    for line in lines:
        view.out(line)
