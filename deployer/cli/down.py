"""`deployer down`: remove a deployment and prove that nothing is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployer.cli import options, terminal
from deployer.core.errors import DeclinedError, Exit

if TYPE_CHECKING:
    from deployer.core.documents.down import DownDocument


@click.command("down", help="Remove a deployment and verify that nothing is left.")
@click.argument("name", required=False)
@options.spec_file_option
@options.target_option
@options.yes_option
@options.json_option
def command(
    name: str | None, spec_file: Path | None, target: str | None, yes: bool, as_json: bool
) -> int:
    """Remove what belongs to one deployment, after asking in a terminal.

    Exit 1 when something of it is left, or when nothing was found and not everybody could be asked.
    """
    from deployer.core.home import home
    from deployer.workflows import down

    wanted = options.deployment_name(name, spec_file, target)
    asks = terminal.interactive() and not (yes or as_json)
    agree = (lambda there: _agree(wanted, there)) if asks else None
    document = down.down(home(), wanted, terminal.say, agree)
    if as_json:
        terminal.emit(document)
    else:
        _show(document)
    unseen = document.not_asked and not document.removed
    return Exit.FAILED if document.remaining or unseen else Exit.DONE


def _agree(name: str, there: Sequence[Mapping[str, str]]) -> None:
    for one in there:
        terminal.say(f"  {terminal.printable(one['type'])} {terminal.printable(one['id'])}")
    if not terminal.confirm(f"Remove {name}?"):
        raise DeclinedError("nothing was removed")


def _show(document: DownDocument) -> None:
    for one in document.removed:
        terminal.out(f"removed {one.type} {one.id}")
    for left in document.remaining:
        terminal.out(f"left    {left.type} {left.id}: {left.why}")
    name = document.deployment
    for silent in document.not_asked:
        terminal.say(f"not checked: {silent.why} ({silent.provider} may hold more of {name})")
    if document.kept is not None:
        said = f"its damaged record stays until they answer; if nothing of {name} exists, remove {document.kept}"
        terminal.say(terminal.printable(said))
    if not document.remaining and not document.not_asked:
        nothing = (
            "Nothing of {} is left." if document.removed else "There was nothing to remove of {}."
        )
        terminal.say(nothing.format(name))
