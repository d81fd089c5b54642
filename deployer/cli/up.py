"""`deployer up`: show the plan, ask, apply it, and say how to call the model."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployer.cli import options, terminal
from deployer.cli.views import how_to_call
from deployer.core.deployment import Deployment
from deployer.core.errors import DeclinedError, UsageError

if TYPE_CHECKING:
    from deployer.core.deployment import Deployment
    from deployer.core.domain import Plan
    from deployer.running.stack.changes import Changes
    from deployer.workflows.plan import Setting


@click.command("up", help="Apply a plan: start the model and wait until it answers.")
@options.spec_file_option
@options.target_option
@options.offline_option
@click.option(
    "--plan",
    "saved",
    type=click.Path(path_type=Path),
    help="Apply exactly this plan (plan --out), or exit 5.",
)
@click.option("--no-wait", is_flag=True, help="Return without waiting for the model to answer.")
@options.yes_option
@options.json_option
def command(
    spec_file: Path | None,
    target: str | None,
    offline: bool,
    saved: Path | None,
    no_wait: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Plan one target, ask, apply, and print how to use what runs then."""
    from deployer.workflows import plan as pipeline
    from deployer.workflows import saved_plan

    setting = pipeline.Setting.here(offline=offline)
    file = spec_file or options.DEFAULT_SPEC
    asked = target or (saved_plan.target_of(saved) if saved else None)
    plan = pipeline.make_plans(file, [_target(asked)], setting)[0]
    if saved:
        saved_plan.check_saved(saved, plan)
    how = _How(setting, yes=yes, as_json=as_json, wait=not no_wait, saved=saved)
    _interrupt_on_signals()
    with pipeline.placed(file, setting):
        done = _first_that_can(plan, file, how) if saved is None else (_applied(plan, how), plan)
    if as_json:
        _emit(done[0], setting)
    else:
        terminal.out(how_to_call.how_to_use(*done))


def _emit(done: Deployment, setting: Setting) -> None:
    from deployer.core.clock import now
    from deployer.workflows import status

    terminal.emit(status.status(setting.home, [done.name], now()))


@dataclass(frozen=True)
class _How:
    setting: Setting
    yes: bool
    as_json: bool
    wait: bool
    saved: Path | None


def _first_that_can(plan: Plan, file: Path, how: _How) -> tuple[Deployment, Plan]:
    """Apply the plan; where there is no capacity for it, the next that fits, if the spec leaves the choice."""
    from deployer.core.errors import NoCapacityError

    tried, first = list[str](), plan
    while True:
        try:
            return _applied(plan, how), plan
        except NoCapacityError as error:
            tried.append(plan.inputs["instance_type"])
            following = _next(first, file, how, tried)
            if following is None:
                raise
            terminal.say(
                f"{error.message}: trying {following.inputs['instance_type']}, the next that fits"
            )
            plan = following


def _next(plan: Plan, file: Path, how: _How, tried: Sequence[str]) -> Plan | None:
    """The plan on the next offer that the spec's policy allows."""
    from deployer.workflows import plan as pipeline

    for kind in pipeline.others(plan, tried):
        made = pipeline.make_plans(file, [plan.target], how.setting, instance=kind)[0]
        if pipeline.refusal(made) is None:
            return made
    return None


def _applied(plan: Plan, how: _How) -> Deployment:
    from deployer.core.clock import now
    from deployer.providers.registry import provider
    from deployer.running import lookup
    from deployer.workflows import doctor, up
    from deployer.workflows import plan as pipeline

    if not how.as_json:
        from deployer.cli.views import plan as plan_view

        plan_view.show(plan)
    refused = pipeline.refusal(plan)
    if refused:
        raise refused
    where = provider(plan.target, plan.provider)
    by_engine = where.applied_by_pulumi
    if by_engine:
        _check_terminal(how)
    else:
        lookup.runner_of(where, how.setting.home)
        doctor.quick(plan)
        _ask(how)
    done = up.apply(
        plan,
        home=how.setting.home,
        provider=where,
        say=terminal.say,
        now=now,
        wait=how.wait,
        agree=lambda changes: _agree(plan, changes, how),
    )
    return done.deployment


def _agree(plan: Plan, changes: Changes, how: _How) -> None:
    from deployer.cli.views import changes as changes_view
    from deployer.workflows import saved_plan

    if not how.as_json:
        terminal.out(changes_view.render(terminal.all_printable(changes)))
    if how.saved:
        doing = [(one.type, one.name, one.action) for one in changes.real]
        saved_plan.check_doing(how.saved, plan, doing)
    _ask(how)


def _target(target: str | None) -> str:
    if target is None:
        raise UsageError("no target given", hint="pass --target local (see 'deployer plan')")
    return target


def _ask(how: _How) -> None:
    if how.yes:
        return
    _check_terminal(how)
    if not terminal.confirm("Apply?"):
        raise DeclinedError("nothing was applied")


def _check_terminal(how: _How) -> None:
    if not how.yes and (how.as_json or not terminal.interactive()):
        raise UsageError("not an interactive terminal", hint="pass --yes to apply the plan")


def _interrupt_on_signals() -> None:
    """Clean up on SIGTERM and on a closed terminal as on Ctrl-C."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, signal.default_int_handler)
