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


def _seconds(_context: click.Context, _option: click.Parameter, value: str) -> int:
    """Read a duration of the command line."""
    from deployer.core.units import seconds

    try:
        return 0 if value == "0s" else seconds(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("down", help="Remove a deployment and verify that nothing is left.")
@click.argument("name", required=False)
@options.spec_file_option
@options.target_option
@options.yes_option
@click.option(
    "--drain",
    default="60s",
    show_default=True,
    metavar="DURATION",
    callback=_seconds,
    help="How long answers that are being given have to end; 0s cuts them off.",
)
@options.json_option
def command(
    name: str | None,
    spec_file: Path | None,
    target: str | None,
    yes: bool,
    drain: int,
    as_json: bool,
) -> int:
    """Remove what belongs to one deployment, after asking in a terminal.

    Exit 1 when something of it is left, or when nothing was found and not everybody could be asked.
    """
    from deployer.core.home import home
    from deployer.workflows import down

    wanted = options.deployment_name(name, spec_file, target)
    asks = terminal.interactive() and not (yes or as_json)
    agree = (lambda there: _agree(wanted, there)) if asks else None
    document = down.down(home(), wanted, terminal.say, agree, drain)
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
    if document.answers_cut:
        answers = "1 answer" if document.answers_cut == 1 else f"{document.answers_cut} answers"
        terminal.say(f"{answers} had not ended in time and were cut off")
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
