"""`deployer plan`: what would exist and what it would cost."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployer.cli import options, terminal
from deployer.core.domain import Plan
from deployer.core.files import write_output

if TYPE_CHECKING:
    from deployer.core.documents.plan import PlanDocument


@click.command("plan", help="Show what would exist and what it would cost. Applies nothing.")
@options.spec_file_option
@options.target_option
@options.offline_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Save the plan to a file for 'deployer up --plan'.",
)
@click.option(
    "--refresh",
    is_flag=True,
    help="Compare with what is deployed now (needs credentials and the Pulumi CLI).",
)
@options.json_option
def command(
    spec_file: Path | None,
    target: str | None,
    offline: bool,
    out: Path | None,
    refresh: bool,
    as_json: bool,
) -> None:
    """Plan one target, or all three, and exit 3 or 4 when none of them can be applied."""
    from deployer.core.clock import now
    from deployer.workflows import plan as pipeline

    setting = pipeline.Setting.here(offline=offline)
    file = spec_file or options.DEFAULT_SPEC
    plans = pipeline.make_plans(file, [target] if target else [], setting)
    if refresh:
        plans = _refreshed(plans, setting.home)
    if out or as_json:
        from deployer.planning.document import document

        made = document(plans, now())
        if out:
            _keep(out, made, spec_file, target)
        if as_json:
            terminal.emit(made)
    if not as_json:
        _show(plans)
    code = pipeline.exit_code(plans)
    if code:
        raise click.exceptions.Exit(code)


def _refreshed(plans: Sequence[Plan], home: Path) -> tuple[Plan, ...]:
    from deployer.workflows import drift

    return tuple(drift.refreshed(plan, home, terminal.say) for plan in plans)


def _show(plans: Sequence[Plan]) -> None:
    from deployer.cli.views import plan as view

    for number, plan in enumerate(plans):
        if number:
            terminal.out()
        view.show(plan)


def _keep(file: Path, made: PlanDocument, spec_file: Path | None, target: str | None) -> None:
    write_output(file, terminal.as_json(made))
    words = ["deployer", "up", "--plan", str(file)]
    words += ["-f", str(spec_file)] if spec_file else []
    words += [] if len(made.plans) == 1 else ["--target", target or "TARGET"]
    terminal.say(f"Saved to {file}. To apply exactly this plan: {shlex.join(words)}")
