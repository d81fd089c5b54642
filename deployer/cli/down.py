"""`deployer down`: remove a deployment and prove that nothing is left."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from deployer.cli import options, terminal
from deployer.core.errors import Exit


@click.command("down", help="Remove a deployment and prove that nothing is left.")
@click.argument("name", required=False)
@options.spec_file_option
@options.target_option
@options.json_option
def command(name: str | None, spec_file: Path | None, target: str | None, as_json: bool) -> None:
    """Remove what belongs to one deployment; exit 1 when something of it is left."""
    from deployer.core.home import home
    from deployer.workflows import down

    document = down.down(home(), options.deployment_name(name, spec_file, target), terminal.say)
    if as_json:
        terminal.emit(document)
    else:
        _show(document)
    if document["remaining"]:
        raise click.exceptions.Exit(Exit.FAILED)


def _show(document: Mapping[str, Any]) -> None:
    name, removed, remaining = document["deployment"], document["removed"], document["remaining"]
    for one in removed:
        terminal.out(f"removed {one['type']} {one['id']}")
    for one in remaining:
        terminal.out(f"left    {one['type']} {one['id']}: {one['why']}")
    for one in document["not_asked"]:
        terminal.say(f"not looked at: {one['why']} ({one['provider']} may hold more of {name})")
    if not remaining and not document["not_asked"]:
        terminal.say(f"Nothing of {name} is left." if removed else f"There was nothing of {name}.")
