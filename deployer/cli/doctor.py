"""`deployer doctor`: what is needed to run here, and the next step for what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployer.cli import options, terminal
from deployer.core.errors import Exit, UsageError

if TYPE_CHECKING:
    from deployer.core.documents.doctor import Check
    from deployer.core.domain import Plan


@click.command(
    "doctor", help="Check the prerequisites on this machine, with the next step for each."
)
@options.spec_file_option
@options.offline_option
@click.option(
    "--providers",
    "of_providers",
    is_flag=True,
    help="Show what each provider can, and what it means that it cannot the rest.",
)
@click.option(
    "--privacy",
    "deployment",
    metavar="NAME",
    help="Show what a running deployment proves: who reaches it, what it reaches, what it logs.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --privacy: write it as one HTML page, for a data protection officer.",
)
@options.json_option
def command(
    spec_file: Path | None,
    offline: bool,
    of_providers: bool,
    deployment: str | None,
    html: Path | None,
    as_json: bool,
) -> None:
    """Examine this machine for the spec, or for itself where there is none; exit 6 if something is missing."""
    if deployment is not None:
        _privacy(deployment, html, as_json=as_json)
        return
    if html is not None:
        raise UsageError("--html goes with --privacy", hint="pass --privacy NAME")
    if of_providers:
        _providers(as_json=as_json)
        return
    from deployer.workflows import doctor

    document = doctor.examine(_plan(spec_file, offline=offline), hub=not offline)
    if as_json:
        terminal.emit(document)
    else:
        _show(document.checks)
    if not document.ok:
        raise click.exceptions.Exit(Exit.PREREQUISITE)


def _privacy(deployment: str, html: Path | None, *, as_json: bool) -> None:
    """Show what a deployment proves of itself; exit 4 where that breaks the policy that it was made under."""
    from deployer.cli.views import privacy as view
    from deployer.core.clock import now
    from deployer.core.files import write_output
    from deployer.core.home import home
    from deployer.workflows import privacy

    document = privacy.examine(home(), deployment, now())
    if html is not None:
        write_output(html, view.page(document))
        terminal.say(f"Wrote {html}")
    if as_json:
        terminal.emit(document)
    else:
        view.show(document)
    if document.local_only and document.ok is False:
        raise click.exceptions.Exit(Exit.REFUSED)


def _providers(*, as_json: bool) -> None:
    from deployer.workflows import provider_table

    document = provider_table.document()
    if as_json:
        terminal.emit(document)
        return
    for row in document.providers:
        where = f" in {row.default_region}" if row.default_region else ""
        name = terminal.heading(f"{row.target} {row.provider}")
        terminal.out(f"{name}{where}: {', '.join(row.engines)}")
        terminal.out(f"  can {', '.join(row.can)}")
        for part, reason in row.lacks.items():
            terminal.out(f"  no {part}: {reason}")


def _plan(spec_file: Path | None, *, offline: bool) -> Plan | None:
    """The plan for `local` of the spec that was named, or of the one that lies here."""
    from deployer.workflows import plan

    file = spec_file or options.DEFAULT_SPEC
    if spec_file is None and not file.exists():
        return None
    return plan.make_plans(file, ["local"], plan.Setting.here(offline=offline))[0]


def _show(checks: tuple[Check, ...]) -> None:
    for check in checks:
        terminal.out(f"{_sign(check)}  {check.name}: {check.detail}")
        if check.next_step:
            terminal.out(f"      next: {check.next_step}")


def _sign(check: Check) -> str:
    """`ok`, `!!` for what is needed and missing, `--` for what does not matter or cannot be told."""
    if check.ok:
        return click.style("ok", fg="green")
    return click.style("!!", fg="red") if check.needed and check.ok is False else "--"
