"""`deployer down`: remove a deployment and prove that nothing is left."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployer.cli import options, terminal
from deployer.core.errors import DeclinedError, Exit
from deployer.core.units import usd

if TYPE_CHECKING:
    from deployer.core.documents.down import DownDocument
    from deployer.workflows.claims import Claim


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
@click.option("--owner", metavar="OWNER", help="Remove it although OWNER, somebody else, made it.")
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
    owner: str | None,
    yes: bool,
    drain: int,
    as_json: bool,
) -> int:
    """Remove what belongs to one deployment, after asking in a terminal.

    Exit 1 when something of it is left, or when not everybody could be asked who is known to hold some of it, or who may
    hold all of it. Exit 4 when somebody else has made it.
    """
    from deployer.core.home import home
    from deployer.workflows import down

    wanted = options.deployment_name(name, spec_file, target)
    asks = terminal.interactive() and not (yes or as_json)
    agree = (lambda there: _agree(wanted, there)) if asks else None
    asked = down.Request(owner, None if name else options.state_of(spec_file, target), drain)
    document = down.down(home(), wanted, _say, agree, asked)
    if as_json:
        terminal.emit(document)
    else:
        _show(document)
    known = any(one.known for one in document.not_asked)
    unseen = known or (document.not_asked and not document.removed)
    return Exit.FAILED if document.remaining or unseen else Exit.DONE


def _say(line: str) -> None:
    terminal.say(terminal.printable(line))


def _agree(name: str, there: Sequence[Claim]) -> None:
    for one in there:
        terminal.say(terminal.printable(f"  {one.found.type} {one.found.id}"))
    if not terminal.confirm(f"Remove {name}?"):
        raise DeclinedError("nothing was removed")


def _show(document: DownDocument) -> None:
    for one in document.removed:
        terminal.out(f"removed {one.type} {one.id}")
    for left in document.remaining:
        terminal.out(f"left    {left.type} {left.id}: {left.why}")
    for strange in document.kept:
        _say(
            f"kept    {strange.type} {strange.id}: it only carries the tag, deployer did not make it;"
            f" {_cost(strange.monthly_usd)}"
        )
    if document.answers_cut:
        answers = "1 answer" if document.answers_cut == 1 else f"{document.answers_cut} answers"
        terminal.say(f"{answers} had not ended in time and were cut off")
    name = document.deployment
    for silent in document.not_asked:
        terminal.say(f"not checked: {silent.why} ({silent.provider} may hold more of {name})")
    if document.record_kept is not None:
        said = f"its record stays until they answer; if nothing of {name} exists, remove {document.record_kept}"
        terminal.say(terminal.printable(said))
    if not document.remaining and not document.not_asked:
        nothing = (
            "Nothing of {} is left." if document.removed else "There was nothing to remove of {}."
        )
        terminal.say(nothing.format(name))


def _cost(monthly_usd: Decimal | None) -> str:
    return "unpriced" if monthly_usd is None else f"{usd(monthly_usd)} USD/month"
