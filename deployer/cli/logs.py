"""`deployer logs`: what the model server writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from deployer.cli import options, terminal
from deployer.core.errors import UsageError

FOLLOW = ""
"""What `-f` says without a value: no file is called so."""


@click.command("logs", help="Show a deployment's log.")
@click.argument("name", required=False)
@click.option(
    "-f",
    "--file",
    "spec_file",
    is_flag=False,
    flag_value=FOLLOW,
    metavar="[SPEC]",
    help="The spec (with --target); without one: --follow.",
)
@options.target_option
@click.option("--follow", "-F", is_flag=True, help="Keep printing new lines while it runs.")
@click.option("--tail", type=click.IntRange(0), default=None, help="Print only the last N lines.")
@options.json_option
def command(
    name: str | None,
    spec_file: str | None,
    target: str | None,
    follow: bool,
    tail: int | None,
    as_json: bool,
) -> None:
    """Print the log of one deployment."""
    from deployer.core.home import home
    from deployer.running import lookup
    from deployer.running.store import Store

    place = home()
    store = Store(place)
    if spec_file == FOLLOW or _meant_as_name(name, spec_file, target, store.names()):
        name, spec_file, follow = name or spec_file or None, None, True
    if follow and as_json:
        raise UsageError("--follow and --json cannot be combined", hint="leave one of them out")
    file = None if spec_file is None else Path(spec_file)
    record = store.get(options.deployment_name(name, file, target))
    lines = lookup.manager_for(record, place).logs(record.name, follow=follow, tail=tail)
    if as_json:
        from deployer.core.documents.logs import LogsDocument

        terminal.emit(LogsDocument(deployment=record.name, lines=tuple(lines)))
        return
    for line in lines:
        terminal.out(line)


def _meant_as_name(
    name: str | None, value: str | None, target: str | None, known: Sequence[str]
) -> bool:
    """Whether `-f VALUE` stands for `VALUE -f`: `logs -f tiny-local`, as other tools have it."""
    return name is None and target is None and value in known
