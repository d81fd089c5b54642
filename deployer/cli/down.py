"""`deployer down`: remove a deployment and prove that nothing is left."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployer.cli import options, terminal
from deployer.core.errors import Exit

if TYPE_CHECKING:
    from deployer.core.documents.down import DownDocument


@click.command("down", help="Remove a deployment and verify that nothing is left.")
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
    if document.remaining:
        raise click.exceptions.Exit(Exit.FAILED)


def _show(document: DownDocument) -> None:
    for one in document.removed:
        terminal.out(f"removed {one.type} {one.id}")
    for left in document.remaining:
        terminal.out(f"left    {left.type} {left.id}: {left.why}")
    name = document.deployment
    for silent in document.not_asked:
        terminal.say(f"not checked: {silent.why} ({silent.provider} may hold more of {name})")
    if not document.remaining and not document.not_asked:
        nothing = (
            "Nothing of {} is left." if document.removed else "There was nothing to remove of {}."
        )
        terminal.say(nothing.format(name))
